"""Facts are read as they are, absent ones as absent."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import EngineError
from engine.report import record


def test_an_empty_folder_has_no_facts(tmp_path: Path) -> None:
    """Files that are absent are absent facts, not mistakes."""
    found = record.read(tmp_path)
    assert (found.recipe, found.metrics, found.gates, found.data, found.facts) == (None,) * 5
    assert (found.recipe_text, found.predictions.exists()) == ("", False)


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    """A file that is no JSON is an error that names it."""
    (tmp_path / "facts.json").write_text('{"run": ')
    with pytest.raises(EngineError) as caught:
        record.read(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'facts.json'}\n  facts.json is not JSON: Expecting value: line 1 column 9 (char 8)"
    )


def test_groups_of_a_personal_column_are_counted(write_run: Callable[..., Path], binary: dict) -> None:
    """A group with a threshold of its own is called by its values, but for such as tell who a person is."""
    own = [{"values": ["Ulm", 7], "threshold": 0.2}, {"values": ["Bonn", 8], "threshold": 0.3}]
    binary["facts"]["thresholds"] = {"by": ["town", "age"], "own": own, "overall": 0.5}
    found = []
    for pii in (False, True):
        binary["recipe"]["schema"]["columns"] |= {"town": {"pii": pii}, "age": {"pii": False}}
        found.append(record.threshold_groups(record.read(write_run(binary, None, folder=str(pii)))))
    assert found == [["Ulm, 7", "Bonn, 8"], ["group 1", "group 2"]]


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"a": 1}, 1),
        ({"a": 0.5}, 0.5),
        ({"a": True}, None),
        ({"a": "1"}, None),
        ({"a": None}, None),
        ({}, None),
    ],
)
def test_number(node: record.Json, expected: float | None) -> None:
    """Only a number is a number."""
    assert record.number(node, "a") == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [({"a": {"b": None}}, True), ({"a": {}}, False), ({"a": None}, False), (None, False)],
)
def test_null_is_not_absent(node: record.Json, expected: bool) -> None:
    """A recorded null is told from a fact that nobody recorded."""
    assert record.is_null(node, "a", "b") is expected

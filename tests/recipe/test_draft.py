from __future__ import annotations

from pathlib import Path

import pytest

from engine.recipe.compose import compose
from engine.recipe.draft import Draft, draft

RECIPE = """\
name: small
data: {path: table.csv}
goal: {gates: {roc_auc: {min: 0.8}, f1: {min: 0.5}}}
schema:
  target: y
  columns:
    x: {type: number, min: 0}
    y: {type: category, values: [a, b]}
"""


def read(folder: Path, text: str, *overrides: str) -> Draft:
    """Return the draft of a recipe."""
    (folder / "small.yaml").write_text(text)
    return draft(compose(folder / "small.yaml", overrides))


def test_a_right_recipe_is_its_own_draft(tmp_path: Path) -> None:
    """Without a mistake the whole recipe is known."""
    found = read(tmp_path, RECIPE)
    assert (found.mistakes, found.unknown) == ((), frozenset())
    assert found.spec.name == "small"


@pytest.mark.parametrize(
    ("change", "keys", "unknown"),
    [
        (("type: number", "tpye: number"), ["schema.columns.x.tpye"], set()),
        (("type: number", "dtype: float"), ["schema.columns.x.dtype", "schema.columns.x.dtype"], set()),
        (("type: number", "type: nmber"), ["schema.columns.x.type"], set()),
        (("type: number", "type: 3"), ["schema.columns.x.type"], {"schema"}),
        (("min: 0}", "min: [0]}"), ["schema.columns.x.min"], set()),
        (("min: 0}", "role: [0]}"), ["schema.columns.x.role"], {"schema"}),
        (("{min: 0.8}", "{min: high}"), ["goal.gates.roc_auc.min"], set()),
        (("{min: 0.8}", "0.8"), ["goal.gates.roc_auc"], set()),
        (("  target: y\n", ""), ["schema.target"], {"schema"}),
        (("name: small", "name: a b\nsead: 3\nsplitt: {test: 2}"), ["name", "sead", "splitt", "splitt.test"], {"split"}),
        (("name: small", "name: [a]"), ["name"], {"name"}),
        (("name: small", "name: ${no.such}"), ["name"], {"name"}),
    ],
)  # fmt: skip
def test_mistakes_are_mended_for_what_comes_after(
    tmp_path: Path, change: tuple[str, str], keys: list[str], unknown: set[str]
) -> None:
    """Every mistake is told by the key as it was written, and only what has no near cure is given up."""
    assert change[0] in RECIPE
    found = read(tmp_path, RECIPE.replace(*change))
    assert [message.key for message in found.mistakes] == keys
    assert found.unknown == unknown
    assert found.knows("data", "task")
    assert not any(found.knows("data", section) for section in unknown)


def test_what_was_meant_is_read(tmp_path: Path) -> None:
    """A misspelt key and a word of another tool count as what they stand for; a wrong gate is left out."""
    text = RECIPE.replace("type: number", "dtype: float64").replace("{min: 0.8}", "{min: high}")
    spec = read(tmp_path, text).spec
    assert spec.schema_.columns["x"].type == "number"
    assert list(spec.goal.gates or ()) == ["f1"]


def test_a_rooms_message_has_the_key_as_it_was_written(tmp_path: Path) -> None:
    """What a room says of a renamed key stands where the key was written, by its own name."""
    from engine.errors import Message

    found = read(
        tmp_path, RECIPE.replace("target: y\n", "target: y\n  colums:\n").replace("  columns:\n", "")
    )
    located = found.locate(Message("wrong", "schema.columns.x.min"))
    assert (located.key, located.line) == ("schema.colums.x.min", 7)

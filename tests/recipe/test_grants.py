"""Tables that the user has named: who may read them, and what is kept of it."""

import json
from pathlib import Path

import pytest

from engine.recipe.grants import grant, granted


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the journal of grants, in a folder of its own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state" / "declarative-engine" / "tables.jsonl"


def test_a_grant_is_for_one_table_and_for_the_folders_it_names(tmp_path: Path) -> None:
    """Links are followed on both sides; another folder, and one below, are granted nothing."""
    (tmp_path / "work").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "work")
    assert grant(tmp_path / "t.csv", [tmp_path / "link"])
    assert list(granted([tmp_path / "work"])) == [tmp_path / "t.csv"]
    assert list(granted([tmp_path, tmp_path / "work" / "below"])) == []


def test_a_grant_is_written_once(tmp_path: Path, place: Path) -> None:
    """Naming a table again adds no line."""
    for _ in range(3):
        assert grant(tmp_path / "t.csv", [tmp_path])
    assert [json.loads(line) for line in place.read_text().splitlines()] == [
        {"folder": str(tmp_path), "table": str(tmp_path / "t.csv")}
    ]


@pytest.mark.parametrize("content", [b"no json\n", b"\xff\n", b"[]\n", b'{"folder": 1}\n', b'{"folder": "/"'])
def test_what_cannot_be_read_grants_nothing(content: bytes, tmp_path: Path, place: Path) -> None:
    """A damaged journal is no error, and no grant."""
    place.parent.mkdir(parents=True)
    place.write_bytes(content)
    assert list(granted([tmp_path, Path("/")])) == []


def test_a_user_without_a_folder_of_states_grants_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it can't be written the caller hears of it, and nothing is raised."""
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert not grant(tmp_path / "t.csv", [tmp_path])
    assert list(granted([tmp_path])) == []

"""What DVC's files say, as its documentation has them; DVC itself is not here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from engine.data.find import find
from engine.data.pointers import Pointer, differing, find_pointer
from engine.errors import DataError
from tests.data.conftest import DataOf

CONTENT = b"a,b\n1,2\n"
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Write a table in a folder of a repository."""
    folder = tmp_path / "repo" / "data"
    folder.mkdir(parents=True)
    (folder / "t.csv").write_bytes(CONTENT)
    return folder / "t.csv"


def test_a_pointer_beside_the_file(table: Path) -> None:
    """`dvc add data/t.csv` writes data/t.csv.dvc, and the file is the one it knows until it changes."""
    table.with_name("t.csv.dvc").write_text(
        f"outs:\n- md5: {MD5}\n  size: {len(CONTENT)}\n  hash: md5\n  path: t.csv\n"
    )
    found = find_pointer(table)
    assert found == Pointer("t.csv.dvc", "", MD5, len(CONTENT), matches=True)
    assert differing(found) == ()
    table.write_bytes(CONTENT.replace(b"1", b"3"))
    found = find_pointer(table)
    assert found is not None
    assert found.matches is False
    assert differing(found) == (
        "the file that was read is not the one that DVC knows by t.csv.dvc: dvc checkout brings that one back, "
        "dvc commit notes this one",
    )
    table.write_bytes(CONTENT + b"5,6\n")
    found = find_pointer(table)
    assert found is not None
    assert found.matches is False


def test_a_pointer_of_an_older_dvc(table: Path) -> None:
    """Before version 3 the hash of a text was of its lines, so that it can't be compared."""
    table.with_name("t.csv.dvc").write_text(
        f"outs:\n- md5: {'0' * 32}\n  size: {len(CONTENT)}\n  path: t.csv\n"
    )
    assert find_pointer(table) == Pointer("t.csv.dvc", "", "0" * 32, len(CONTENT), matches=None)


def test_a_folder_that_is_tracked(table: Path) -> None:
    """`dvc add data` tracks the folder: its hash is of a list of files, and none of them is compared."""
    table.parent.with_name("data.dvc").write_text(
        f"outs:\n- md5: {'1' * 32}.dir\n  size: 99\n  nfiles: 1\n  hash: md5\n  path: data\n"
    )
    assert find_pointer(table) == Pointer("../data.dvc", "", f"{'1' * 32}.dir", 99, matches=None)


def test_a_stage_of_a_pipeline(table: Path) -> None:
    """`dvc repro` writes dvc.lock, which names the stage that makes the file."""
    lock = table.parents[1] / "dvc.lock"
    lock.write_text(
        "schema: '2.0'\nstages:\n  fetch:\n    cmd: curl\n    outs:\n    - path: data/raw.csv\n"
        f"      hash: md5\n      md5: {'a' * 32}\n      size: 1\n  clean:\n    cmd: python clean.py\n"
        f"    deps:\n    - path: data/raw.csv\n      hash: md5\n      md5: {'a' * 32}\n"
        f"    outs:\n    - path: data/t.csv\n      hash: md5\n      md5: {MD5}\n      size: {len(CONTENT)}\n"
    )
    assert find_pointer(table) == Pointer("../dvc.lock", "clean", MD5, len(CONTENT), matches=True)


@pytest.mark.parametrize(
    "content",
    ["", "[1, 2]", "outs: 3", "outs:\n- 3", "outs:\n- {path: t.csv}", "outs:\n- {md5: 4, path: t.csv}", "a: [",
     "outs:\n- {md5: abc, path: other.csv}", "!!python/object:x {}", "\x00"],
)  # fmt: skip
def test_what_is_no_pointer_says_nothing(content: str, table: Path) -> None:
    """A pointer that is broken, or of another file, is passed over: the engine's own hash says what was read."""
    table.with_name("t.csv.dvc").write_text(content)
    assert find_pointer(table) is None


def test_a_pointer_is_no_table(table: Path, data_of: DataOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names the pointer is told of the table, and who has not fetched the table how to."""
    monkeypatch.chdir(table.parents[1])
    table.with_name("t.csv.dvc").write_text(f"outs:\n- md5: {MD5}\n  path: t.csv\n")

    def refusal(path: str) -> str:
        with pytest.raises(DataError) as caught:
            find(data_of(path))
        return str(caught.value)

    note = "data.path\n  'data/t.csv.dvc' is DVC's note of where the table is, and not the table\n  did you mean 'data/t.csv'?"
    assert refusal("data/t.csv.dvc") == note
    table.unlink()
    assert refusal("data/t.csv.dvc") == f"{note}\n  try: dvc pull data/t.csv.dvc"
    absent = "data.path\n  there is no file 'data/t.csv', which DVC knows\n  try: dvc pull data/t.csv"
    assert refusal("data/t.csv") == f"{absent}.dvc"
    table.with_name("t.csv.dvc").unlink()
    Path("dvc.lock").write_text(f"stages:\n  clean:\n    outs:\n    - path: data/t.csv\n      md5: {MD5}\n")
    assert refusal("data/t.csv") == absent

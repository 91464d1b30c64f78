"""Files as they come: refused with what is wrong and where, or read exactly as declared.

`python -m tests.data.test_hostile` writes anew what is said of them, to be read before it is kept.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import engine
from engine.cli import main
from engine.data.schema import declare
from engine.data.source import read
from tests.data.hostile import READ_EXACTLY, REFUSED, Hostile, good, make

EXPECTED = Path(__file__).with_name("hostile.txt")
_TIMEOUT_S = 60
_EVERY = 60


def _engine(verb: list[str], hostile: Hostile, folder: Path) -> subprocess.CompletedProcess[str]:
    make(hostile, folder)
    command = [str(Path(sys.executable).with_name("engine")), verb[0], "recipe.yaml", *verb[1:]]
    return subprocess.run(
        [*command, *hostile.overrides],
        cwd=folder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False,
    )  # fmt: skip


def _expected() -> dict[str, str]:
    chapters = EXPECTED.read_text(encoding="utf-8").split("== ")[1:]
    return {name: said for name, _, said in (chapter.partition("\n") for chapter in chapters)}


def test_every_file_is_in_the_table() -> None:
    """What is said of each refused file is written down, and of no other."""
    assert list(_expected()) == [hostile.name for hostile in REFUSED]
    assert len({hostile.name for hostile in (*REFUSED, *READ_EXACTLY)}) >= 80


@pytest.mark.parametrize("hostile", REFUSED, ids=lambda hostile: hostile.name)
def test_it_is_refused(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole message, exit 3, nothing on stdout, and nothing written."""
    make(hostile, tmp_path)
    monkeypatch.chdir(tmp_path)
    code = main(["run", "recipe.yaml", *hostile.overrides])
    said = capsys.readouterr()
    assert (said.err.strip(), said.out, code) == (_expected()[hostile.name].strip(), "", 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["recipe.yaml", f"table{hostile.suffix}"]


@pytest.mark.parametrize("hostile", REFUSED[::_EVERY], ids=lambda hostile: hostile.name)
def test_the_installed_command_says_the_same(hostile: Hostile, tmp_path: Path) -> None:
    """A process of its own ends as a call of its function does; each takes a second only to start."""
    done = _engine(["run"], hostile, tmp_path)
    assert (done.stderr.strip(), done.stdout, done.returncode) == (_expected()[hostile.name].strip(), "", 3)


@pytest.mark.parametrize("hostile", READ_EXACTLY, ids=lambda hostile: hostile.name)
def test_it_is_read_exactly(hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the named cells are others than those of the plain table, and a plan takes it."""
    make(hostile, tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "recipe.yaml", "--check-data", "--quiet", *hostile.overrides]) == 0
    spec = engine.load("recipe.yaml", list(hostile.overrides))
    frame = read(spec.data, declare(spec)).frame
    assert hostile.reads is not None
    for name, (row, value) in hostile.reads.items():
        assert frame[name][row] == value
    untouched = [name for name in frame.columns if name not in hostile.reads]
    assert frame.select(untouched).tail(50).equals(good().select(untouched).tail(50))


def _say() -> Iterator[str]:
    for hostile in REFUSED:
        with tempfile.TemporaryDirectory() as folder:
            done = _engine(["run"], hostile, Path(folder))
        yield f"== {hostile.name}\n{done.stderr.strip()}\n\n"


if __name__ == "__main__":
    EXPECTED.write_text("".join(_say()), encoding="utf-8")

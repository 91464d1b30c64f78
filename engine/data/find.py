"""Where the table of a recipe is, and of which format."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.data.pointers import find_pointer, is_pointer
from engine.errors import DataError, nearest
from engine.recipe.spec_table import DataSpec

# What a path may end with, and what a file may begin with, by the format's name.
_SUFFIXES: Mapping[str, str] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv",
    ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".ipc": "arrow", ".feather": "arrow",
    ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".sqlite": "sql", ".sqlite3": "sql", ".db": "sql",
}  # fmt: skip
_MAGIC: Mapping[bytes, str] = {b"PAR1": "parquet", b"ARROW1": "arrow", b"SQLite format 3\0": "sql"}
# What a file of a format can't do without, where the recipe declares the format.
_MUST: Mapping[str, str] = {"parquet": "Parquet", "arrow": "Arrow IPC", "sql": "SQLite"}
_GLOB = re.compile(r"[*?\[]")
DELTA_LOG = "_delta_log"
# How a pointer of Git LFS begins, and what it is smaller than
# (https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md).
_POINTER, _MAX_POINTER = b"version https://git-lfs.github.com/spec/", 1024


def is_glob(path: str) -> bool:
    """Tell whether a path is a pattern of paths: `*`, `?` or `[…]` in it, and no file of that very name."""
    return _GLOB.search(path) is not None and not os.path.lexists(path)


def find(data: DataSpec) -> tuple[Path, str]:
    """Return the path of the data file or folder, and how messages show it.

    Raises
    ------
    DataError
        If there is none.
    """
    path, shown = Path(data.path), shown_of(data)
    if path.is_dir():
        return path, shown
    if path.exists() and not path.is_file():
        raise DataError.of(f"'{shown}' is no regular file", key="data.path")
    if path.is_file() and _is_pointer(path):
        what = f"'{shown}' is Git LFS's note of where the table is, and not the table"
        raise DataError.of(what, key="data.path", try_="git lfs pull")
    _refuse_what_dvc_knows(path, shown, is_named=data.reference is None)
    if not path.is_file():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest_file(path.name, names) if data.reference is None else ""
        suggestion = os.path.join(os.path.dirname(shown), near) if near and near != path.name else ""
        raise DataError.of(f"there is no file '{shown}'", key="data.path", suggestion=suggestion)
    return path, shown


def _refuse_what_dvc_knows(path: Path, shown: str, *, is_named: bool) -> None:
    """Refuse DVC's note of a table, and a table that DVC knows and that is not there."""
    if is_pointer(path):
        what = f"'{shown}' is DVC's note of where the table is, and not the table"
        table = shown.removesuffix(path.suffix) if is_named else ""
        try_ = f"dvc pull {shlex.quote(shown)}" if is_named and not path.with_suffix("").exists() else ""
        raise DataError.of(what, key="data.path", suggestion=table, try_=try_)
    if is_named and not path.exists() and (pointer := find_pointer(path)):
        beside = os.path.normpath(os.path.join(os.path.dirname(shown), pointer.file))
        # Of a stage's output the lock file is no target: its own path is.
        try_ = f"dvc pull {shlex.quote(shown if pointer.stage else beside)}"
        raise DataError.of(f"there is no file '{shown}', which DVC knows", key="data.path", try_=try_)


def _is_pointer(path: Path) -> bool:
    """Tell whether a file stands for one that Git LFS has not fetched."""
    if path.stat().st_size >= _MAX_POINTER:
        return False
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def shown_of(data: DataSpec) -> str:
    """Return how messages show the path."""
    path = Path(data.path)
    if data.reference is None and path.is_absolute() and path.is_relative_to(Path.cwd()):
        return os.path.relpath(path)
    return data.shown


def nearest_file(name: str, names: Iterable[str]) -> str:
    """Return the file whose name was most likely meant: its stem is near, whatever the suffix; or nothing.

    Examples
    --------
    >>> nearest_file("nope.csv", ["new_ok.csv"]), nearest_file("laons.csv", ["loans.parquet", "loans.csv"])
    ('', 'loans.csv')
    """
    wanted = Path(name)
    files = [Path(other) for other in sorted(names)]
    # A recipe is called as its table is, and is none.
    tables = [file for file in files if file.suffix.lower() not in {".yaml", ".yml"}]
    alike = [file for file in tables if file.suffix == wanted.suffix]
    for among in (alike, tables):
        stems = {file.stem: file.name for file in among}
        if near := nearest(wanted.stem, stems):
            return stems[near]
    return ""


def format_of(path: Path, data: DataSpec) -> str:
    """Return the name of a file's format: as declared, else by suffix, else by its first bytes.

    Raises
    ------
    DataError
        If a format is declared of which the file, by name and first bytes, is not.
    """
    declared = data.format
    if path.is_dir() or declared == "delta":
        is_delta = (path / DELTA_LOG).is_dir()
        if declared == "delta" and not is_delta:
            raise DataError.of(f"the table is no Delta Lake folder: it has no {DELTA_LOG}", key="data.format")
        return "delta" if is_delta and declared == "auto" else declared
    by_name = format_by_name(path)
    if declared in _MUST and by_name != declared and (begins := _begins(path)) != declared:
        what = f"the table is no {_MUST[declared]} file"
        raise DataError.of(what, key="data.format", suggestion=begins or by_name or "csv")
    if declared != "auto":
        return declared
    return by_name if by_name not in {"", "csv"} else _begins(path) or by_name or "csv"


def is_named_as_table(path: Path) -> bool:
    """Tell whether a file's suffix is that of a format."""
    return path.suffix.lower() in _SUFFIXES.keys() - {".txt"}


def format_by_name(path: Path) -> str:
    """Return the format that a file's name says, or nothing."""
    return _SUFFIXES.get(path.suffix.lower(), "")


def _begins(path: Path) -> str:
    """Return the format that a file's first bytes are of, or nothing."""
    with path.open("rb") as file:
        return begins_as(file.read(max(map(len, _MAGIC))))


def begins_as(first: bytes) -> str:
    """Return the format that the first bytes of a file are of, or nothing."""
    return next((name for magic, name in _MAGIC.items() if first.startswith(magic)), "")

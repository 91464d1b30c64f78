"""Tables that the user has named for a folder of work, which its recipes may read from wherever they lie.

Kept for the user, outside of every project, so that nothing that comes with a recipe can grant anything.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from engine.durable import append_journal, read_journal
from engine.errors import EngineError
from engine.recipe.text import MAX_BYTES
from engine.recipe.urls import is_remote

_FILE = Path("declarative-engine", "tables.jsonl")
_STATE = "XDG_STATE_HOME"


def grant(table: Path | str, folders: Iterable[Path]) -> bool:
    """Remember that recipes in some folders, or run from there, may read a table.

    Returns
    -------
    bool
        False where the user's folder of states can't be written: then nothing is granted.
    """
    real = str(table) if is_remote(str(table)) else os.path.realpath(table)
    new = {os.path.realpath(folder) for folder in folders}
    known = {folder for folder, path in _entries() if path == real}
    try:
        for folder in sorted(new - known):
            _place().parent.mkdir(parents=True, exist_ok=True)
            append_journal(_place(), {"folder": folder, "table": real})
    except OSError:
        return False
    return True


def granted(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the tables that were granted to some folders, whose links have been followed."""
    wanted = {str(folder) for folder in folders}
    yield from (Path(table) for folder, table in _entries() if folder in wanted and not is_remote(table))


def granted_urls(folders: Iterable[Path]) -> Iterator[str]:
    """Yield the tables on servers that were granted to some folders."""
    wanted = {str(folder) for folder in folders}
    yield from (table for folder, table in _entries() if folder in wanted and is_remote(table))


def _entries() -> Iterator[tuple[str, str]]:
    place = _place()
    try:
        entries = read_journal(place) if place.stat().st_size <= MAX_BYTES else []
    except (OSError, EngineError):
        # What can't be read grants nothing, and the refusal of the table names the cure.
        return
    for entry in entries:
        folder, table = entry.get("folder"), entry.get("table")
        if isinstance(folder, str) and isinstance(table, str):
            yield folder, table


def _place() -> Path:
    """Return the journal, where the XDG Base Directory Specification has a user's states."""
    state = os.environ.get(_STATE, "")
    return (Path(state) if os.path.isabs(state) else Path(os.path.expanduser("~/.local/state"))) / _FILE

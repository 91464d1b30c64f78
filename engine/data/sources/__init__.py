"""Tables by format: one module each, registered in `engine.names.SOURCES`."""

from __future__ import annotations

from typing import cast

from engine.data.find import find, format_of, is_glob, shown_of
from engine.data.opened import Opened, Opener
from engine.errors import DataError
from engine.names import SOURCES
from engine.recipe.spec_table import DataSpec
from engine.recipe.urls import scheme_of

_SEVERAL = "several"
_BY_SCHEME = {"postgresql": "sql", "s3": "remote"}
# Keys that one format alone takes.
_OWN = {"table": "sql", "version": "delta"}


def open_table(data: DataSpec) -> Opened:
    """Open the table of a recipe: one file, several, or what a server holds; and those that it joins.

    Raises
    ------
    DataError
        If there is none, it is of no known format, or a key says what that format does not have.
    """
    opened = _open(data)
    if not data.join:
        return opened
    from engine.data.sources.joined import join_tables

    return join_tables(opened, data, [_open(data.joined(join)) for join in data.join])


def _open(data: DataSpec) -> Opened:
    shown = shown_of(data)
    if scheme := scheme_of(data.path):
        name = _BY_SCHEME.get(scheme)
        if name is None or (name == "sql" and data.format not in {"auto", "sql"}):
            what = (
                f"'{scheme}:' is read by no format" if name is None else f"'{scheme}:' is read as sql alone"
            )
            raise DataError.of(what, key="data.format" if name else "data.path")
    elif is_glob(data.path):
        name = _SEVERAL
    else:
        path, shown = find(data)
        name = format_of(path, data)
        if path.is_dir() and name != "delta":
            name = _SEVERAL
    for key, format_ in _OWN.items():
        if getattr(data, key) is not None and name != format_:
            what = f"'{shown}' has no {key}: only what is of format {format_} has one"
            raise DataError.of(what, key=f"data.{key}")
    return cast("Opener", SOURCES.load(name))(data, shown)

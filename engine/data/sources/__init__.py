"""Tables by format: one module each, registered in `engine.names.SOURCES`."""

from __future__ import annotations

from typing import cast

from engine.data.find import find, format_of, is_glob, scheme_of, shown_of
from engine.data.opened import Opened, Opener
from engine.names import SOURCES
from engine.recipe.spec import DataSpec

_SEVERAL = "several"


def open_table(data: DataSpec) -> Opened:
    """Open the table of a recipe: one file, several, or what a server holds.

    Raises
    ------
    DataError
        If there is none, or it is of no known format.
    """
    if scheme_of(data.path):
        name, shown = "sql", shown_of(data)
    elif is_glob(data.path):
        name, shown = _SEVERAL, shown_of(data)
    else:
        path, shown = find(data)
        name = format_of(path, data)
        if path.is_dir() and name != "delta":
            name = _SEVERAL
    return cast("Opener", SOURCES.load(name))(data, shown)

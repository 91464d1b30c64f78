"""The names of a file's columns held against the schema's, before any row is read."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping

from engine.data.delimited import fitting_delimiter, other_delimiter
from engine.data.schema import Schema
from engine.errors import DataError, Message, nearest

# Beyond this many it is the file that is wrong, not names; and so many are compared with a misspelt one.
_MAX_EACH = 5
_MAX_SHOWN = 40
_MAX_COMPARED = 1000
_MAX_NEAR = 5
# How a column that the schema does not name is left out, where the recipe can still say so.
_IN_RECIPE = "schema.extra: ignore leaves such columns out"

NO_ROWS = "the file has a header and no rows"


def check_columns(
    names: Iterable[str], *, schema: Schema, required: set[str], file: str, cure: str = _IN_RECIPE
) -> None:
    """Hold a file's column names against the schema's.

    Parameters
    ----------
    cure
        How columns that the schema does not name are left out.

    Raises
    ------
    DataError
        With one message for each required column that is missing and, unless `schema.extra` is `ignore`, for
        each column that the schema does not name; many of either, as in a wrong file, are one message; or,
        where another delimiter would have found the columns, with that alone. A column of a recipe is named
        by its key, for there it is mended.
    """
    present = dict.fromkeys(names)
    declared = dict.fromkeys(column.name for column in schema.columns)
    missing = [name for name in declared if name in required and name not in present]
    strangers = [name for name in present if name not in declared]
    if missing and strangers and len(present) == 1 and (mark := fitting_delimiter(strangers[0], declared)):
        raise other_delimiter(mark, file=file)
    _refuse_twins(present, declared, file=file)
    near = strangers[:_MAX_COMPARED]
    near_ones = {name: nearest(name, near) for name in missing[:_MAX_COMPARED]}
    # A column that goes by another name is one mistake, not two.
    renamed = {other for other in near_ones.values() if other}
    extra = [] if schema.extra == "ignore" else [name for name in strangers if name not in renamed]
    lost = [name for name in missing if not near_ones.get(name)]
    messages = []
    if len(lost) > _MAX_EACH:
        what = f"{len(lost)} of {len(declared)} declared columns are missing, first {_first(lost)}"
        messages.append(Message(f"{what}: is it the right file, delimiter, encoding?", file=file))
        missing = [name for name in missing if name not in lost]
    messages += [_missing(name, near, file=file, in_recipe=cure == _IN_RECIPE) for name in missing]
    absent = [name for name in declared if name not in present][:_MAX_COMPARED]
    if len(extra) > _MAX_EACH:
        what = f"the schema does not name {len(extra)} of {len(present)} columns, first {_first(extra)}"
        messages.append(Message(f"{what} ({cure})", file=file))
        extra = []
    for name in extra:
        what = f"the schema does not name this column ({cure})"
        messages.append(Message(what, name, file, suggestion=nearest(name, absent)))
    if messages:
        raise DataError(messages)


def _refuse_twins(present: Mapping[str, object], declared: Mapping[str, object], *, file: str) -> None:
    """Refuse names that look alike and are not: one text in several code points (Unicode, UAX 15)."""
    seen: dict[str, str] = {}
    messages = []
    for name in present:
        twin = seen.setdefault(unicodedata.normalize("NFC", name), name)
        if twin != name and not {twin, name} <= declared.keys():
            what = f"two columns are called '{name}', in other code points ({_points(twin)}; {_points(name)})"
            messages.append(Message(what, name, file))
    for name in declared:
        twin = seen.get(unicodedata.normalize("NFC", name), name)
        if twin != name and name not in present and not messages:
            points = f"({_points(twin)}) than the recipe ({_points(name)})"
            what = f"the file writes '{name}' in other code points {points}"
            messages.append(Message(what, f"schema.columns.{name}", file))
    if messages:
        raise DataError(messages)


def _points(name: str) -> str:
    """Return the code points of a name that are not ASCII, the first few."""
    strange = [f"U+{ord(mark):04X}" for mark in name if not mark.isascii()]
    return " ".join(strange[:_MAX_EACH])


def _missing(name: str, strangers: list[str], *, file: str, in_recipe: bool) -> Message:
    """Say that a column is missing, with the others that it may go by: no column of the schema is one."""
    near = tuple(difflib.get_close_matches(name, strangers, n=_MAX_NEAR))
    allowed = near if len(near) > 1 else ()
    suggestion = nearest(name, strangers)
    if in_recipe:
        what, key = f"the column is missing in {file}", f"schema.columns.{name}"
        return Message(what, key, suggestion=suggestion, allowed=allowed)
    return Message("the column is missing", name, file, suggestion=suggestion, allowed=allowed)


def _first(names: list[str]) -> str:
    return ", ".join(name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}…" for name in names[:3])


def required_columns(schema: Schema, *, need_target: bool = True) -> set[str]:
    """Return the columns that a table to learn from must have."""
    excused = {"ignore"} if schema.extra == "ignore" else set()
    if not need_target:
        excused.add("target")
    return {column.name for column in schema.columns if column.role not in excused}

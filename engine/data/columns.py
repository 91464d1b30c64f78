"""The names of a file's columns held against the schema's, before any row is read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from engine.data.delimited import fitting_delimiter, other_delimiter
from engine.data.schema import Schema
from engine.data.violation import counted
from engine.errors import DataError, Message, nearest

# Beyond this many a reader mends a pattern, not names; and so many are compared with a misspelt one.
_MAX_SAID = 50
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
        each column that the schema does not name, the first fifty of them; or, where another delimiter
        would have found the columns, with that alone.
    """
    present = dict.fromkeys(names)
    declared = dict.fromkeys(column.name for column in schema.columns)
    missing = [name for name in declared if name in required and name not in present]
    strangers = [name for name in present if name not in declared]
    if missing and strangers and len(present) == 1 and (mark := fitting_delimiter(strangers[0], declared)):
        raise other_delimiter(mark, file=file)
    near = strangers[:_MAX_COMPARED]
    messages = [_missing(name, near, file=file) for name in missing]
    # A column that goes by another name is one mistake, not two.
    renamed = {message.suggestion for message in messages}
    extra = [] if schema.extra == "ignore" else [name for name in strangers if name not in renamed]
    absent = [name for name in declared if name not in present][:_MAX_COMPARED]
    for name in extra[:_MAX_SAID]:
        what = f"the schema does not name this column ({cure})"
        messages.append(Message(what, name, file, suggestion=nearest(name, absent)))
    if len(extra) > _MAX_SAID:
        rest = counted(len(extra) - _MAX_SAID, "more column")
        messages.append(Message(f"the schema does not name {rest} either", file=file))
    if messages:
        raise DataError(messages)


def _missing(name: str, strangers: list[str], *, file: str) -> Message:
    """Say that a column is missing, with the others that it may go by: no column of the schema is one."""
    near = tuple(difflib.get_close_matches(name, strangers, n=_MAX_NEAR))
    allowed = near if len(near) > 1 else ()
    return Message("the column is missing", name, file, suggestion=nearest(name, strangers), allowed=allowed)


def required_columns(schema: Schema, *, need_target: bool = True) -> set[str]:
    """Return the columns that a table to learn from must have."""
    excused = {"ignore"} if schema.extra == "ignore" else set()
    if not need_target:
        excused.add("target")
    return {column.name for column in schema.columns if column.role not in excused}

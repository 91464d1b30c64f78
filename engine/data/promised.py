"""What a file's footer says of its columns, held against the schema: what is wrong without reading a row.

Only what is certain is said: a type that can't become the declared one, nulls where none may be, numbers
beyond their bounds. Everything else is found when the rows are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from engine.data.footer import Described
from engine.data.schema import Column, Schema
from engine.data.storage import expected_type, is_open
from engine.data.violation import COMPLAINTS, counted, headline, show
from engine.errors import DataError, Message

# How the names of polars' types begin: Int64, UInt8, …; Date and Datetime.
_NUMBERS = ("Int", "UInt", "Float", "Decimal")
_TIMES = "Date"


def check_promised(columns: Sequence[Described], *, n_rows: int, schema: Schema, file: str) -> None:
    """Hold what a footer says against the contract.

    Raises
    ------
    DataError
        With one message for each rule that some row is certain to break.
    """
    described = {column.name: column for column in columns}
    messages = [
        message
        for column in schema.columns
        if column.role != "ignore" and column.name in described and n_rows
        for message in _mistakes(described[column.name], column, n_rows=n_rows, schema=schema, file=file)
    ]
    if messages:
        raise DataError(messages)


def _mistakes(
    found: Described, column: Column, *, n_rows: int, schema: Schema, file: str
) -> Iterator[Message]:
    has_values = found.n_nulls is None or found.n_nulls < n_rows
    if has_values and not _may_become(found.dtype, column, is_open=is_open(column, schema)):
        what = f"{headline('type', expected_type(column))}: the column holds {found.dtype}"
        yield Message(what, column.name, file)
        return
    is_left_out = column.role == "target" and schema.missing_target == "drop"
    if found.n_nulls and not column.nullable and not is_left_out:
        complaint = COMPLAINTS["nullable"][found.n_nulls != 1]
        what = f"{headline('nullable', 'false')}: {counted(found.n_nulls, 'row')} {complaint}"
        yield Message(what, column.name, file)
    yield from _beyond(found, column, file)


def _beyond(found: Described, column: Column, file: str) -> Iterator[Message]:
    """Yield bounds that the smallest or the largest number passes."""
    if column.type not in ("integer", "number") or found.least is None or found.most is None:
        return
    hidden = column.sensitive or column.pii
    if isinstance(column.min, int | float) and found.least < column.min:
        what = "the smallest value is below it" + ("" if hidden else f": {show(found.least)}")
        yield Message(f"{headline('min', show(column.min))}: {what}", column.name, file)
    if isinstance(column.max, int | float) and found.most > column.max:
        what = "the largest value is above it" + ("" if hidden else f": {show(found.most)}")
        yield Message(f"{headline('max', show(column.max))}: {what}", column.name, file)


def _may_become(dtype: str, column: Column, *, is_open: bool) -> bool:
    """Tell whether some value of a type can be held as declared, as `storage.hold` holds them."""
    is_number = dtype.startswith(_NUMBERS)
    if dtype == "Null":
        return True
    if is_open:
        return is_number or dtype in ("String", "Boolean")
    if column.storage in ("float64", "int64"):
        return is_number
    if column.storage == "boolean":
        return is_number or dtype == "Boolean"
    if column.storage == "datetime":
        return dtype == "String" or dtype.startswith(_TIMES)
    return dtype == "String"

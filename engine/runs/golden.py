"""Golden rows travel with every deployment, so nobody's personal data may be in them."""

from __future__ import annotations

import polars as pl

from engine.data.datetimes import parse
from engine.data.rules import bound
from engine.data.schema import Column

_MASKED = "masked"


def without_pii(frame: pl.DataFrame, columns: tuple[Column, ...]) -> pl.DataFrame:
    """Return the given columns, each that is marked `pii` holding one neutral value that its rules allow."""
    return frame.select(
        pl.Series(column.name, [_neutral(column)] * frame.height, dtype=frame[column.name].dtype)
        if column.pii
        else frame[column.name]
        for column in columns
    )


def _neutral(column: Column) -> object:
    """Return null where a value may be missing, else a declared value or bound, else a value of the type."""
    if column.nullable:
        return None
    if column.values:
        return column.values[0]
    if column.min is not None or column.max is not None:
        return bound(column, column.min if column.min is not None else column.max or 0)
    of_type = {"float64": 0.0, "int64": 0, "boolean": False, "string": _MASKED}
    return of_type.get(column.storage, parse("2000-01-01"))

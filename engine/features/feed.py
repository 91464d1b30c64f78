"""Raw columns as the deployed graph takes them: doubles with NaN for null, or text with `NULL` for null.

The one place that says how a value of a column enters the model. The preparation is fitted on these same
values, batch scoring feeds them from frames, and the service feeds them from records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from engine.data.schema import Column

# Stands for a missing category: U+FDD0 is a Unicode noncharacter, kept free for a program's own use.
NULL = "\ufdd0"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - columns hold UTC without a zone
_SECOND = timedelta(seconds=1)
_MICROSECONDS = 1_000_000


def is_text(column: Column) -> bool:
    """Say whether a column is fed as text: categories of every storage are."""
    return column.type == "category"


def as_input(column: Column) -> pl.Expr:
    """Return a column's values as the graph takes them: Float64 with NaN, or String with `NULL`, no nulls.

    Integers above 2**53 are rounded to the nearest double. Datetimes are whole seconds since 1970-01-01 UTC,
    rounded down: a double holds those exactly, so that no late microsecond becomes the next day. Integer
    categories are decimal text, booleans `true` and `false`.
    """
    raw = pl.col(column.name)
    if is_text(column):
        return raw.cast(pl.String).fill_null(NULL)
    if column.storage == "datetime":
        raw = raw.dt.epoch("us") // _MICROSECONDS
    return raw.cast(pl.Float64).fill_null(float("nan"))


def feed(frame: pl.DataFrame, *, columns: tuple[Column, ...]) -> dict[str, np.ndarray]:
    """Turn a checked frame into the inputs of the deployed graph.

    Parameters
    ----------
    frame
        Shape (n, any); each of `columns` in the dtype that its storage names. n may be 0.
    columns
        What to feed.

    Returns
    -------
    dict
        Column name -> shape (n, 1), float64, or object holding `str`.
    """
    inputs = frame.select([as_input(column) for column in columns])
    return {series.name: series.to_numpy().reshape(-1, 1) for series in inputs.iter_columns()}


def feed_records(
    records: Sequence[Mapping[str, object]], *, columns: tuple[Column, ...]
) -> dict[str, np.ndarray]:
    """Turn checked records into the inputs of the deployed graph, without a frame: the service's way in.

    Parameters
    ----------
    records
        n rows as Python values; a missing key is a null. Datetimes are `datetime` objects, UTC where they
        name no zone.
    columns
        What to feed.

    Returns
    -------
    dict
        The same as `feed` gives of the same rows.
    """
    inputs: dict[str, np.ndarray] = {}
    for column in columns:
        values = [record.get(column.name) for record in records]
        if is_text(column):
            array = np.empty(len(values), dtype=object)
            array[:] = [_text(value) for value in values]
        else:
            numbers = [_seconds(value) for value in values] if column.storage == "datetime" else values
            array = np.array(numbers, dtype=np.float64)
        inputs[column.name] = array.reshape(-1, 1)
    return inputs


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return NULL
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(value: object) -> float:
    if not isinstance(value, datetime):
        return float("nan")
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return float((value - _EPOCH) // _SECOND)

"""Raw columns as the deployed graph takes them: doubles with NaN for null, or text with `NULL` for null.

The one place that says how a value of a column enters the model. The preparation is fitted on these same
values, batch scoring feeds them from frames, and the service feeds them from records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from zlib import crc32

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.needs import USUAL_TERMS

# Stands for a missing category: U+FDD0 is a Unicode noncharacter, kept free for a program's own use.
NULL = "\ufdd0"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - columns hold UTC without a zone
_SECOND = timedelta(seconds=1)
_MICROSECONDS = 1_000_000
_DOUBLE = np.dtype(np.float64)
# Two or more letters, digits or underscores, as scikit-learn's vectorizers cut.
_WORD = r"\w\w+"
_FEW_ROWS = 16  # up to here Python's own values are faster than an expression


def is_text(column: Column) -> bool:
    """Say whether a column is fed as text: free text is, and categories of every storage are."""
    return column.type in {"category", "text"}


def n_terms(column: Column) -> int:
    """Return how many words or buckets of a text become columns."""
    return USUAL_TERMS if column.terms is None else column.terms


def bucket_name(place: int) -> str:
    """Return the word that stands for all words of a bucket."""
    return f"#{place}"


def as_input(column: Column) -> pl.Expr:
    """Return a column's values as the graph takes them: Float64 with NaN, or String with `NULL`, no nulls.

    Integers above 2**53 are rounded to the nearest double. Datetimes are whole seconds since 1970-01-01 UTC,
    rounded down: a double holds those exactly, so that no late microsecond becomes the next day. Integer
    categories are decimal text, booleans `true` and `false`. Free text is its words in lower case, of two
    letters or more, with `NULL` before them; where it is hashed, each word's bucket.
    """
    raw = pl.col(column.name)
    if column.type == "text":
        return raw.map_batches(lambda texts: _words(texts, column), return_dtype=pl.String)
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
    if frame.height <= _FEW_ROWS:
        return {column.name: _array(column, _values(frame, column)) for column in columns}
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
    return {
        column.name: _array(column, [record.get(column.name) for record in records]) for column in columns
    }


def feed_columns(
    values: Mapping[str, Sequence[object]], *, columns: tuple[Column, ...], rows: slice
) -> dict[str, np.ndarray]:
    """Turn some rows of checked values, given by column, into the inputs of the deployed graph.

    Parameters
    ----------
    values
        Column name -> n Python values, as `feed_records` takes them.
    columns
        What to feed.
    rows
        Which of the n rows.
    """
    return {column.name: _array(column, values[column.name][rows]) for column in columns}


def _values(frame: pl.DataFrame, column: Column) -> list[object]:
    """Return a column as Python values, datetimes as microseconds: Python's own end at the year 9999."""
    series = frame.get_column(column.name)
    return (series.to_physical() if column.storage == "datetime" else series).to_list()


def _words(texts: pl.Series, column: Column) -> pl.Series:
    """Return the words of each text, joined by spaces; the same for one text as among many."""
    words = texts.cast(pl.String).fill_null("").str.to_lowercase().str.extract_all(_WORD)
    if column.encode == "hashing":
        known = words.explode().drop_nulls().unique()
        buckets = [bucket_name(crc32(word.encode()) % n_terms(column)) for word in known]
        words = words.list.eval(pl.element().replace_strict(known, buckets, return_dtype=pl.String))
    return (NULL + " " + words.list.join(" ")).rename(texts.name)


def _array(column: Column, values: Sequence[object]) -> np.ndarray:
    if column.type == "text":
        array = _words(pl.Series(column.name, values, dtype=pl.String), column).to_numpy()
    elif is_text(column):
        is_held = column.storage == "string"
        # A value that is a text already is asked for nothing: of small requests this is half the time.
        texts = [NULL if v is None else v for v in values] if is_held else [_text(v) for v in values]
        array = np.array(texts, dtype=object)
    elif column.storage == "datetime":
        array = np.array([_seconds(value) for value in values], dtype=np.float64)
    else:
        array = np.array(values, dtype=_DOUBLE)
    return array.reshape(-1, 1)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return NULL
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(value: object) -> float:
    if isinstance(value, int):
        return float(value // _MICROSECONDS)
    if not isinstance(value, datetime):
        return float("nan")
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return float((value - _EPOCH) // _SECOND)

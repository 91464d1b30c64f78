"""Blocks of well-formed delimited text become typed frames: the fast way, or else the exact one."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from engine.data.delimited import Delimited
from engine.data.schema import Column, Storage
from engine.data.storage import Held, hold
from engine.recipe.spec import DataSpec

# What polars' reader takes exactly; a datetime it would guess at, so that is read as text.
_READ: dict[Storage, pl.DataType] = {
    "float64": pl.Float64(),
    "int64": pl.Int64(),
    "boolean": pl.Boolean(),
}


def null_texts(data: DataSpec) -> tuple[str, ...]:
    """Return the texts that mean a missing value: none where the data is Parquet, which has nulls itself."""
    return () if data.format == "parquet" else ("", *data.null_values)


def typed_blocks(text: Delimited, columns: tuple[Column, ...], data: DataSpec) -> Iterator[Held]:
    """Yield the blocks of a text, held as `columns` say, in their order.

    Parameters
    ----------
    columns
        Columns that the text has; others are not parsed.
    data
        Its `null_values`, and an empty field, quoted or not, are null in every column.

    Notes
    -----
    Three ways, each tried when the one before can't read a block, and kept for the blocks after: numbers by
    polars' reader; the same, the reader knowing the null values (twice the time); everything as text, which
    finds each value that can't be held.
    """
    nulls = list(null_texts(data))
    # A null value that reads as a number or boolean must never reach the first way.
    ways = ["typed"] if not any(map(_reads_as_value, data.null_values)) else []
    ways += ["typed, nulls known", "text"]
    for block in text.blocks():
        frame = None
        while frame is None:
            frame = _parse(block.content, text.columns, columns, data.delimiter, nulls, ways[0])
            if frame is None:
                ways.pop(0)
        yield hold(_with_nulls(frame, nulls), columns, from_text=True)
        if ways == ["text"]:
            ways = ["typed, nulls known", "text"]


def _parse(
    content: bytes,
    header: tuple[str, ...],
    columns: tuple[Column, ...],
    delimiter: str,
    nulls: list[str],
    way: str,
) -> pl.DataFrame | None:
    """Return the columns, those that are not numbers or booleans as text; None if this way can't."""
    storages = {column.name: column.storage for column in columns}
    # Numbered names, because polars reads `*` and `^…$` in a name as patterns.
    dtypes: dict[str, pl.DataType] = {str(at): pl.String() for at in range(len(header))}
    if way != "text":
        dtypes.update(
            {str(at): _READ[storages[name]] for at, name in enumerate(header) if storages.get(name) in _READ}
        )
    scan = pl.scan_csv(
        content,
        has_header=False,
        schema=dtypes,
        separator=delimiter,
        null_values=nulls if way == "typed, nulls known" else None,
    )
    try:
        frame = scan.select(str(header.index(column.name)) for column in columns).collect()
    except pl.exceptions.ComputeError:
        if way == "text":
            raise
        return None
    frame.columns = [column.name for column in columns]
    return frame


def _with_nulls(frame: pl.DataFrame, nulls: list[str]) -> pl.DataFrame:
    """Turn each text that means a missing value into null."""
    columns = []
    for series in frame:
        plain = series.alias("")
        if series.dtype == pl.String:
            plain = plain.set(plain.is_in(nulls).fill_null(value=False), None)
        columns.append(plain.alias(series.name))
    return pl.DataFrame(columns)


def _reads_as_value(text: str) -> bool:
    if text.lower() in {"true", "false"}:
        return True
    return pl.Series([text]).str.strip_chars().cast(pl.Float64, strict=False).null_count() == 0

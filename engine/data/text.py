"""Blocks of well-formed delimited text become typed frames: the fast way, or else the exact one."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from engine.data.blanks import has_blank_field
from engine.data.delimited import Delimited
from engine.data.schema import Column, Storage
from engine.data.storage import Held, dtypes, hold
from engine.recipe.spec_table import DataSpec

# What polars' reader takes exactly; a datetime it would guess at, so that is read as text.
_READ: tuple[Storage, ...] = ("float64", "int64", "boolean")


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
    ways = ["typed"] if not any(_reads_as_value(value, data) for value in data.null_values) else []
    ways += ["typed, nulls known", "text"]
    for block in text.blocks():
        frame = None
        if has_blank_field(block.content, delimiter=data.delimiter):
            ways = ["text"]
        while frame is None:
            frame = _parse(block.content, text.columns, columns, data, ways[0])
            if frame is None:
                ways.pop(0)
        yield hold(_with_nulls(frame, nulls), columns, decimal=data.decimal)
        if ways == ["text"]:
            ways = ["typed, nulls known", "text"]


def _parse(
    content: bytes,
    header: tuple[str, ...],
    columns: tuple[Column, ...],
    data: DataSpec,
    way: str,
) -> pl.DataFrame | None:
    """Return the columns, those that are not numbers or booleans as text; None if this way can't."""
    storages = {column.name: column.storage for column in columns}
    places = {name: str(at) for at, name in enumerate(header)}
    # With a decimal comma polars' reader also takes a decimal point, where 1.234 may mean 1234.
    by_hand = "float64" if data.decimal == "," and b"." in content else ""
    # Numbered names, because polars reads `*` and `^…$` in a name as patterns.
    read_as: dict[str, pl.DataType] = {str(at): pl.String() for at in range(len(header))}
    if way != "text":
        read_as.update(
            {
                places[name]: dtypes()[storage]
                for name, storage in storages.items()
                if storage in _READ and storage != by_hand
            }
        )
    scan = pl.scan_csv(
        content,
        has_header=False,
        schema=read_as,
        separator=data.delimiter,
        decimal_comma=data.decimal == ",",
        null_values=list(null_texts(data)) if way == "typed, nulls known" else None,
    )
    try:
        frame = scan.select(places[column.name] for column in columns).collect()
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


def _reads_as_value(text: str, data: DataSpec) -> bool:
    if text.lower() in {"true", "false"}:
        return True
    number = text.replace(data.decimal, ".")
    return pl.Series([number]).str.strip_chars().cast(pl.Float64, strict=False).null_count() == 0

"""Parquet files: names from the footer, columns by projection, frames in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from engine.data.schema import Storage
from engine.errors import DataError


def columns(path: Path, *, shown: str) -> dict[str, pl.DataType]:
    """Return the columns and their dtypes, from the footer alone.

    Raises
    ------
    DataError
        If the file is empty, cut short or no Parquet.
    """
    if path.stat().st_size == 0:
        raise DataError.of("the file is empty (0 bytes)", file=shown)
    try:
        return dict(pl.read_parquet_schema(path))
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise _unreadable(exc, shown) from exc


def n_rows(path: Path, *, shown: str) -> int:
    """Return the number of rows, from the footer alone."""
    try:
        return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise _unreadable(exc, shown) from exc


def frame(path: Path, names: list[str], *, shown: str) -> pl.DataFrame:
    """Return some columns whole, in the order of `names`."""
    try:
        return _scan(path, names, shown).collect()
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise _unreadable(exc, shown) from exc


def frames(path: Path, names: list[str], *, n_rows: int, shown: str) -> Iterator[pl.DataFrame]:
    """Yield some columns, about `n_rows` rows at a time, in order."""
    try:
        yield from _scan(path, names, shown).collect_batches(chunk_size=n_rows, lazy=True)
    except (pl.exceptions.PolarsError, OSError) as exc:
        raise _unreadable(exc, shown) from exc


def category_storage(series: pl.Series) -> Storage:
    """Return how a category of which no value is declared is held, by its dtype in the file."""
    dtype = series.dtype
    if dtype == pl.Boolean:
        return "boolean"
    return "int64" if dtype.is_numeric() or dtype.is_decimal() else "string"


def _scan(path: Path, names: list[str], shown: str) -> pl.LazyFrame:
    # By position, because polars reads `*` and `^…$` in a name as patterns.
    places = list(columns(path, shown=shown))
    return pl.scan_parquet(path, glob=False).select(pl.nth([places.index(name) for name in names]))


def _unreadable(exc: Exception, shown: str) -> DataError:
    return DataError.of(f"not a whole Parquet file: {str(exc).splitlines()[0]}", file=shown)

"""What a file says of itself before any row is read: names, size, number of rows. For `engine plan`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.data import parquet
from engine.data.delimited import Delimited
from engine.data.schema import Schema
from engine.data.source import Format, check_columns, find, format_of, required_columns
from engine.recipe.spec import DataSpec

_SAMPLE_BYTES = 64 * 2**10


@dataclass(frozen=True, slots=True)
class Header:
    """A file's columns and size.

    Attributes
    ----------
    dtypes
        As the file declares them, in the order of `columns`; empty for CSV, which declares none.
    n_rows
        Counted where `is_exact`, else estimated from the length of the first rows.
    """

    path: str
    format: Format
    n_bytes: int
    columns: tuple[str, ...]
    dtypes: tuple[str, ...]
    n_rows: int
    is_exact: bool


def read_header(data: DataSpec, schema: Schema | None = None) -> Header:
    """Read a file's header or footer, and hold its columns against the schema where one is given.

    Raises
    ------
    DataError
        If there is no such file, its header is malformed, or columns are missing or extra.
    """
    path, shown = find(data)
    header = _parquet(path, shown) if format_of(path, data) == "parquet" else _csv(path, shown, data)
    if schema is not None:
        check_columns(header.columns, schema=schema, required=required_columns(schema), file=shown)
    return header


def columns_of(path: str | Path, data: DataSpec) -> tuple[str, ...]:
    """Return the names of a file's columns, in its order; `data` says how its text is read."""
    return read_header(data.model_copy(update={"path": str(path)})).columns


def _parquet(path: Path, shown: str) -> Header:
    dtypes = parquet.columns(path, shown=shown)
    return Header(
        path=shown,
        format="parquet",
        n_bytes=path.stat().st_size,
        columns=tuple(dtypes),
        dtypes=tuple(map(str, dtypes.values())),
        n_rows=parquet.n_rows(path, shown=shown),
        is_exact=True,
    )


def _csv(path: Path, shown: str, data: DataSpec) -> Header:
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        text = Delimited(file, delimiter=data.delimiter, shown=shown, block_bytes=_SAMPLE_BYTES)
    sample = text.sample
    n_lines = sample.count(b"\n") + (not sample.endswith(b"\n") and len(sample) > 0)
    n_rest = max(n_bytes - text.header_bytes, 0)
    return Header(
        path=shown,
        format="csv",
        n_bytes=n_bytes,
        columns=text.columns,
        dtypes=(),
        n_rows=round(n_lines * n_rest / len(sample)) if sample else 0,
        is_exact=False,
    )

"""What a file says of itself before any row is read: names, size, number of rows. For `engine plan`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.data import parquet
from engine.data.columns import NO_ROWS, check_columns, required_columns
from engine.data.delimited import Hashed, open_text
from engine.data.footer import Footer, read_footer
from engine.data.promised import check_promised
from engine.data.schema import Schema
from engine.data.source import Format, find, format_of
from engine.errors import DataError
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
        If there is no such file, its header is malformed, columns are missing or extra, or a Parquet's footer
        says that values break the contract.
    """
    path, shown = find(data)
    if format_of(path, data) == "csv":
        header = _csv(path, shown, data)
        footer = None
    else:
        footer = read_footer(path)
        header = _parquet(path, shown, footer)
    if schema is not None:
        check_columns(header.columns, schema=schema, required=required_columns(schema), file=shown)
        if not header.n_rows:
            raise DataError.of(NO_ROWS, file=shown)
    if schema is not None and footer is not None:
        check_promised(footer.columns, n_rows=footer.n_rows, schema=schema, file=shown)
    return header


def columns_of(path: str | Path, data: DataSpec) -> tuple[str, ...]:
    """Return the names of a file's columns, in its order; `data` says how its text is read."""
    return read_header(data.model_copy(update={"path": str(path)})).columns


def _parquet(path: Path, shown: str, footer: Footer | None) -> Header:
    if footer is not None:
        dtypes = {column.name: column.dtype for column in footer.columns}
        n_rows = footer.n_rows
    else:
        dtypes = {name: str(dtype) for name, dtype in parquet.columns(path, shown=shown).items()}
        n_rows = parquet.n_rows(path, shown=shown)
    return Header(
        path=shown,
        format="parquet",
        n_bytes=path.stat().st_size,
        columns=tuple(dtypes),
        dtypes=tuple(dtypes.values()),
        n_rows=n_rows,
        is_exact=True,
    )


def _csv(path: Path, shown: str, data: DataSpec) -> Header:
    n_bytes = path.stat().st_size
    with path.open("rb") as file:
        read = Hashed(file)
        text = open_text(read, data, shown=shown, block_bytes=_SAMPLE_BYTES)
    sample = text.sample
    n_lines = sample.count(b"\n") + (not sample.endswith(b"\n") and len(sample) > 0)
    # The sample is UTF-8, and the file's own bytes may be more or fewer.
    n_rest = max(n_bytes * (text.header_bytes + len(sample)) / read.n_bytes - text.header_bytes, 0)
    return Header(
        path=shown,
        format="csv",
        n_bytes=n_bytes,
        columns=text.columns,
        dtypes=(),
        n_rows=round(n_lines * n_rest / len(sample)) if sample else 0,
        is_exact=False,
    )

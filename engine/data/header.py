"""What a table says of itself before any row is read: names, size, number of rows. For `engine plan`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from engine.data.columns import NO_ROWS, check_columns, required_columns
from engine.data.opened import Header
from engine.data.schema import Schema
from engine.data.sources import open_table
from engine.data.sources.limits import check_size
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

__all__ = ["Header", "columns_of", "read_header"]


@runtime_checkable
class _Promising(Protocol):
    """A table that says something of its values before they are read."""

    def check_promised(self, schema: Schema) -> None: ...


def read_header(data: DataSpec, schema: Schema | None = None) -> Header:
    """Read a table's header or footer, and hold its columns against the schema where one is given.

    Raises
    ------
    DataError
        If there is no such table, its header is malformed, columns are missing or extra, or a Parquet's
        footer says that values break the contract.
    """
    opened = open_table(data)
    header = opened.header()
    if schema is not None:
        check_columns(header.columns, schema=schema, required=required_columns(schema), file=opened.shown)
        check_size(header, data)
        if not header.n_rows:
            raise DataError.of(NO_ROWS, file=opened.shown)
        if isinstance(opened, _Promising):
            opened.check_promised(schema)
    if data.sample is None:
        return header
    n_rows = round(header.n_rows * data.sample) if data.sample < 1 else min(header.n_rows, int(data.sample))
    return replace(header, n_rows=max(n_rows, 1), is_exact=header.is_exact and data.sample >= 1)


def columns_of(path: str | Path, data: DataSpec) -> tuple[str, ...]:
    """Return the names of a table's columns, in its order; `data` says how its text is read."""
    return read_header(data.elsewhere(path)).columns

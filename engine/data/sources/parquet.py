"""A Parquet file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from engine.data.footer import Footer, read_footer
from engine.data.opened import Header
from engine.data.sources.files import File
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.data.schema import Schema


@dataclass
class ParquetFile(File):
    """A Parquet file: names, types and counts from its footer, columns by projection."""

    format: ClassVar[str] = "parquet"
    what: ClassVar[str] = "Parquet"

    def scan(self) -> pl.LazyFrame:
        """Return the rows, unread."""
        return pl.scan_parquet(self.path, glob=False, hive_partitioning=False)

    def arrow_schema(self) -> pa.Schema | None:
        """Return the schema as Arrow's own library reads it, None where the footer names no zone."""
        footer = self._footer
        if footer is not None and not any("UTC" in column.dtype for column in footer.columns):
            return None
        from pyarrow import parquet

        return parquet.read_schema(self.path)

    @cached_property
    def _footer(self) -> Footer | None:
        return read_footer(self.path)

    def header(self) -> Header:
        """Return what the footer says, read without polars where it is of the usual types."""
        footer = self._footer
        if footer is None:
            return super().header()
        return Header(
            path=self.shown,
            format=self.format,
            n_bytes=self.path.stat().st_size,
            columns=tuple(column.name for column in footer.columns),
            dtypes=tuple(column.dtype for column in footer.columns),
            n_rows=footer.n_rows,
            is_exact=True,
        )

    def check_promised(self, schema: Schema) -> None:
        """Hold what the footer says of the values against the contract.

        Raises
        ------
        DataError
            With one message for each rule that some row is certain to break.
        """
        from engine.data.promised import check_promised

        footer = self._footer
        if footer is not None:
            check_promised(footer.columns, n_rows=footer.n_rows, schema=schema, file=self.shown)


def open_parquet(data: DataSpec, shown: str) -> ParquetFile:
    """Open a Parquet file."""
    return ParquetFile(data, shown)

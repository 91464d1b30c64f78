"""A file in the Arrow IPC format, also called Feather version 2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from engine.data.sources.files import File
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass
class ArrowFile(File):
    """An Arrow IPC file (https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format)."""

    format: ClassVar[str] = "arrow"
    what: ClassVar[str] = "Arrow IPC"

    def scan(self) -> pl.LazyFrame:
        """Return the rows, unread."""
        return pl.scan_ipc(self.path)

    def arrow_schema(self) -> pa.Schema:
        """Return the schema as Arrow's own library reads it."""
        import pyarrow as pa

        with pa.OSFile(str(self.path)) as file:
            return pa.ipc.open_file(file).schema


def open_arrow(data: DataSpec, shown: str) -> ArrowFile:
    """Open an Arrow IPC file."""
    return ArrowFile(data, shown)

"""One file of typed columns that polars scans: Parquet, Arrow IPC, NDJSON."""

from __future__ import annotations

import hashlib
import os
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

import polars as pl

from engine.data.datetimes import refuse_zones
from engine.data.opened import Header
from engine.data.sources.typed import Rows, Typed, refusing, scanned
from engine.data.table import Source
from engine.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

    from engine.data.lazily import Lazily
    from engine.data.schema import Column


Found = TypeVar("Found")


@dataclass
class File(Typed):
    """One file of typed columns.

    Attributes
    ----------
    what
        What errors call the format.
    """

    what: ClassVar[str]

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.data.path)

    @abstractmethod
    def scan(self) -> pl.LazyFrame:
        """Return the rows, unread."""

    def dtypes(self) -> Mapping[str, pl.DataType]:
        """Return the columns and their dtypes.

        Raises
        ------
        DataError
            If the file is empty, cut short or of another format.
        """
        return self._dtypes

    @cached_property
    def _dtypes(self) -> Mapping[str, pl.DataType]:
        if self.path.stat().st_size == 0:
            raise DataError.of("the file is empty (0 bytes)", file=self.shown)
        self._check_zones()
        with refusing(self.what, shown=self.shown):
            return dict(self.scan().collect_schema())

    def arrow_schema(self) -> pa.Schema | None:
        """Return the schema as Arrow's own library reads it, None where it has no time zones."""
        return None

    def _check_zones(self) -> None:
        try:
            schema = self.arrow_schema()
        except (OSError, ValueError, NotImplementedError):
            # What the file is not, polars says.
            return
        if schema is not None:
            refuse_zones(schema, file=self.shown)

    def header(self) -> Header:
        """Return the columns, and the number of rows that the file says it has."""
        self.dtypes()
        with refusing(self.what, shown=self.shown):
            n_rows = int(self.scan().select(pl.len()).collect().item())
        return self.header_of(n_bytes=self.path.stat().st_size, n_rows=n_rows)

    def lazily(self, columns: tuple[Column, ...], *, hashed: bool = True) -> Lazily | None:
        """Return the file as one query where its types are held as they are."""
        from engine.data.lazily import lazily

        places = list(self.dtypes())
        raw = [pl.nth(places.index(column.name)).alias(f"r{at}") for at, column in enumerate(columns)]
        before = self.path.stat()
        sha256 = self._sha256() if hashed else ""
        return lazily(
            columns,
            self.scan().select(raw),
            styles={},
            is_certain=lambda *_: self._is_as_before(before, sha256),
            is_columnar=True,
        )

    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some columns in order.

        Raises
        ------
        DataError
            If the file is broken, or changes while it is read.
        """
        chosen = self._places(names)
        yield from self.watched(scanned(self.scan(), chosen, n_rows=n_rows, shown=self.shown, what=self.what))

    def rows_from(self, first_row: int, names: Sequence[str], *, n_rows: int) -> pl.DataFrame:
        """Return some columns of the rows from a place on, `n_rows` of them at most.

        Raises
        ------
        DataError
            If the file is broken.
        """
        with refusing(self.what, shown=self.shown):
            return self.scan().select(pl.nth(self._places(names))).slice(first_row, n_rows).collect()

    def watched(self, found: Iterable[Found]) -> Iterator[Found]:
        """Yield what is found in the file while it is read; it is hashed before.

        Raises
        ------
        DataError
            If the file changed meanwhile.
        """
        before, sha256 = self.path.stat(), self._sha256()
        yield from found
        if not self._is_as_before(before, sha256):
            raise DataError.of("the file changed while it was read", file=self.shown)

    def _places(self, names: Sequence[str]) -> list[int]:
        places = list(self.dtypes())
        return [places.index(name) for name in names]

    def _sha256(self) -> str:
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _is_as_before(self, before: os.stat_result, sha256: str) -> bool:
        """Tell whether the file was left alone while it was read, and remember it."""
        after = self.path.stat()
        self._read = Source(self.data.path, self.format, after.st_size, sha256)
        return (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)

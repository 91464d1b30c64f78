"""What all tables of typed columns share: the rest of a format is how its names, types and rows are had."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import polars as pl

from engine.data.opened import Header, Part, Remembering
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    from engine.data.lazily import Lazily
    from engine.data.schema import Column, Storage

_MAX_SAID = 200


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows as they stand; the file they are of, and how many of its rows precede them."""

    frame: pl.DataFrame
    file: str
    first_row: int


@dataclass
class Typed(Remembering, ABC):
    """A table of typed columns."""

    data: DataSpec
    shown: str
    format: ClassVar[str]

    @abstractmethod
    def dtypes(self) -> Mapping[str, pl.DataType]:
        """Return the columns and their dtypes, without reading rows."""

    @abstractmethod
    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some columns in order, about `n_rows` rows at a time."""

    @abstractmethod
    def header(self) -> Header:
        """Return what is known without reading rows."""

    def category_storage(self, name: str) -> Storage:
        """Return how a category of which no value is declared is held: by its dtype."""
        dtype = self.dtypes()[name]
        if dtype == pl.Boolean:
            return "boolean"
        return "int64" if dtype.is_numeric() or dtype.is_decimal() else "string"

    def lazily(self, columns: tuple[Column, ...], *, hashed: bool = True) -> Lazily | None:
        """Return None: a format that polars scans says otherwise."""
        del columns, hashed
        return None

    def parts(self, columns: tuple[Column, ...], *, n_rows: int) -> Iterator[Part]:
        """Yield the rows held as `columns` say."""
        from engine.data.storage import hold

        for rows in self.rows([column.name for column in columns], n_rows=n_rows):
            yield Part(hold(rows.frame, columns, decimal=None), rows.file, rows.first_row)

    def header_of(self, *, n_bytes: int, n_rows: int, is_exact: bool = True) -> Header:
        """Return a header with the table's own columns."""
        dtypes = self.dtypes()
        return Header(
            path=self.shown,
            format=self.format,
            n_bytes=n_bytes,
            columns=tuple(dtypes),
            dtypes=tuple(map(str, dtypes.values())),
            n_rows=n_rows,
            is_exact=is_exact,
        )


@contextmanager
def refusing(what: str, *, shown: str) -> Iterator[None]:
    """Turn what polars says of a broken file into an error that says what the file is not.

    Raises
    ------
    DataError
        If polars can't read it.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as exc:
        why = next(iter(str(exc).splitlines()), type(exc).__name__)[:_MAX_SAID]
        raise DataError.of(f"not a whole {what} file: {why}", file=shown) from exc


def scanned(
    scan: pl.LazyFrame, places: Sequence[int], *, n_rows: int, shown: str, what: str
) -> Iterator[Rows]:
    """Yield some columns of what polars scans, by their places, about `n_rows` rows at a time.

    By place, because polars reads `*` and `^…$` in a name as patterns.

    Raises
    ------
    DataError
        If polars can't read it.
    """
    first_row = 0
    with refusing(what, shown=shown):
        for frame in scan.select(pl.nth(places)).collect_batches(chunk_size=n_rows, lazy=True):
            yield Rows(frame, shown, first_row)
            first_row += frame.height

"""A table or view of a database: SQLite's file, or PostgreSQL by its URL; never a query of the recipe's own.

Rows come in an order that the table itself gives, so that the same table gives the same run every time.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from engine.data.opened import Header
from engine.data.sources.hashed import Values
from engine.data.sources.typed import Rows, Typed
from engine.data.table import Source
from engine.errors import DataError, nearest
from engine.recipe.spec_table import DataSpec
from engine.recipe.urls import scheme_of

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or view as the database describes it.

    Attributes
    ----------
    dtypes
        How each column comes here; `pl.Unknown` where its type is no value of a table.
    types
        How the database calls the type of each.
    n_rows
        Counted where `is_exact`, else as the database estimates.
    """

    dtypes: Mapping[str, pl.DataType]
    types: Mapping[str, str]
    n_rows: int
    is_exact: bool


@dataclass
class Database(Typed):
    """One table or view of a database, read in one transaction that writes nothing."""

    format: ClassVar[str] = "sql"

    @abstractmethod
    def describe(self) -> Relation:
        """Return what the database says of the table."""

    @abstractmethod
    def frames(self, names: Sequence[str], *, n_rows: int) -> AbstractContextManager[Iterable[pl.DataFrame]]:
        """Give some columns in the table's own order, about `n_rows` rows at a time, in one snapshot."""

    @abstractmethod
    def n_bytes(self) -> int:
        """Return the size of the file, 0 where a server answers."""

    @cached_property
    def relation(self) -> Relation:
        """What the database says of the table, asked once."""
        return self.describe()

    def dtypes(self) -> Mapping[str, pl.DataType]:
        """Return the columns and how they come here."""
        return self.relation.dtypes

    def header(self) -> Header:
        """Return the columns, and the number of rows, which a server may only estimate."""
        found = self.relation
        return Header(
            path=self.shown,
            format=self.format,
            n_bytes=self.n_bytes(),
            columns=tuple(found.dtypes),
            dtypes=tuple(found.types.values()),
            n_rows=found.n_rows,
            is_exact=found.is_exact,
        )

    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some columns in order; no other is asked for.

        Raises
        ------
        DataError
            If a column is of a type that is no value of a table, or a value is not of its column's type.
        """
        import polars as pl

        relation = self.relation
        for name in names:
            if relation.dtypes[name] == pl.Unknown:
                what = f"the column holds {relation.types[name]}, which is no value of a table"
                raise DataError.of(what, key=name, file=self.shown)
        hashed = Values()
        first_row = 0
        with self.frames(names, n_rows=n_rows) as frames:
            for frame in frames:
                hashed.update(frame)
                yield Rows(frame, self.shown, first_row)
                first_row += frame.height
        self._read = Source(self.data.path, self.format, self.n_bytes(), hashed.hexdigest())


def open_sql(data: DataSpec, shown: str) -> Database:
    """Open a table or view of a database."""
    if scheme_of(data.path):
        from engine.data.sources.sql_postgres import Postgres

        return Postgres(data, shown)
    from engine.data.sources.sql_sqlite import Sqlite

    return Sqlite(data, shown)


def chosen(name: str | None, tables: Sequence[str], *, shown: str) -> str:
    """Return the table that is named, or the only one there is.

    Raises
    ------
    DataError
        If there is no such table, or several and none is named.
    """
    if name is None and len(tables) == 1:
        return tables[0]
    if name is None or name not in tables:
        several = f"{len(tables)} tables and views: name one" if tables else "no table"
        what = f"'{shown}' has no table or view '{name}'" if name else f"'{shown}' has {several}"
        near = "" if name is None else nearest(name, tables)
        if not tables:
            raise DataError.of(what, file=shown)
        raise DataError.of(what, key="data.table", suggestion=near, allowed=tuple(tables))
    return name


def quoted(name: str) -> str:
    """Return an identifier as SQL quotes it.

    Examples
    --------
    >>> quoted("some words"), len(quoted('"'))
    ('"some words"', 4)
    """
    doubled = name.replace('"', '""')
    return f'"{doubled}"'

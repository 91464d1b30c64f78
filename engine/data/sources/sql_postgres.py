"""A table or view of a PostgreSQL server, over ADBC: columns come as Arrow, for a third of what rows cost.

What Arrow can't hold as PostgreSQL does (numeric, blank-padded texts, infinite moments) is cast by the server
or refused here; the server's own words are shown without what the URL says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from engine.data.sources.sql import Database, Relation, chosen, quoted
from engine.errors import DataError
from engine.redaction import redact

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection, Cursor

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_TABLES = """
SELECT c.oid::int8, n.nspname::text, c.relname::text, pg_table_is_visible(c.oid), c.relkind::text,
    c.reltuples::float8
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname NOT LIKE 'pg\\_toast%' AND NOT pg_is_other_temp_schema(n.oid)
ORDER BY NOT pg_table_is_visible(c.oid), n.nspname COLLATE "C", c.relname COLLATE "C"
"""
# A domain is as the type that it is over, with its own scale.
_COLUMNS = """
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
    coalesce(b.typname, t.typname)::text, coalesce(b.typtype, t.typtype)::text,
    (CASE WHEN b.oid IS NULL THEN a.atttypmod ELSE t.typtypmod END)::int8
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
WHERE a.attrelid = {oid} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEY = """
SELECT a.attname::text
FROM pg_catalog.pg_index i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
WHERE i.indrelid = {oid} AND i.indisprimary ORDER BY k.place
"""
_AS_IT_IS: Mapping[str, pl.DataType] = {
    "bool": pl.Boolean(),
    "int2": pl.Int16(),
    "int4": pl.Int32(),
    "int8": pl.Int64(),
    "float4": pl.Float32(),
    "float8": pl.Float64(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
}
_AS_TEXT = frozenset({"text", "varchar", "bpchar", "name", "uuid", "citext"})
_SMALL_NUMERIC = 18
# PostgreSQL's first day is 4714-11-24 BC. What comes as an earlier one is infinite, or too late for 64 bits:
# ADBC moves the epoch from 2000 to 1970 without a look at either.
_FIRST_DAY = -2_440_588
_FIRST_US = _FIRST_DAY * 86_400_000_000
_EXTRA = "pip install 'declarative-engine[sql]'"
_N_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _Column:
    """How a column is asked for, and how it comes."""

    name: str
    type: str
    dtype: pl.DataType
    cast: str

    @property
    def asked(self) -> str:
        return f"{quoted(self.name)}{self.cast} AS {quoted(self.name)}"

    @property
    def ordered(self) -> str:
        """How rows are sorted by it, the same on every server: texts by their bytes."""
        return f'{quoted(self.name)}::text COLLATE "C"' if self.cast == "::text" else quoted(self.name)


class Postgres(Database):
    """A table or view of a PostgreSQL server."""

    def n_bytes(self) -> int:
        """Return 0: no file is read."""
        return 0

    def describe(self) -> Relation:
        """Return the columns from the server's catalogue."""
        with self._connected() as cursor:
            oid, table, estimate = self._table(cursor)
            columns = self._columns(cursor, oid)
            is_exact = estimate <= 0
            (n_rows,) = _one(cursor, f"SELECT count(*) FROM {table}") if is_exact else (estimate,)  # noqa: S608
        return Relation(
            {column.name: column.dtype for column in columns},
            {column.name: column.type for column in columns},
            round(n_rows),
            is_exact,
        )

    @contextmanager
    def frames(self, names: Sequence[str], *, n_rows: int) -> Iterator[Iterator[pl.DataFrame]]:
        """Give some columns by the primary key, or else in the order of all these columns."""
        with self._connected() as cursor:
            oid, table, _ = self._table(cursor)
            columns = {column.name: column for column in self._columns(cursor, oid)}
            key = [columns[name] for (name,) in _all(cursor, _KEY.format(oid=oid))]
            read = [columns[name] for name in names]
            listed = ", ".join(column.asked for column in read)
            # Rows that are alike in all that is read may change places, and nothing changes.
            order = ", ".join(column.ordered for column in key or read)
            by = f" ORDER BY {order}" if order else ""
            cursor.execute(f"SELECT {listed} FROM {table}{by}")  # noqa: S608 (quoted)
            yield self._frames(cursor, read, n_rows=n_rows)

    def _frames(self, cursor: Cursor, columns: Sequence[_Column], *, n_rows: int) -> Iterator[pl.DataFrame]:
        waiting: list[pl.DataFrame] = []
        first_row = 0
        for batch in cursor.fetch_record_batch():
            frame = pl.DataFrame(pl.from_arrow(batch))
            self._refuse_infinite(frame, first_row)
            first_row += frame.height
            waiting.append(frame)
            if sum(frame.height for frame in waiting) >= n_rows:
                yield pl.concat(waiting)
                waiting = []
        if waiting:
            yield pl.concat(waiting)

    def _refuse_infinite(self, frame: pl.DataFrame, first_row: int) -> None:
        for series in frame:
            if series.dtype not in (pl.Date, pl.Datetime):
                continue
            wrong = series.to_physical() < (_FIRST_DAY if series.dtype == pl.Date else _FIRST_US)
            if wrong.any():
                row = first_row + int(wrong.arg_true()[0]) + 1
                what = f"the moment in row {row} is infinite, or later than can be held"
                raise DataError.of(what, key=series.name, file=self.shown)

    def _table(self, cursor: Cursor) -> tuple[int, str, float]:
        """Return the table's number, how SQL names it, and how many rows it is thought to have."""
        found: dict[str, tuple[int, str, float]] = {}
        for oid, schema, name, is_visible, kind, n_rows in _all(cursor, _TABLES):
            estimate = n_rows if kind in {"r", "m"} else 0.0
            entry = (oid, f"{quoted(schema)}.{quoted(name)}", estimate)
            found.setdefault(f"{schema}.{name}", entry)
            if is_visible:
                found.setdefault(name, entry)
        wanted = self.data.table
        if wanted is not None and wanted in found:
            return found[wanted]
        unique = {entry[0]: name for name, entry in reversed(found.items())}
        return found[chosen(wanted, sorted(unique.values()), shown=self.shown)]

    def _columns(self, cursor: Cursor, oid: int) -> list[_Column]:
        return [
            _column(name, shown, word, kind, modifier)
            for name, shown, word, kind, modifier in _all(cursor, _COLUMNS.format(oid=oid))
        ]

    @contextmanager
    def _connected(self) -> Iterator[Cursor]:
        """Give a cursor in one transaction that sees one state of the database and writes nothing."""
        try:
            from adbc_driver_manager import Error
            from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]
        except ImportError as exc:
            what = "PostgreSQL is read by a library that is not installed: adbc-driver-postgresql"
            raise DataError.of(what, file=self.shown, try_=_EXTRA) from exc
        try:
            with closing(_connect(dbapi.connect, self.data.path)) as db, closing(db.cursor()) as cursor:
                cursor.execute(_SNAPSHOT)
                yield cursor
        except Error as exc:
            said = " ".join(redact(str(exc)).split())[:_N_SHOWN]
            raise DataError.of(f"PostgreSQL says: {said}", file=self.shown) from None


def _connect(connect: object, path: str) -> Connection:
    made: Connection = connect(path)  # type: ignore[operator]
    return made


def _column(name: str, shown: str, word: str, kind: str, modifier: int) -> _Column:
    """Tell how a column comes, from its type's name, its kind (enum, array, …) and its modifier."""
    if word in _AS_IT_IS:
        return _Column(name, shown, _AS_IT_IS[word], f"::{word}")
    if word in _AS_TEXT or kind == "e":
        return _Column(name, shown, pl.String(), "::text")
    if word == "numeric":
        # As make_numeric_typmod of PostgreSQL's numeric.c packs them.
        precision, scale = ((modifier - 4) >> 16) & 0xFFFF, (modifier - 4) & 0x7FF
        is_whole = modifier >= 0 and scale == 0 and precision <= _SMALL_NUMERIC
        dtype: pl.DataType = pl.Int64() if is_whole else pl.Float64()
        return _Column(name, shown, dtype, "::int8" if is_whole else "::float8")
    return _Column(name, shown, pl.Unknown(), "")


def _all(cursor: Cursor, query: str) -> list[tuple]:
    cursor.execute(query)
    rows: list[tuple] = cursor.fetchall()
    return rows


def _one(cursor: Cursor, query: str) -> tuple:
    return _all(cursor, query)[0]

"""A table or view of an SQLite file, opened for reading alone.

SQLite lets any value stand in any column; here a value that is not of its column's type is refused.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import polars as pl

from engine.data.sources.sql import Database, Relation, chosen, quoted
from engine.errors import DataError

_TABLES = (
    "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' "
    "ORDER BY name"
)
_COLUMNS = "SELECT name, type, pk FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid"
_KIND = "SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'"
# What a declared type says, in the order of SQLite's own rules (https://www.sqlite.org/datatype3.html, 3.1),
# before them the words that people write for what SQLite has no type for.
_DECLARED: Sequence[tuple[str, pl.DataType]] = (
    ("BOOL", pl.Boolean()),
    ("DATE|TIME", pl.String()),
    ("INT", pl.Int64()),
    ("CHAR|CLOB|TEXT|UUID", pl.String()),
    ("REAL|FLOA|DOUB|NUMERIC|DECIMAL", pl.Float64()),
)
_WORDS: Mapping[type, str] = {int: "an integer", float: "a number", str: "a text", bytes: "a blob"}
_TAKEN: Mapping[pl.DataType, frozenset[type]] = {
    pl.Boolean(): frozenset({int}),
    pl.String(): frozenset({str}),
    pl.Int64(): frozenset({int}),
    pl.Float64(): frozenset({int, float}),
    pl.Null(): frozenset(),
}
# The largest magnitude at which a double still tells neighbouring integers apart.
_EXACT = 2**53
_ROWIDS = ("rowid", "_rowid_", "oid")
# Some milliseconds of SQLite's own work.
_STEPS = 1_000_000


@dataclass
class Sqlite(Database):
    """A table or view of an SQLite file."""

    def n_bytes(self) -> int:
        """Return the size of the file."""
        return Path(self.data.path).stat().st_size

    def describe(self) -> Relation:
        """Return the columns as they are declared; what is not declared is as all its values are."""
        with self._connected() as db:
            table = self._table(db)
            types = self._types(db, table)
            unsaid = [name for name, said in types.items() if _dtype(said) is None]
            seen = self._seen(db, table, unsaid) if unsaid else {}
            (n_rows,) = db.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()  # noqa: S608 (quoted)
        dtypes = {name: _dtype(said) or seen[name] for name, said in types.items()}
        words = {name: types[name] or str(dtypes[name]) for name in types}
        return Relation(dtypes, words, n_rows, is_exact=True)

    @contextmanager
    def frames(self, names: Sequence[str], *, n_rows: int) -> Iterator[Iterator[pl.DataFrame]]:
        """Give some columns in the order of the table's rows; a view's in the order of all these columns."""
        with self._connected() as db:
            table = self._table(db)
            listed = ", ".join(map(quoted, names)) or "1"
            order = self._order(db, table, names)
            query = f"SELECT {listed} FROM {quoted(table)}{order}"  # noqa: S608 (quoted)
            yield self._frames(db.execute(query), names, n_rows=n_rows)

    def _frames(self, cursor: sqlite3.Cursor, names: Sequence[str], *, n_rows: int) -> Iterator[pl.DataFrame]:
        first_row = 0
        while rows := cursor.fetchmany(n_rows):
            columns = zip(names, zip(*rows, strict=True), strict=False)
            yield pl.DataFrame([self._series(name, values, first_row) for name, values in columns])
            first_row += len(rows)

    def _series(self, name: str, values: tuple[object, ...], first_row: int) -> pl.Series:
        dtype = self.relation.dtypes[name]
        taken = _TAKEN[dtype]
        for kind in set(map(type, values)) - {type(None)} - taken:
            at = next(at for at, value in enumerate(values) if type(value) is kind)
            self._refuse(name, _WORDS[kind], first_row + at)
        if dtype == pl.Boolean:
            for at, value in enumerate(values):
                if value not in (0, 1, None):
                    self._refuse(name, "another number than 0 and 1", first_row + at)
            values = tuple(None if value is None else bool(value) for value in values)
        if dtype == pl.Float64:
            for at, value in enumerate(values):
                if type(value) is int and abs(value) > _EXACT:
                    self._refuse(name, "an integer that no double holds", first_row + at)
        return pl.Series(name, values, dtype=dtype, strict=dtype != pl.Float64)

    def _refuse(self, name: str, word: str, row: int) -> None:
        said = self.relation.types[name]
        what = f"the column is declared {said}, and holds {word} in row {row + 1}"
        raise DataError.of(what, key=name, file=self.shown)

    def _table(self, db: sqlite3.Connection) -> str:
        tables = [name for (name,) in db.execute(_TABLES)]
        name = (self.data.table or "").removeprefix("main.") or None
        return chosen(self.data.table if self.data.table in tables else name, tables, shown=self.shown)

    def _types(self, db: sqlite3.Connection, table: str) -> dict[str, str]:
        return {name: said for name, said, _ in db.execute(_COLUMNS, (table,))}

    def _seen(self, db: sqlite3.Connection, table: str, names: Sequence[str]) -> dict[str, pl.DataType]:
        """Return a dtype for each column that declares none, from the kinds of all its values."""
        kinds = ("integer", "real", "text", "blob")
        asked = ", ".join(
            f"coalesce(max(typeof({quoted(name)}) = '{kind}'), 0)" for name in names for kind in kinds
        )
        found = db.execute(f"SELECT {asked} FROM {quoted(table)}").fetchone()  # noqa: S608 (quoted)
        seen: dict[str, pl.DataType] = {}
        for at, name in enumerate(names):
            integer, real, text, blob = found[4 * at : 4 * at + 4]
            if blob:
                seen[name] = pl.Unknown()
            elif text:
                seen[name] = pl.String()
            else:
                seen[name] = pl.Float64() if real else pl.Int64() if integer else pl.Null()
        return seen

    def _order(self, db: sqlite3.Connection, table: str, names: Sequence[str]) -> str:
        kind, without_rowid = db.execute(_KIND, (table,)).fetchone()
        columns = list(db.execute(_COLUMNS, (table,)))
        taken = {name.lower() for name, _, _ in columns}
        rowid = next((name for name in _ROWIDS if name not in taken), None)
        if kind == "table" and not without_rowid and rowid is not None:
            return f" ORDER BY {rowid}"
        keys = [name for name, _, pk in sorted(columns, key=lambda column: column[2]) if pk]
        by = keys if keys and kind == "table" and without_rowid else names
        # Rows that are alike in all that is read may change places, and nothing changes.
        return " ORDER BY " + ", ".join(f"{quoted(name)} COLLATE BINARY" for name in by) if by else ""

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """Give a connection in a transaction that only reads; the file is another's, and is not trusted."""
        place = f"file:{quote(str(Path(self.data.path).absolute()))}?mode=ro"
        try:
            with closing(sqlite3.connect(place, uri=True, isolation_level=None)) as db:
                for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):
                    db.execute(f"PRAGMA {pragma}")
                # Only between lines of Python a signal to end is heard, and a view may have no end.
                db.set_progress_handler(lambda: 0, _STEPS)
                db.execute("BEGIN")
                yield db
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as exc:
            # What Python itself makes of a value has no code.
            if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from exc
            raise DataError.of(f"SQLite can't read it: {exc}", file=self.shown) from exc


def _dtype(declared: str) -> pl.DataType | None:
    """Return how values of a declared type come here; None where nothing is declared."""
    word = declared.upper()
    if not word:
        return None
    if "BLOB" in word:
        return pl.Unknown()
    return next((dtype for pattern, dtype in _DECLARED if re.search(pattern, word)), None)

"""Tables of databases: exact types, one order, and no query of a recipe's own."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from engine.data.header import read_header
from engine.data.schema import Schema
from engine.data.source import batches, read
from engine.data.sources import open_table
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]


def database(path: Path, *statements: str) -> Path:
    """Make an SQLite file by some statements."""
    with closing(sqlite3.connect(path)) as db, db:
        for statement in statements:
            db.execute(statement)
    return path


def refusal(data: DataSpec, schema: Schema) -> str:
    """Return the whole message with which a table is refused."""
    with pytest.raises(DataError) as caught:
        read(data, schema)
    return str(caught.value)


def test_sqlite_gives_its_types(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Integers, reals, booleans, texts, moments and nulls come as they are declared, in the order of rows."""
    path = database(
        tmp_path / "t.db",
        "CREATE TABLE t (i INTEGER, r REAL, b BOOLEAN, s TEXT, w DATETIME, n NUMERIC, y VARCHAR(3))",
        "INSERT INTO t VALUES (9007199254740993, 0.1, 1, '001', '2020-01-02 03:04:05', 2, 'b')",
        "INSERT INTO t VALUES (NULL, NULL, NULL, NULL, NULL, NULL, 'a')",
    )  # fmt: skip
    schema = schema_of(i="integer", r="number", b="boolean", s="text", w="datetime", n="number", y="category")
    table = read(data_of(path), schema)
    assert table.frame.rows() == [
        (9007199254740993, 0.1, True, "001", datetime(2020, 1, 2, 3, 4, 5), 2.0, "b"),  # noqa: DTZ001
        (None, None, None, None, None, None, "a"),
    ]
    assert (table.source.format, table.source.n_bytes) == ("sql", path.stat().st_size)


@pytest.mark.parametrize(
    ("declared", "value", "what"),
    [
        ("INTEGER", "'twelve'", "the column is declared INTEGER, and holds a text in row 2"),
        ("INTEGER", "1.5", "the column is declared INTEGER, and holds a number in row 2"),
        ("TEXT", "x'00'", "the column is declared TEXT, and holds a blob in row 2"),
        ("REAL", "'?'", "the column is declared REAL, and holds a text in row 2"),
        ("BOOLEAN", "2", "the column is declared BOOLEAN, and holds another number than 0 and 1 in row 2"),
        ("DECIMAL(20,0)", "9007199254740993", "the column is declared DECIMAL(20,0), and holds an integer that no double holds in row 2"),
        ("TIMESTAMP", "1577836800", "the column is declared TIMESTAMP, and holds an integer in row 2"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused_with_its_row(
    declared: str, value: str, what: str, tmp_path: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """SQLite lets anything stand anywhere, and nothing of it is coerced."""
    path = database(
        tmp_path / "t.sqlite",
        f"CREATE TABLE t (v {declared}, y TEXT)",
        f"INSERT INTO t VALUES (NULL, 'a'), ({value}, 'b')",  # noqa: S608
    )
    assert refusal(data_of(path), schema_of(v="number", y="category")) == f"{path}: v\n  {what}"


def test_a_column_that_declares_nothing_is_as_all_its_values_are(
    tmp_path: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """A view's expression has no declared type: whole where all are, a number where one is."""
    path = database(
        tmp_path / "t.db",
        "CREATE TABLE t (i INTEGER, y TEXT)",
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')",
        "CREATE VIEW v AS SELECT i * 2 AS whole, i / 2.0 AS half, y || '!' AS y FROM t",
    )
    data = data_of(path, table="v")
    assert read_header(data).dtypes == ("Int64", "Float64", "String")
    rows = read(data, schema_of(whole="integer", half="number", y="category")).frame.rows()
    assert sorted(rows) == [(2, 0.5, "a!"), (4, 1.0, "b!")]


def test_a_signal_ends_a_view_that_has_no_end(tmp_path: Path, data_of: DataOf) -> None:
    """Ctrl-C is heard while SQLite is at work, and is no fault of the file."""
    path = database(
        tmp_path / "t.db",
        "CREATE VIEW v AS WITH RECURSIVE c(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM c) SELECT a FROM c",
    )
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            read_header(data_of(path))
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_table_is_named_and_never_a_query(tmp_path: Path, data_of: DataOf) -> None:
    """What is no table's name is refused, whatever else it may say; two tables need a name."""
    path = database(
        tmp_path / "t.db", "CREATE TABLE loans (a INTEGER, y TEXT)", 'CREATE TABLE "x; DROP" (a, y)'
    )
    with pytest.raises(DataError) as several:
        open_table(data_of(path)).header()
    assert str(several.value) == (
        f"data.table\n  '{path}' has 2 tables and views: name one\n  allowed: loans, x; DROP"
    )
    with pytest.raises(DataError) as query:
        open_table(data_of(path, table="(SELECT 1)")).header()
    assert str(query.value) == (
        f"data.table\n  '{path}' has no table or view '(SELECT 1)'\n  allowed: loans, x; DROP"
    )
    assert open_table(data_of(path, table="x; DROP")).header().columns == ("a", "y")
    assert open_table(data_of(path, table="main.loans")).header().columns == ("a", "y")


def test_a_table_without_rowid_comes_by_its_key(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Rows come in an order that the table itself gives."""
    path = database(
        tmp_path / "t.db",
        "CREATE TABLE t (k TEXT PRIMARY KEY, y TEXT) WITHOUT ROWID",
        "INSERT INTO t VALUES ('b', 'p'), ('a', 'q')",
    )
    assert read(data_of(path), schema_of(y="category")).frame["y"].to_list() == ["q", "p"]


def test_sqlite_is_only_read(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A run changes no byte of the file and leaves none beside it."""
    path = database(tmp_path / "t.db", "CREATE TABLE t (a INTEGER, y TEXT)", "INSERT INTO t VALUES (1, 'a')")
    before = path.read_bytes()
    read(data_of(path), schema_of(a="integer", y="category"))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["t.db"]


def test_what_is_no_database_is_refused(tmp_path: Path, data_of: DataOf) -> None:
    """A suffix makes no database."""
    path = tmp_path / "t.db"
    path.write_bytes(b"a,y\n1,2\n" * 200)
    with pytest.raises(DataError) as caught:
        open_table(data_of(path)).header()
    assert str(caught.value) == f"{path}\n  SQLite can't read it: file is not a database"


def test_sqlite_is_known_by_its_first_bytes(tmp_path: Path, data_of: DataOf) -> None:
    """Whatever its name."""
    path = database(tmp_path / "loans", "CREATE TABLE t (a INTEGER, y TEXT)")
    assert open_table(data_of(path)).format == "sql"


TYPES = """CREATE TABLE types (
    i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, whole numeric(12, 0), part numeric(10, 2),
    free numeric, b boolean, s text, v varchar(9), c char(4), u uuid, d date, w timestamp, z timestamptz, y text)"""


def test_postgres_gives_its_types(
    postgres: str, ask: Callable[..., None], data_of: DataOf, schema_of: SchemaOf
) -> None:
    """Each type comes without loss: decimals as the nearest double, moments with a zone in UTC, padding gone."""
    ask(
        TYPES,
        "INSERT INTO types VALUES (1, 2, 9007199254740993, 0.5, 0.1, 123456789012, 1.10, 0.3, true, '001', 'é', 'ab', "
        "'00000000-0000-0000-0000-000000000001', '2020-01-02', '2020-01-02 03:04:05.000006', "
        "'2020-01-02 03:04:05+02', 'a')",
        "INSERT INTO types (y) VALUES ('b')",
    )
    types = {
        "i2": "integer", "i4": "integer", "i8": "integer", "f4": "number", "f8": "number", "whole": "integer",
        "part": "number", "free": "number", "b": "boolean", "s": "text", "v": "text", "c": "text", "u": "text",
        "d": "datetime", "w": "datetime", "z": "datetime", "y": "category",
    }  # fmt: skip
    data = data_of(postgres, table="types")
    table = read(data, schema_of(**types))
    assert table.frame.sort("y").rows() == [
        (
            1, 2, 9007199254740993, 0.5, 0.1, 123456789012, 1.1, 0.3, True, "001", "é", "ab",
            "00000000-0000-0000-0000-000000000001", datetime(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5, 6),  # noqa: DTZ001
            datetime(2020, 1, 2, 1, 4, 5), "a",  # noqa: DTZ001
        ),
        (*[None] * 16, "b"),
    ]  # fmt: skip
    assert read_header(data).dtypes[5:8] == ("numeric(12,0)", "numeric(10,2)", "numeric")


@pytest.mark.parametrize(
    ("type_", "value", "what"),
    [
        ("timestamp", "'infinity'", "the moment in row 1 is infinite, or later than can be held"),
        ("timestamptz", "'-infinity'", "the moment in row 1 is infinite, or later than can be held"),
        ("date", "'infinity'", "the moment in row 1 is infinite, or later than can be held"),
        ("timestamp", "'294276-01-01'", "the moment in row 1 is infinite, or later than can be held"),
        ("json", "'{}'", "the column holds json, which is no value of a table"),
        ("integer[]", "'{1}'", "the column holds integer[], which is no value of a table"),
    ],
)
def test_postgres_refuses_what_no_table_holds(
    type_: str,
    value: str,
    what: str,
    postgres: str,
    ask: Callable[..., None],
    data_of: DataOf,
    schema_of: SchemaOf,
) -> None:
    """An infinite moment would come as one of long ago, and a document is no value."""
    made = f"CREATE TABLE odd AS SELECT {value}::{type_} AS v, 'a' AS y"
    ask("DROP TABLE IF EXISTS odd", made)
    with pytest.raises(DataError) as caught:
        read(data_of(postgres, table="odd"), schema_of(v="datetime", y="category"))
    assert [(message.key, message.what) for message in caught.value.messages] == [("v", what)]


def test_postgres_gives_one_order(
    postgres: str, ask: Callable[..., None], data_of: DataOf, schema_of: SchemaOf
) -> None:
    """By the primary key, else by all that is read: however the rows lie, the run is the same."""
    schema = schema_of(k="integer", s="text", y="category")
    ask(
        "CREATE SCHEMA orders",
        'CREATE TABLE orders."by key" (k integer PRIMARY KEY, s text, y text)',
        "CREATE TABLE orders.free (k integer, s text, y text)",
        "INSERT INTO orders.free VALUES (2, 'a', 'p'), (1, 'b', 'q'), (1, 'Z', 'q'), (1, NULL, 'q')",
        "INSERT INTO orders.\"by key\" VALUES (3, 'a', 'p'), (1, 'b', 'q'), (2, 'Z', 'q')",
    )
    keyed = read(data_of(postgres, table="orders.by key"), schema)
    assert keyed.frame["k"].to_list() == [1, 2, 3]
    free = read(data_of(postgres, table="orders.free"), schema)
    assert free.frame.rows() == [(1, "Z", "q"), (1, "b", "q"), (1, None, "q"), (2, "a", "p")]
    ask("UPDATE orders.free SET y = y", 'CLUSTER orders."by key" USING "by key_pkey"')
    again = read(data_of(postgres, table="orders.free"), schema)
    assert (again.frame.rows(), again.source.sha256) == (free.frame.rows(), free.source.sha256)


def test_postgres_names_its_tables(postgres: str, ask: Callable[..., None], data_of: DataOf) -> None:
    """A misspelt table is told with the near one, and a query is no name."""
    ask("CREATE SCHEMA shop", "CREATE TABLE shop.customers (a integer, y text)")
    data = data_of(postgres, table="shop.custmers").at(postgres, reference="${oc.env:SHOP}")
    with pytest.raises(DataError) as caught:
        open_table(data).header()
    (message,) = caught.value.messages
    assert (message.what, message.suggestion) == (
        "'${oc.env:SHOP}' has no table or view 'shop.custmers'",
        "shop.customers",
    )
    with pytest.raises(DataError):
        open_table(data_of(postgres, table="shop.customers; DROP TABLE shop.customers")).header()
    assert open_table(data_of(postgres, table="shop.customers")).header().columns == ("a", "y")


def test_a_wrong_password_is_told_without_any(postgres: str, data_of: DataOf) -> None:
    """Neither the password nor the URL is in what the user reads."""
    wrong = postgres.replace("correct-horse", "wrong-horse")
    data = data_of(wrong).at(wrong, reference="${oc.env:DATABASE}")
    with pytest.raises(DataError) as caught:
        open_table(data).header()
    assert "password authentication failed" in str(caught.value)
    assert "horse" not in str(caught.value)
    assert str(caught.value).startswith("${oc.env:DATABASE}\n")


def test_many_rows_stream(
    postgres: str, ask: Callable[..., None], data_of: DataOf, schema_of: SchemaOf
) -> None:
    """Rows come a part at a time, in order, and the hash is that of all of them."""
    ask("CREATE TABLE many AS SELECT i AS k, (i % 2)::text AS y FROM generate_series(1, 100000) i")
    data = data_of(postgres, table="many")
    schema = schema_of(k="integer", y="category")
    sizes = [len(frame) for frame in batches(postgres, schema=schema, data=data, n_rows=30_000)]
    assert sizes == [30_000, 30_000, 30_000, 10_000]
    table = read(data, schema)
    assert table.frame["k"].to_list() == list(range(1, 100_001))


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, postgres: str, data_of: DataOf) -> None:
    """Without the library the message says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "adbc_driver_postgresql", None)
    data = data_of(postgres).at(postgres, reference="${oc.env:DATABASE}")
    with pytest.raises(DataError) as caught:
        open_table(data).header()
    assert str(caught.value) == (
        "${oc.env:DATABASE}\n"
        "  PostgreSQL is read by a library that is not installed: adbc-driver-postgresql\n"
        "  try: pip install 'declarative-engine[sql]'"
    )


def test_a_sqlite_copy_hashes_the_same_however_it_lies(
    tmp_path: Path,
    data_of: DataOf,
    schema_of: SchemaOf,
    penguins: pl.DataFrame,
    sqlite_of: Callable[..., None],
) -> None:
    """The hash is over the values: a file that was rewritten without a change has the same."""
    sqlite_of(tmp_path / "a.db", penguins)
    sqlite_of(tmp_path / "b.db", penguins)
    database(tmp_path / "b.db", "CREATE INDEX by_island ON penguins (island)")
    schema = schema_of(bill_length_mm="number", species="category")
    first, second = (read(data_of(tmp_path / name), schema).source for name in ("a.db", "b.db"))
    assert first.sha256 == second.sha256
    assert first.n_bytes != second.n_bytes

"""Limits on rows, columns and memory: before anything is read where that can be told, else while it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.cli import main
from engine.data.header import read_header
from engine.data.schema import Schema
from engine.data.source import batches, read, validate
from engine.data.sources import limits
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]
FORMATS = ("csv", "parquet", "arrow", "ndjson", "delta", "db", "parts")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory, sqlite_of: Callable[..., None]) -> Path:
    """Give a table of 1000 rows and 3 columns in every format of files."""
    from deltalake import write_deltalake

    folder = tmp_path_factory.mktemp("limits")
    frame = pl.DataFrame({"k": range(1000), "x": [0.5] * 1000, "y": ["a", "b"] * 500})
    frame.write_csv(folder / "t.csv")
    frame.write_parquet(folder / "t.parquet")
    frame.write_ipc(folder / "t.arrow")
    frame.write_ndjson(folder / "t.ndjson")
    write_deltalake(folder / "t.delta", frame.to_arrow())
    sqlite_of(folder / "t.db", frame)
    (folder / "t.parts").mkdir()
    frame.head(500).write_parquet(folder / "t.parts" / "a.parquet")
    frame.tail(500).write_parquet(folder / "t.parts" / "b.parquet")
    return folder


def what(data: DataSpec, schema: Schema) -> list[tuple[str, str]]:
    """Return key and words of each message with which a table is refused, whichever way it is read."""
    found = []
    for reading in (read, validate):
        with pytest.raises(DataError) as caught:
            reading(data, schema)
        found.append([(message.key, message.what) for message in caught.value.messages])
    assert found[0] == found[1]
    return found[0]


@pytest.mark.parametrize("format_", FORMATS)
def test_more_rows_than_are_allowed(format_: str, tables: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """In every format; as many as are allowed are read."""
    schema = schema_of(k="integer", x="number", y="category")
    path = tables / f"t.{format_}"
    ((key, words),) = what(data_of(path, max_rows=999), schema)
    assert key == "data.max_rows"
    assert words in {
        f"'{path}' has 1000 rows, and 999 are allowed", f"'{path}' has more than 999 rows, and no more are allowed",
    }  # fmt: skip
    assert read(data_of(path, max_rows=1000), schema).n_rows == 1000


@pytest.mark.parametrize("format_", FORMATS)
def test_more_columns_than_are_allowed(
    format_: str, tables: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """Told from the names alone, and of a plan too."""
    schema = schema_of(k="integer", x="number", y="category")
    data = data_of(tables / f"t.{format_}", max_columns=2)
    assert what(data, schema) == [
        ("data.max_columns", f"'{tables}/t.{format_}' has 3 columns, and 2 are allowed")
    ]
    with pytest.raises(DataError):
        read_header(data, schema)


@pytest.mark.parametrize("format_", FORMATS)
def test_more_memory_than_is_allowed(
    format_: str, tables: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """By what the rows take once they are read, whatever the file has."""
    schema = schema_of(k="integer", x="number", y="category")
    with pytest.raises(DataError) as caught:
        read(data_of(tables / f"t.{format_}", max_mib=0.01), schema)
    (message,) = caught.value.messages
    assert message.key == "data.max_mib"
    assert "MiB, and 0.01 are allowed" in message.what
    assert read(data_of(tables / f"t.{format_}", max_mib=1), schema).n_rows == 1000


def test_scoring_is_limited_too(tables: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A stream that goes on for ever ends."""
    data = data_of(tables / "t.csv", max_rows=999)
    schema = schema_of(k="integer", x="number", y="category")
    with pytest.raises(DataError, match="more than 999 rows"):
        list(batches(tables / "t.csv", schema=schema, data=data, n_rows=100))


def test_without_a_bound_it_is_the_machine(
    tables: Path, data_of: DataOf, schema_of: SchemaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What finds no room in this machine is not begun, and a sample is the way to look at it."""
    monkeypatch.setattr(limits, "memory_mib", lambda: 0.01)
    schema = schema_of(k="integer", x="number", y="category")
    with pytest.raises(DataError) as caught:
        read(data_of(tables / "t.parquet"), schema)
    assert str(caught.value) == (
        "data.max_mib\n"
        f"  the 1000 rows of '{tables}/t.parquet' take at least 0 MiB, and this machine has 0.01\n"
        "  try: data.sample: 0.1"
    )
    assert read(data_of(tables / "t.parquet", sample=10), schema).n_rows == 10


def test_a_wide_table_is_refused_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 3, at the plan, with the key that allows more."""
    monkeypatch.chdir(tmp_path)
    Path("t.csv").write_text(
        ",".join(f"c{at}" for at in range(10_001)) + "\n" + ",".join(["1"] * 10_001) + "\n"
    )
    Path("t.yaml").write_text(
        "defaults: [base, task: classification, model: logistic, _self_]\nname: t\ndata: {path: t.csv}\n"
        "schema: {target: c0, extra: ignore, columns: {c0: {type: category}, c1: {type: number}}}\n"
    )
    assert main(["plan", "t.yaml"]) == 3
    assert "'t.csv' has 10001 columns, and 10000 are allowed" in capsys.readouterr().err

"""Streaming a table that is only scored, in bounded memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.data.source import batches
from engine.data.sources import csv
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


def _csv(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text, newline="")
    return path


def _messages(error: DataError) -> list[str]:
    return [str(message).replace("\n", "") for message in error.messages]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("n_rows", [1, 7, 100, 1000])
def test_batches_give_features_and_ids_in_order(
    tmp_path: Path, suffix: str, n_rows: int, column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """Batches have `n_rows` rows but the last, and together all rows; target and ignored columns are not read."""
    schema = schema_of(
        column_of("a", "integer"),
        column_of("k", "text", "id"),
        column_of("w", "number", "ignore"),
        column_of("y", "category", "target"),
    )
    frame = pl.DataFrame({"y": ["bad"] * 100, "k": [f"{at:03}" for at in range(100)], "a": range(100)})
    path = tmp_path / f"t.{suffix}"
    getattr(frame, f"write_{suffix}")(path)
    found = list(batches(path, schema=schema, data=None, n_rows=n_rows))
    assert [batch.height for batch in found] == [n_rows] * (100 // n_rows) + [100 % n_rows] * (
        100 % n_rows > 0
    )
    assert pl.concat(found).equals(frame.select("a", "k"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_without_rows_gives_one_empty_batch(
    tmp_path: Path, suffix: str, column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """Nothing to score is a normal case: one batch of no rows, typed."""
    schema = schema_of(column_of("a", "integer"), column_of("y", "number", "target"))
    path = tmp_path / f"t.{suffix}"
    getattr(pl.DataFrame({"a": []}, schema={"a": pl.Int64}), f"write_{suffix}")(path)
    (batch,) = batches(path, schema=schema, data=None, n_rows=10)
    assert dict(batch.schema) == {"a": pl.Int64()}
    assert batch.height == 0


def test_a_batch_with_something_wrong_stops_the_stream(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """Rows before are given, then the error numbers the rows of the whole file."""
    schema = schema_of(column_of("a", "integer", min=0.0), column_of("y", "number", "target"))
    path = tmp_path / "t.parquet"
    pl.DataFrame({"a": [*range(50), -1, *range(49)]}).write_parquet(path)
    with pytest.raises(DataError) as caught:
        list(batches(path, schema=schema, data=None, n_rows=10))
    assert _messages(caught.value) == [f"{path}: a  min 0: 1 row is below it (row 51: -1)"]


def test_batches_want_every_feature_and_know_every_column(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """A missing feature and an unknown column are errors; a resolved category is not resolved anew."""
    schema = schema_of(
        column_of("a", "integer"), column_of("c", "category"), column_of("y", "number", "target")
    )
    with pytest.raises(DataError) as caught:
        list(batches(_csv(tmp_path, "c,z\n1,2\n"), schema=schema, data=None, n_rows=10))
    assert [message.key for message in caught.value.messages] == ["a", "z"]
    (batch,) = batches(_csv(tmp_path, "c,a\n1,2\n"), schema=schema, data=None, n_rows=10)
    assert batch["c"].to_list() == ["1"]
    lenient = replace(schema, extra="ignore")
    (batch,) = batches(_csv(tmp_path, "c,z,a\n1,2,3\n"), schema=lenient, data=None, n_rows=10)
    assert batch.columns == ["a", "c"]


def test_batches_hold_little_at_a_time(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streaming a CSV holds a few blocks of its text, whatever its size."""
    monkeypatch.setattr(csv, "_MIN_BYTES", 2**17)
    monkeypatch.setattr(csv, "_MAX_BYTES", 2**17)
    schema = schema_of(column_of("a", "text"), column_of("y", "number", "target"))
    path = tmp_path / "t.csv"
    path.write_text("a\n" + f"{'x' * 999}\n" * 20_000)
    tracemalloc.start()
    n_rows = sum(batch.height for batch in batches(path, schema=schema, data=None, n_rows=1000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert n_rows == 20_000
    assert peak < 20 * 2**17

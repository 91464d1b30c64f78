"""What a file says of itself before a row is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.data.header import columns_of, read_header
from engine.data.schema import Column, Schema
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]


@pytest.fixture
def frame() -> pl.DataFrame:
    """Give a table of two columns."""
    return pl.DataFrame({"a": range(500), "b": ["x" * 20] * 500})


def test_a_parquet_knows_its_rows_and_dtypes(tmp_path: Path, frame: pl.DataFrame, data_of: DataOf) -> None:
    """Names, dtypes and the exact number of rows stand in the footer."""
    path = tmp_path / "t.parquet"
    frame.write_parquet(path)
    header = read_header(data_of(path))
    assert (header.columns, header.dtypes) == (("a", "b"), ("Int64", "String"))
    assert (header.n_rows, header.is_exact) == (500, True)
    assert header.n_bytes == path.stat().st_size


@pytest.mark.parametrize(("n_repeats", "error"), [(1, 0), (40, 200)])
def test_a_csv_is_estimated(
    tmp_path: Path, frame: pl.DataFrame, n_repeats: int, error: int, data_of: DataOf
) -> None:
    """Rows of a CSV are estimated from its first 64 KiB; a short file's are counted."""
    path = tmp_path / "t.csv"
    pl.concat([frame] * n_repeats).write_csv(path)
    header = read_header(data_of(path))
    assert (header.columns, header.dtypes, header.is_exact) == (("a", "b"), (), False)
    assert abs(header.n_rows - 500 * n_repeats) <= error


def test_names_come_for_any_path(tmp_path: Path, frame: pl.DataFrame, data_of: DataOf) -> None:
    """The names of a file other than the recipe's, read as the recipe says."""
    path = tmp_path / "t.csv"
    frame.write_csv(path, separator=";")
    assert columns_of(path, data_of("other.csv", delimiter=";")) == ("a", "b")


def test_columns_are_held_against_the_schema(
    tmp_path: Path, frame: pl.DataFrame, data_of: DataOf, column_of: Callable[..., Column]
) -> None:
    """A missing and an extra column are found without reading a row."""
    path = tmp_path / "t.csv"
    frame.write_csv(path)
    columns = (column_of("a", "integer"), column_of("c", "text", "target"))
    with pytest.raises(DataError) as caught:
        read_header(
            data_of(path), Schema(columns=columns, positive=None, extra="error", missing_target="error")
        )
    assert [message.key for message in caught.value.messages] == ["schema.columns.c", "b"]

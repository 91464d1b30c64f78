"""Parquet: every dtype that holds the declared type without loss, and no other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

from engine.data.schema import Column, Schema
from engine.data.source import read
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


_SAME = """y,note,age,pay,glad,city,code,born
no,a,20,1.5,true,Oslo,001,2000-01-31
yes,b,30,,False,,002,2001-02-28T10:30:00Z
no,c,40,2,1,,003,2002-03-31 12:00:00
"""


def test_a_parquet_cut_short_is_refused(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """Half a Parquet file is no table."""
    path = tmp_path / "t.parquet"
    _frame().write_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError):
        read(data_of(path), people)


def _frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "y": pl.Series(["no", "yes", "no"], dtype=pl.Enum(["no", "yes"])),
            "note": [1, 2, 3],
            "age": pl.Series([20, 30, 40], dtype=pl.UInt8),
            "pay": pl.Series([1.5, float("nan"), 2.0], dtype=pl.Float32),
            "glad": [1, 0, 1],
            "city": pl.Series(["Oslo", None, None], dtype=pl.Categorical),
            "code": ["001", "002", "003"],
            "born": pl.Series(
                [datetime(2000, 1, 31), datetime(2001, 2, 28, 10, 30), datetime(2002, 3, 31, 12)],  # noqa: DTZ001
                dtype=pl.Datetime("ns"),
            ).dt.replace_time_zone("UTC"),
        }
    ).with_columns(pl.col("born").dt.convert_time_zone("Asia/Tokyo"))


def test_a_parquet_gives_the_frame_of_its_csv(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """Every dtype that holds the declared type without loss gives what the CSV gives."""
    path = tmp_path / "t.parquet"
    _frame().write_parquet(path)
    table = read(data_of(path), people)
    text_path = tmp_path / "t.csv"
    text_path.write_text(_SAME)
    text = read(data_of(text_path), people)
    assert table.frame.equals(text.frame)
    assert table.schema == text.schema
    assert table.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("type_", "series", "values"),
    [
        ("integer", pl.Series([1.0, float("nan"), None]), [1, None, None]),
        ("integer", pl.Series([1, 2], dtype=pl.Int128), [1, 2]),
        ("number", pl.Series([1, 2], dtype=pl.Decimal(5, 2)), [1.0, 2.0]),
        ("datetime", pl.Series([date(2020, 1, 2)]), [datetime(2020, 1, 2)]),  # noqa: DTZ001
        ("datetime", pl.Series(["2020-01-02"]), [datetime(2020, 1, 2)]),  # noqa: DTZ001
        ("category", pl.Series([1, 2], dtype=pl.Int8), [1, 2]),
        ("category", pl.Series([1.0, float("nan")]), [1, None]),
        ("category", pl.Series([True, None]), [True, None]),
        ("category", pl.Series(["1", "2"]), [1, 2]),
        ("text", pl.Series([None, None], dtype=pl.Null), [None, None]),
    ],
)
def test_typed_columns_are_held_exactly(
    tmp_path: Path,
    type_: str,
    series: pl.Series,
    values: list[object],
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """A typed column becomes the declared type where no value changes."""
    schema = schema_of(column_of("c", type_, nullable=True), column_of("y", "number", "target"))
    path = tmp_path / "t.parquet"
    series.alias("c").to_frame().with_columns(y=pl.lit(1.0)).write_parquet(path)
    assert read(data_of(path), schema).frame["c"].to_list() == values


@pytest.mark.parametrize(
    ("type_", "series", "what"),
    [
        (
            "integer",
            pl.Series([1.0, 1.9, None]),
            "type integer: 1 row is not (row 2: 1.9); the column holds Float64",
        ),
        ("integer", pl.Series([2**63], dtype=pl.UInt64), None),
        ("integer", pl.Series(["1"]), "type integer: 1 row is not (row 1: 1); the column holds String"),
        ("number", pl.Series([True]), "type number: 1 row is not (row 1: True); the column holds Boolean"),
        ("boolean", pl.Series([1, 2]), "type boolean: 1 row is not (row 2: 2); the column holds Int64"),
        ("text", pl.Series([1]), "type text: 1 row is not (row 1: 1); the column holds Int64"),
        ("category", pl.Series([1.5]), None),
        ("category", pl.Series([date(2020, 1, 1)]), None),
        (
            "datetime",
            pl.Series([0, 2_932_897, None], dtype=pl.Int32).cast(pl.Date),
            "type datetime: 1 row is not (row 2); dates beyond the years 1 to 9999",
        ),
        (
            "datetime",
            pl.Series([0, -(2**63) + 1]).cast(pl.Datetime("us")),
            "type datetime: 1 row is not (row 2); dates beyond the years 1 to 9999",
        ),
        (
            "text",
            pl.Series([2**31 - 1], dtype=pl.Int32).cast(pl.Date),
            "type text: 1 row is not (row 1); the column holds Date",
        ),
        ("number", pl.Series([float("inf")]), "finite: 1 row is not (row 1: inf)"),
    ],
)
def test_typed_columns_that_would_change_are_refused(
    tmp_path: Path,
    type_: str,
    series: pl.Series,
    what: str | None,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """No typed value is rounded, cut or reinterpreted."""
    schema = schema_of(column_of("c", type_, nullable=True), column_of("y", "number", "target"))
    path = tmp_path / "t.parquet"
    series.alias("c").to_frame().with_columns(y=pl.lit(1.0)).write_parquet(path)
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    (message,) = caught.value.messages
    assert message.what == (what or message.what)
    assert message.key == "c"


@pytest.mark.parametrize("suffix", [".parquet", ".arrow"])
def test_a_time_zone_that_is_not_known_is_refused_before_polars_panics(
    suffix: str,
    tmp_path: Path,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The message names the column and the zone, and nothing else is printed."""
    path = tmp_path / f"t{suffix}"
    table = pa.table({"when": pa.array([0], pa.timestamp("us", "+05:30")), "y": [1.0]})
    if suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as stream:
            stream.write_table(table)
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema_of(column_of("when", "datetime"), column_of("y", "number", "target")))
    assert str(caught.value) == (
        f"{path}: when\n  the column is in the time zone '+05:30', which is not known; write its times in UTC"
    )
    assert capfd.readouterr() == ("", "")

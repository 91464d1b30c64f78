from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.data.footer import Described, Thrift, read_footer

DAY = dt.date(2020, 2, 29)
MOMENT = dt.datetime(2020, 2, 29, 12)  # noqa: DTZ001
WIDE = pl.DataFrame(
    {
        "int": [1, 2, None],
        "float": [1.5, float("nan"), -2.0],
        "text": ["x", None, "z"],
        "flag": [True, None, False],
        "day": [DAY] * 3,
        "moment": [MOMENT] * 3,
        "nothing": [None, None, None],
        "money": [Decimal("1.50")] * 3,
        "time": [dt.time(1)] * 3,
        "i8": pl.Series([1, -2, 3], dtype=pl.Int8),
        "u16": pl.Series([1, 2, 60000], dtype=pl.UInt16),
        "u64": pl.Series([1, 2, 2**63 + 5], dtype=pl.UInt64),
        "f32": pl.Series([0.5, 1, 2], dtype=pl.Float32),
        "bytes": [b"a", b"b", None],
        "utc": pl.Series([MOMENT] * 3).dt.replace_time_zone("UTC"),
        "ns": pl.Series([MOMENT] * 3).cast(pl.Datetime("ns")),
    }
)


def write_with_polars(frame: pl.DataFrame, path: Path) -> None:
    """Write as polars does."""
    frame.write_parquet(path)


def write_row_by_row(frame: pl.DataFrame, path: Path) -> None:
    """Write as pyarrow does, a row group a row."""
    pq.write_table(frame.to_arrow(), path, row_group_size=1)


def write_oldly(frame: pl.DataFrame, path: Path) -> None:
    """Write as pyarrow does by the first version of the format, without statistics."""
    pq.write_table(frame.to_arrow(), path, version="1.0", write_statistics=False)


@pytest.mark.parametrize("write", [write_with_polars, write_row_by_row, write_oldly])
def test_names_types_and_rows_are_those_that_polars_reads(write: object, tmp_path: Path) -> None:
    """Whoever wrote the file, the footer says what polars says."""
    assert callable(write)
    file = tmp_path / "wide.parquet"
    write(WIDE, file)
    footer = read_footer(file)
    assert footer is not None
    assert footer.n_rows == 3
    expected = {name: str(dtype) for name, dtype in pl.read_parquet_schema(file).items()}
    assert {column.name: column.dtype for column in footer.columns} == expected


def test_statistics_are_what_stands_in_the_file(tmp_path: Path) -> None:
    """Nulls are counted, the smallest and the largest number told; of texts and times no bounds."""
    file = tmp_path / "wide.parquet"
    WIDE.write_parquet(file)
    footer = read_footer(file)
    assert footer is not None
    known = {column.name: column for column in footer.columns}
    assert known["int"] == Described("int", "Int64", 1, 1, 2)
    assert known["float"] == Described("float", "Float64", 0, -2.0, 1.5)
    assert known["i8"] == Described("i8", "Int8", 0, -2, 3)
    assert known["u16"] == Described("u16", "UInt16", 0, 1, 60000)
    assert known["u64"] == Described("u64", "UInt64", 0, 1, 2**63 + 5)
    assert known["f32"] == Described("f32", "Float32", 0, 0.5, 2.0)
    assert known["text"] == Described("text", "String", 1, None, None)
    assert known["nothing"] == Described("nothing", "Null", 3, None, None)
    assert known["day"] == Described("day", "Date", 0, None, None)


def test_statistics_are_gathered_over_row_groups(tmp_path: Path) -> None:
    """Nulls add up, and bounds are told only where each row group has them."""
    file = tmp_path / "groups.parquet"
    write_row_by_row(pl.DataFrame({"a": [3, 1, 2], "b": [None, 1, None]}), file)
    footer = read_footer(file)
    assert footer is not None
    assert footer.columns == (Described("a", "Int64", 0, 1, 3), Described("b", "Int64", 2, None, None))


def test_without_statistics_nothing_is_claimed(tmp_path: Path) -> None:
    """A file without statistics has no counts and no bounds."""
    file = tmp_path / "old.parquet"
    write_oldly(WIDE, file)
    footer = read_footer(file)
    assert footer is not None
    assert {(column.n_nulls, column.least, column.most) for column in footer.columns} == {(None, None, None)}


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=40),
    group=st.integers(1, 40),
)
def test_integers_have_the_bounds_that_polars_computes(
    values: list[int | None], group: int, tmp_path: Path
) -> None:
    """Counts and bounds equal those of the values themselves, however they are grouped."""
    file = tmp_path / "values.parquet"
    series = pl.Series("a", values, dtype=pl.Int64)
    pq.write_table(series.to_frame().to_arrow(), file, row_group_size=group)
    footer = read_footer(file)
    assert footer is not None
    (column,) = footer.columns
    assert column.n_nulls == series.null_count()
    if column.least is not None:
        assert (column.least, column.most) == (series.min(), series.max())
    elif series.null_count() == 0:
        pytest.fail("bounds of a column without nulls are there")


@pytest.mark.parametrize(
    "frame", [pl.DataFrame({"a": [[1]]}), pl.DataFrame({"a": [{"b": 1}]})], ids=["list", "struct"]
)
def test_nested_columns_are_left_to_polars(frame: pl.DataFrame, tmp_path: Path) -> None:
    """A nested column is not known here."""
    frame.write_parquet(tmp_path / "nested.parquet")
    assert read_footer(tmp_path / "nested.parquet") is None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.data())
def test_damage_is_never_an_exception(drawn: st.DataObject, tmp_path: Path) -> None:
    """Bytes changed or cut anywhere in the footer give a footer or None, and never an exception."""
    file = tmp_path / "damaged.parquet"
    WIDE.write_parquet(file)
    content = bytearray(file.read_bytes())
    length = int.from_bytes(content[-8:-4], "little")
    at = drawn.draw(st.integers(len(content) - 8 - length, len(content) - 1))
    content[at] = drawn.draw(st.integers(0, 255))
    end = drawn.draw(st.sampled_from([len(content), at, len(content) - 1]))
    file.write_bytes(bytes(content[:end]))
    footer = read_footer(file)
    assert footer is None or footer.n_rows is not None


def test_a_field_that_stands_twice_is_no_footer() -> None:
    """Which of the two counts is not said, and readers differ."""
    once, twice = b"\x15\x02\x00", b"\x15\x02\x05\x02\x04\x00"
    assert Thrift(once).fields() == {1: 1}
    with pytest.raises(ValueError, match="a field stands twice"):
        Thrift(twice).fields()


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + b"\xff" * 8 + b"PAR1", b"a,b\n1,2\n"])
def test_what_is_no_parquet_is_left_to_polars(content: bytes, tmp_path: Path) -> None:
    """A file of another kind is None."""
    file = tmp_path / "other"
    file.write_bytes(content)
    assert read_footer(file) is None

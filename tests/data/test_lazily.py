"""The quick way through a file tells the same as the slow one, which is kept for what is wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from engine.data.lazily import Lazily
from engine.data.schema import Schema
from engine.data.source import read
from engine.data.sources.csv import CsvFile
from engine.data.sources.parquet import ParquetFile
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec
from tests.data.conftest import ColumnOf, DataOf, SchemaOf

_CELLS = st.sampled_from(
    ["", "1", "-2", "007", "2.5", "1e400", "nan", "inf", " 3", "3 ", "x", "é", '"q"', '"', "a\rb", "\0", "true", "TRUE",
     "?", "2020-01-01", "2020-01-01T10:00:00", "2020-01-01 10:00", "2020-1-1", "+2020-01-01", "2020-01"]
)  # fmt: skip
_TIDY = st.tuples(
    st.sampled_from(["1", "-2", "30"]),
    st.sampled_from(["2.5", "", "1"]),
    st.sampled_from(["a", "é", ""]),
    st.sampled_from(["2020-01-01", "2021-12-31"]),
    st.sampled_from(["true", "false"]),
).map(",".join)
_ODD = st.lists(_CELLS, min_size=0, max_size=7).map(",".join)
_ROWS = st.lists(st.one_of(_TIDY, _TIDY, _TIDY, _ODD), min_size=0, max_size=8)


def _schema(column_of: ColumnOf, schema_of: SchemaOf) -> Schema:
    return schema_of(
        column_of("whole", "integer", nullable=True, max=20.0),
        column_of("number", "number", nullable=True),
        column_of("text", "category", nullable=True),
        column_of("when", "datetime", nullable=True),
        column_of("y", "boolean", "target"),
    )


def _outcome(data: DataSpec, schema: Schema) -> tuple[str, object]:
    try:
        table = read(data, schema)
    except DataError as error:
        return "refused", error.messages
    return table.source.sha256, (table.schema, table.frame.to_dict(as_series=False))


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@example(rows=[",,,2020-01,"], end="\n", nulls=())
@given(
    rows=_ROWS, end=st.sampled_from(["\n", "", "\n\n", "\n\n\n"]), nulls=st.sampled_from([(), ("?",), ("1",)])
)
def test_both_ways_tell_the_same(
    rows: list[str],
    end: str,
    nulls: tuple[str, ...],
    tmp_path: Path,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """Whatever the text: the same frame, or the same words."""
    path = tmp_path / "t.csv"
    path.write_bytes(("whole,number,text,when,y\n" + "\n".join(rows) + end).encode())
    schema = _schema(column_of, schema_of)
    quick = _outcome(data_of(path, null_values=nulls), schema)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CsvFile, "lazily", lambda *_, **__: None)
        slow = _outcome(data_of(path, null_values=nulls), schema)
    assert repr(quick) == repr(slow)


def _n_sound(data: DataSpec, schema: Schema) -> int | None:
    query = CsvFile(data, "t.csv").lazily(schema.columns, hashed=False)
    assert isinstance(query, Lazily)
    return query.n_sound()


@pytest.mark.parametrize(
    ("rows", "n_sound"),
    [
        ("1,2.5,a,2020-01-01,true\n", 1),
        ("1,2.5,a,2020-01-01,true\n3,,,,false", 2),
        ("21,2.5,a,2020-01-01,true\n", None),
        ("1,2.5,a,2020-01-01,true\n1,2.5,a,2020-01-01\n", None),
        ("1,2.5,a,2020-01-01,true\n1,2.5,a,2020-01-01,true,9\n", None),
        ("1,2.5,a,2020-01-01,true\n1,2.5,a,2020-01-01,true,9\n1,2.5,a,2020-01-01\n", None),
        ('1,2.5,"a",2020-01-01,true\n', None),
        ("1,2.5,a,2020-01-01,true\n\n3,,,,false\n", None),
        ("1,2.5,a,2020-01-01,true\n1,2.5,a,2020-1-1,true\n", None),
        ("1.5,2.5,a,2020-01-01,true\n", None),
    ],
)
def test_one_query_counts_sound_rows_or_says_nothing(
    rows: str, n_sound: int | None, tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Rows that keep every rule are counted; one that may not leaves the answer to the slow way."""
    path = tmp_path / "t.csv"
    path.write_text("whole,number,text,when,y\n" + rows)
    assert _n_sound(data_of(path), _schema(column_of, schema_of)) == n_sound


def test_typed_columns_are_held_as_they_are_where_nothing_can_be_lost(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Narrow types are widened, a NaN is null; what may not fit is left to the slow way."""
    schema = schema_of(
        column_of("a", "integer"), column_of("b", "number", nullable=True), column_of("y", "number", "target")
    )
    path = tmp_path / "t.parquet"
    narrow = {"a": pl.UInt16(), "b": pl.Float32(), "y": pl.Int8()}
    pl.DataFrame({"a": [1, 2], "b": [float("nan"), 0.5], "y": [1, 0]}, schema=narrow).write_parquet(path)
    table = read(data_of(path), schema)
    assert table.frame.to_dict(as_series=False) == {"a": [1, 2], "b": [None, 0.5], "y": [1.0, 0.0]}
    pl.DataFrame({"a": [1.5, 2.0], "b": [1.0, 0.5], "y": [1, 0]}).write_parquet(path)
    with pytest.raises(DataError, match=r"type integer: 1 row is not \(row 1: 1\.5\)"):
        read(data_of(path), schema)


@pytest.mark.parametrize(
    ("counts", "n_sound"),
    [
        ([-62_135_596_800_000_000, 253_402_300_799_999_999, None], 3),
        ([0, 253_402_300_800_000_000], None),
        ([-62_135_596_800_000_001, 0], None),
        ([None, None], 2),
    ],
)
def test_moments_of_which_python_knows_none_are_left_to_the_slow_way(
    counts: list[int | None],
    n_sound: int | None,
    tmp_path: Path,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """The first and last microsecond of the years 1 to 9999 are sound, those beside them are not."""
    schema = schema_of(column_of("when", "datetime", nullable=True), column_of("y", "number", "target"))
    path = tmp_path / "t.parquet"
    moments = pl.Series("when", counts, dtype=pl.Int64).cast(pl.Datetime("us"))
    pl.DataFrame([moments, pl.Series("y", [1.0] * len(counts))]).write_parquet(path)
    query = ParquetFile(data_of(path), "t.parquet").lazily(schema.columns)
    assert query is not None
    assert (query.n_sound(), query.frame() is None) == (n_sound, n_sound is None)

"""What a table is like: hand-worked figures, and nothing of what may not be shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from engine.data.profile import Count, Profile, profile
from engine.data.schema import Column, Schema
from engine.data.split import Parts
from engine.data.table import Source, Table

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]


def _profile(schema: Schema, columns: dict[str, list[object]]) -> Profile:
    frame = pl.DataFrame(columns)
    cut = frame.height // 2
    parts = Parts(np.arange(cut), np.array([], np.int64), np.arange(cut, frame.height))
    return profile(Table(frame, schema, Source("t.csv", "csv", 0, "")), parts=parts)


def test_figures_are_hand_worked(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Counts, mean, sample deviation, quantiles and bins of a small column."""
    schema = schema_of(column_of("v", "number", nullable=True), column_of("y", "boolean", "target"))
    found = _profile(
        schema, {"v": [1.0, 2.0, 3.0, 4.0, None, 4.0], "y": [True, False, True, True, True, False]}
    )
    v, y = found.columns
    assert (v.nulls, v.distinct, v.min, v.max, v.mean) == (1, 4, 1.0, 4.0, 2.8)
    # Squares of deviations from 2.8: 3.24, .64, .04, 1.44, 1.44; their sum over 4 is 1.7.
    assert v.std == pytest.approx(1.7**0.5)
    assert v.quantiles == pytest.approx((1.2, 2.0, 3.0, 4.0, 4.0))
    assert v.histogram is not None
    assert (v.histogram.edges[0], v.histogram.edges[-1], sum(v.histogram.counts)) == (1.0, 4.0, 5)
    assert v.histogram.counts[-1] == 2
    assert y.top == (Count(value=True, n=4), Count(value=False, n=2))
    assert found.target_by_part == {
        "train": {"false": 1, "true": 2},
        "validation": {"false": 0, "true": 0},
        "test": {"false": 1, "true": 2},
    }


def test_integers_of_a_small_range_get_a_bin_each(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Each integer has its own bin, centred on it."""
    schema = schema_of(column_of("v", "integer", "target"))
    (v,) = _profile(schema, {"v": [1, 3, 3, 2]}).columns
    assert v.histogram is not None
    assert v.histogram.edges == (0.5, 1.5, 2.5, 3.5)
    assert v.histogram.counts == (1, 1, 2)


@pytest.mark.parametrize(
    ("type_", "values", "n_bins"),
    [
        ("integer", [2**60 + at for at in range(0, 2049, 256)], 4),
        ("number", [0.5, 0.5 + 2**-53, 0.5 + 2**-52], 1),
        ("number", [0.0, 5e-324], 1),
    ],
)
def test_neighbouring_doubles_have_few_bins(
    column_of: ColumnOf, schema_of: SchemaOf, type_: str, values: list[object], n_bins: int
) -> None:
    """Where a double has no room for twenty edges there are fewer, each beyond the one before."""
    (v,) = _profile(schema_of(column_of("v", type_, "target")), {"v": values}).columns
    assert v.histogram is not None
    assert (len(v.histogram.counts), sum(v.histogram.counts)) == (n_bins, len(values))
    assert list(v.histogram.edges) == sorted(set(v.histogram.edges))


def test_a_numeric_target_has_its_mean_in_each_part(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """The parts of a numeric target show their means; an empty part none."""
    found = _profile(schema_of(column_of("v", "integer", "target")), {"v": [1, 3, 5, 6]})
    assert found.target_by_part == {"train": {"mean": 2.0}, "validation": {}, "test": {"mean": 5.5}}


def test_top_values_come_by_count_then_by_value(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """At most ten values, equal counts in the order of values."""
    schema = schema_of(column_of("c", "category"), column_of("y", "number", "target"))
    found = _profile(schema, {"c": [*"lkjihgfedcba", "k"], "y": [1.0] * 13})
    assert [count.value for count in found.columns[0].top] == ["k", *"abcdefghi"]


def test_values_that_may_not_be_shown_are_not(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """No value of a pii column, of a sensitive text or of an id stands in the JSON."""
    schema = schema_of(
        column_of("a", "number", pii=True),
        column_of("b", "category", pii=True),
        column_of("c", "text", sensitive=True),
        column_of("d", "text", "id"),
        column_of("y", "category", "target", pii=True),
    )
    columns = {"a": [4711.5, 4712.5], "b": ["secret-b"] * 2, "c": ["secret-c"] * 2, "d": ["secret-d"] * 2}
    text = json.dumps(_profile(schema, {**columns, "y": ["secret-y"] * 2}).to_json())
    assert "secret" not in text
    assert "4711" not in text


def test_datetimes_are_described_by_their_ends(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A datetime column shows its first and last moment in ISO 8601."""
    schema = schema_of(column_of("t", "datetime"), column_of("y", "number", "target"))
    moments = [datetime(2020, 1, day, tzinfo=UTC).replace(tzinfo=None) for day in (2, 1)]
    column = _profile(schema, {"t": moments, "y": [1.0, 2.0]}).columns[0]
    assert (column.min, column.max) == ("2020-01-01T00:00:00", "2020-01-02T00:00:00")


def test_a_column_without_values_is_described(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A column of nulls has counts and nothing else, and its JSON is plain."""
    schema = schema_of(column_of("*", "number", nullable=True), column_of("y", "number", "target"))
    frame = {"*": pl.Series([None, None], dtype=pl.Float64), "y": [1.0, 2.0]}
    found = _profile(schema, frame)  # type: ignore[arg-type]
    assert found.columns[0].nulls == 2
    assert found.columns[0].histogram is None
    assert json.loads(json.dumps(found.to_json(), allow_nan=False))["columns"][0]["name"] == "*"


def test_the_pieces_of_a_table_do_not_show(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """However a file came in pieces, its figures are the same to the last digit."""
    schema = schema_of(column_of("v", "number"), column_of("y", "number", "target"))
    rng = np.random.default_rng(0)
    whole = pl.DataFrame({"v": rng.lognormal(size=2000), "y": rng.normal(1e6, 1, 2000)})
    parts = Parts(np.arange(1000), np.arange(1000, 1500), np.arange(1500, 2000))
    found = set()
    for size in (2000, 700, 31):
        pieces = [whole[first : first + size] for first in range(0, 2000, size)]
        frame = pl.concat(pieces, rechunk=False)
        assert frame.n_chunks() == len(pieces)
        described = profile(Table(frame, schema, Source("t.csv", "csv", 0, "")), parts=parts)
        found.add(json.dumps(described.to_json()))
    assert len(found) == 1

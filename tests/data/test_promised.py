from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl
import pytest

from engine.data.header import read_header
from engine.data.schema import declare
from engine.data.source import read
from engine.errors import DataError
from engine.recipe.spec import Spec

MakeSpec = Callable[[Mapping[str, object]], Spec]
FRAME = {
    "age": pl.Series([20, 30, 40]),
    "city": pl.Series(["a", "b", "a"]),
    "y": pl.Series(["yes", "no", "yes"]),
}
COLUMNS: dict[str, dict[str, object]] = {
    "age": {"type": "integer"},
    "city": {"type": "category"},
    "y": {"type": "category"},
}


@pytest.fixture
def spec_of(make_spec: MakeSpec, tmp_path: Path) -> Callable[..., Spec]:
    """Give a function that writes a Parquet and returns a spec which reads it."""

    def write(frame: Mapping[str, pl.Series], columns: Mapping[str, object], **schema: object) -> Spec:
        file = tmp_path / "table.parquet"
        pl.DataFrame(dict(frame)).write_parquet(file)
        changes = {f"schema.{name}": value for name, value in schema.items()}
        made = make_spec(
            {"schema.target": "y", "schema.positive": None, "schema.columns": columns, **changes}
        )
        return made.model_copy(update={"data": made.data.model_copy(update={"path": str(file)})})

    return write


def said(spec: Spec) -> list[tuple[str, str]]:
    """Return key and words of what the header is refused for; empty when it is not."""
    try:
        read_header(spec.data, declare(spec))
    except DataError as error:
        return [(message.key, message.what) for message in error.messages]
    return []


@pytest.mark.parametrize(
    ("frame", "columns", "expected"),
    [
        ({}, {}, []),
        ({"age": ["x", "y", "z"]}, {}, [("age", "type integer: the column holds String")]),
        ({"age": [True, False, True]}, {}, [("age", "type integer: the column holds Boolean")]),
        ({"age": [1.0, 2.0, 3.0]}, {}, []),
        ({"age": [None, None, None]}, {"age": {"type": "integer", "nullable": True}}, []),
        ({"age": ["x", "y", "z"]}, {"age": {"type": "integer", "role": "ignore"}}, []),
        ({"age": [1, None, None]}, {}, [("age", "nullable false: 2 rows are null")]),
        ({"age": [1, None, 3]}, {}, [("age", "nullable false: 1 row is null")]),
        ({"age": [1, None, 3]}, {"age": {"type": "integer", "nullable": True}}, []),
        (
            {},
            {"age": {"type": "integer", "min": 25, "max": 35}},
            [("age", "min 25: the smallest value is below it: 20"), ("age", "max 35: the largest value is above it: 40")],
        ),
        (
            {},
            {"age": {"type": "integer", "min": 25, "sensitive": True}},
            [("age", "min 25: the smallest value is below it")],
        ),
        ({}, {"age": {"type": "integer", "min": 20, "max": 40}}, []),
        (
            {"city": [1, 2, 1]},
            {"city": {"type": "category", "values": ["a", "b"]}},
            [("city", "type category of texts: the column holds Int64")],
        ),
        ({"city": [1, 2, 1]}, {}, []),
        (
            {"city": ["1", "2", "1"]},
            {"city": {"type": "category", "values": [1, 2]}},
            [("city", "type category of integers: the column holds String")],
        ),
        ({"city": [1.5, 2, 3]}, {"city": {"type": "datetime"}}, [("city", "type datetime: the column holds Float64")]),
        ({"city": ["2020-01-01"] * 3}, {"city": {"type": "datetime"}}, []),
    ],
)  # fmt: skip
def test_a_footer_that_contradicts_the_schema_is_refused(
    frame: dict[str, list[object]],
    columns: dict[str, object],
    expected: list[tuple[str, str]],
    spec_of: Callable[..., Spec],
) -> None:
    """Types that can't be held, nulls and bounds are told from the footer, and what it says the rows bear out."""
    made = {name: pl.Series(values) for name, values in frame.items()}
    spec = spec_of({**FRAME, **made}, {**COLUMNS, **columns})
    assert said(spec) == expected
    if expected:
        with pytest.raises(DataError) as error:
            read(spec.data, declare(spec))
        rules = [(message.key, message.what.partition(":")[0]) for message in error.value.messages]
        assert [(key, what.partition(":")[0]) for key, what in expected] == rules


def test_missing_targets_that_are_left_out_are_no_contradiction(spec_of: Callable[..., Spec]) -> None:
    """With `missing_target: drop` nulls of the target are in order; without it they are not."""
    frame = {**FRAME, "y": pl.Series(["yes", None, "no"])}
    assert said(spec_of(frame, COLUMNS)) == [("y", "nullable false: 1 row is null")]
    assert said(spec_of(frame, COLUMNS, missing_target="drop")) == []


def test_a_table_without_rows_is_refused(spec_of: Callable[..., Spec]) -> None:
    """No rows are told from the footer, in the words of a run."""
    spec = spec_of({name: series.head(0) for name, series in FRAME.items()}, COLUMNS)
    assert said(spec) == [("", "the file has a header and no rows")]
    with pytest.raises(DataError, match="the file has a header and no rows"):
        read(spec.data, declare(spec))

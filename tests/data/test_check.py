"""Counting broken rules: hand-worked counts, and pandera's eager counts on injected errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.check import check, to_error
from engine.data.pandera_schema import to_pandera
from engine.data.schema import Column, Schema
from engine.data.storage import Refused

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
_NAN, _INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("type_", "rules", "values", "found"),
    [
        ("integer", {}, [1, None, None], ("nullable", 2, (2, 3), (), "false")),
        ("number", {}, [1.0, _NAN, None], ("nullable", 2, (2, 3), (), "false")),
        ("number", {"nullable": True}, [1.0, _NAN, None], None),
        ("number", {}, [1.0, _INF, -_INF], ("finite", 2, (2, 3), ("inf", "-inf"), "")),
        (
            "number",
            {"min": 0.5, "nullable": True},
            [1e150, 1e200, _NAN, None],
            ("magnitude", 1, (2,), ("1e+200",), "1e+150"),
        ),
        ("integer", {"min": 17.0}, [17, 3, 16, 2, 1], ("min", 4, (2, 3, 4), ("3", "16", "2"), "17")),
        ("integer", {"min": 16.5}, [17, 16], ("min", 1, (2,), ("16",), "16.5")),
        ("number", {"min": 0.5, "nullable": True}, [0.5, 0.4, _NAN, None], ("min", 1, (2,), ("0.4",), "0.5")),
        ("number", {"max": 0.5, "nullable": True}, [0.5, 0.6, _NAN, None], ("max", 1, (2,), ("0.6",), "0.5")),
        ("integer", {"values": (1, 2)}, [1, 3, 2], ("values", 1, (2,), ("3",), "")),
        (
            "number",
            {"values": (1, 2.5), "nullable": True},
            [1.0, 2.5, 2.0, _NAN],
            ("values", 1, (3,), ("2",), ""),
        ),
        ("boolean", {"values": (True,)}, [True, False], ("values", 1, (2,), ("False",), "")),
        ("category", {"values": ("a", "b")}, ["a", "B"], ("values", 1, (2,), ("B",), "")),
        (
            "text",
            {"pattern": "[a-z]+"},
            ["ab", "aB", "ab ", ""],
            ("pattern", 3, (2, 3, 4), ("aB", "ab ", ""), "[a-z]+"),
        ),
        (
            "text",
            {"pattern": "a|bc"},
            ["a", "bc", "abc", "a\n"],
            ("pattern", 2, (3, 4), ("abc", "a\n"), "a|bc"),
        ),
        ("text", {"max_length": 2}, ["äö", "abc"], ("max_length", 1, (2,), ("abc",), "2")),
        ("text", {"unique": True}, ["a", "b", "a", "a"], ("unique", 3, (1, 3, 4), ("a", "a", "a"), "true")),
        (
            "text",
            {"unique": True, "nullable": True},
            [None, "b", None],
            ("unique", 2, (1, 3), ("None", "None"), "true"),
        ),
    ],
)
def test_a_broken_rule_is_counted(
    type_: str,
    rules: dict[str, object],
    values: list[object],
    found: tuple[object, ...] | None,
    column_of: ColumnOf,
    schema_of: SchemaOf,
) -> None:
    """Each rule counts the rows that break it and names the first three; null keeps every rule but its own."""
    schema = schema_of(column_of("c", type_, **rules))
    violations = check(pl.DataFrame({"c": values}), schema=schema)
    assert [(v.rule, v.n_rows, v.first_rows, v.examples, v.expected) for v in violations] == (
        [found] if found else []
    )


@pytest.mark.parametrize(
    ("type_", "values", "found"),
    [
        ("number", [1.0, 0.0, 0.5], []),
        ("integer", [0, 0, 3], []),
        ("number", [1.0, -0.5, -2.0], ["weight of at least 0: 2 rows are not (rows 2, 3: -0.5, -2)"]),
        ("number", [1.0, None, _NAN], ["nullable false: 2 rows are null (rows 2, 3)"]),
        ("number", [1.0, _INF, 2.0], ["finite: 1 row is not (row 2: inf)"]),
        ("integer", [0, 0], ["weight of a sum above 0 and below 1e+150: 2 rows are not (rows 1, 2: 0, 0)"]),
        (
            "number",
            [1.7e308, 0.0, 1.7e308],
            ["weight of a sum above 0 and below 1e+150: 2 rows are not (rows 1, 3: 1.7e+308, 1.7e+308)"],
        ),
    ],
)
def test_weights_are_what_can_be_divided_by(
    type_: str, values: list[object], found: list[str], column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """A weight is there, finite and not negative, and all together are above 0, whatever the recipe says."""
    schema = schema_of(column_of("w", type_, "weight", nullable=True))
    violations = check(pl.DataFrame({"w": values}), schema=schema)
    assert [violation.to_message().what for violation in violations] == found


def test_a_part_of_a_table_may_have_no_weight(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """The sum of the weights is a rule on a table, not on a part of one."""
    schema = schema_of(column_of("w", "number", "weight"))
    assert check(pl.DataFrame({"w": [0.0, 0.0]}), schema=schema, scope="rows") == ()


def test_datetimes_have_bounds(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Bounds on datetimes are ISO 8601 and inclusive."""
    schema = schema_of(column_of("t", "datetime", min="2020-01-01", max="2020-01-02T00:00:00Z"))
    day = datetime(2020, 1, 1, tzinfo=UTC).replace(tzinfo=None)
    frame = pl.DataFrame({"t": [day + timedelta(hours=hours) for hours in (-1, 0, 24, 25)]})
    violations = check(frame, schema=schema)
    assert [(v.rule, v.first_rows) for v in violations] == [("min", (1,)), ("max", (4,))]
    assert violations[0].examples == ("2019-12-31 23:00:00",)


def test_the_message_has_the_five_facts(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """The whole text of an error: file, column, rule, how many rows, the first three, what is near."""
    schema = schema_of(
        column_of("age", "integer", min=17.0), column_of("sex", "category", values=("Female", "Male"))
    )
    frame = pl.DataFrame({"age": [20, 3, 2, 1, 0], "sex": ["Female", "Male", "Male", "Male", "male"]})
    assert str(to_error(check(frame, schema=schema), file="data/adult.csv")) == (
        "data/adult.csv: age\n  min 17: 4 rows are below it (rows 2, 3, 4: 3, 2, 1)\n\n"
        "data/adult.csv: sex\n  values: 1 row is none of them (row 5: male)\n"
        "  did you mean 'Male'?\n  allowed: Female, Male"
    )


def test_long_values_are_cut(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A value of any length gives a message of bounded length."""
    schema = schema_of(column_of("c", "text", max_length=3))
    (violation,) = check(pl.DataFrame({"c": ["x" * 1000]}), schema=schema)
    assert violation.examples == ("x" * 39 + "…",)


def test_refused_cells_are_not_also_null(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A cell that could not be held counts once, under its type."""
    schema = schema_of(column_of("c", "integer"))
    refused = {"c": Refused(pl.Series([False, True, False]), ("x",))}
    (violation,) = check(pl.DataFrame({"c": [1, None, None]}), schema=schema, refused=refused)
    assert (violation.rule, violation.n_rows, violation.first_rows) == ("nullable", 1, (3,))


def test_a_part_of_a_table_is_not_judged_unique(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Batches number rows of the whole table and leave rules on the whole table out."""
    schema = schema_of(column_of("c", "integer", unique=True, max=1.0))
    (violation,) = check(pl.DataFrame({"c": [1, 1, 2]}), schema=schema, first_row=10, scope="rows")
    assert (violation.rule, violation.first_rows) == ("max", (13,))


def test_no_rows_break_no_rule(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """An empty frame, and a frame without columns of the schema, are in order."""
    schema = schema_of(column_of("c", "number", min=1.0, unique=True))
    assert check(pl.DataFrame(schema={"c": pl.Float64}), schema=schema) == ()
    assert check(pl.DataFrame(), schema=schema) == ()


_PANDERA_NAMES = {
    "not_nullable": "nullable",
    "field_uniqueness": "unique",
    "finite": "finite",
    "magnitude": "magnitude",
    "greater_than_or_equal_to": "min",
    "less_than_or_equal_to": "max",
    "isin": "values",
    "str_matches": "pattern",
    "str_length": "max_length",
}
_NUMBERS = st.one_of(st.none(), st.floats(-3, 3, width=16), st.sampled_from([_INF, -_INF, 1e300]))
_WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "ab", "abc", "B", "", "a\n", "é", "aé1"]))


@settings(deadline=None, max_examples=40)
@given(
    rows=st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(-3, 3), st.sampled_from([2**62])),
            _NUMBERS,
            _NUMBERS,
            st.one_of(st.none(), st.booleans()),
            _WORDS,
            _WORDS,
            st.one_of(st.none(), st.datetimes(datetime(1999, 12, 30), datetime(2000, 1, 3))),  # noqa: DTZ001
            st.one_of(st.none(), st.integers(-1, 2)),
        ),
        min_size=1,
        max_size=30,
    ),
    nullable=st.booleans(),
)
def test_counts_equal_panderas(
    rows: list[tuple[object, ...]], nullable: bool, column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """On any frame every rule's count is that of pandera's eager validation."""
    import pandera.polars as pa

    schema = schema_of(
        column_of("i", "integer", min=-2.0, max=2.0, values=(-2, 0, 1, 3), unique=True, nullable=nullable),
        column_of("f", "number", min=-1.0, max=1.5, nullable=nullable),
        column_of("g", "number", min=-1.0, nullable=nullable),
        column_of("b", "boolean", values=(True,), nullable=nullable),
        column_of("c", "category", values=("a", "b"), unique=True, nullable=nullable),
        column_of("s", "text", pattern="[a-z]+|é", max_length=2, nullable=nullable),
        column_of("t", "datetime", min="2000-01-01", max="2000-01-02", nullable=nullable),
        column_of("w", "integer", "weight", nullable=nullable),
    )
    texts = [pl.String(), pl.String()]
    dtypes = [pl.Int64(), pl.Float64(), pl.Float64(), pl.Boolean(), *texts, pl.Datetime("us"), pl.Int64()]
    names = [column.name for column in schema.columns]
    frame = pl.DataFrame(rows, schema=dict(zip(names, dtypes, strict=True)), orient="row")
    # Pandera has no rule on the sum of a column; a part of a table is not held to it.
    unique = [v for v in check(frame, schema=schema) if v.rule == "unique"]
    violations = [*unique, *check(frame, schema=schema, scope="rows")]
    ours = Counter({(v.column, v.rule): v.n_rows for v in violations})
    theirs: Counter[tuple[str, str]] = Counter()
    try:
        to_pandera(schema).validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        for case in error.failure_cases.iter_rows(named=True):
            rule = _PANDERA_NAMES[case["check"].partition("(")[0]]
            theirs[case["column"], "weight" if case["column"] == "w" and rule == "min" else rule] += 1
    assert ours == theirs


@pytest.mark.parametrize("nullable", [True, False])
def test_nan_counts_as_null_in_pandera_too(nullable: bool, column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A NaN is a null to both."""
    import pandera.polars as pa

    schema = schema_of(column_of("f", "number", min=0.0, nullable=nullable))
    frame = pl.DataFrame({"f": [1.0, _NAN, None, _NAN]})
    n_ours = sum(v.n_rows for v in check(frame, schema=schema))
    try:
        to_pandera(schema).validate(frame, lazy=True)
        n_theirs = 0
    except pa.errors.SchemaErrors as error:
        n_theirs = error.failure_cases.height
    assert n_ours == n_theirs == (0 if nullable else 3)

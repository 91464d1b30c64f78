"""Rows that stand twice, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from engine.data.quality.rows import check_rows
from engine.data.schema import Column, Schema
from engine.data.split import Parts

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
PARTS = Parts(np.arange(6), np.array([6, 7]), np.array([8, 9]))


def test_rows_in_two_parts_and_with_two_answers(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Of four judged rows one is a training row's copy, and one differs from one in the answer alone."""
    schema = schema_of(
        column_of("n", "number"), column_of("c", "category"), column_of("y", "category", "target")
    )
    frame = pl.DataFrame(
        {
            "n": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0, 7.0, 2.0, None],
            "c": ["a", "b", "a", "b", "a", "b", "a", "a", "b", None],
            "y": ["p", "q", "p", "q", "p", "q", "p", "p", "p", "p"],
        }
    )
    found = check_rows(frame, schema, PARTS, n_repeated=1)
    assert found.measures == {
        "duplicate_rows": 0.1,
        "duplicates_across_parts": 0.25,
        "conflicting_rows": 0.2,
        "near_duplicate_rows": 0.0,
        "near_duplicates_across_parts": 0.0,
    }
    assert [(one.check, one.severity, one.what) for one in found.findings] == [
        ("duplicate_rows", "warning", "1 of 10 rows (10.00%) repeat an earlier row in every column"),
        (
            "duplicates_across_parts",
            "serious",
            "1 of 4 rows (25.00%) of validation and test stand among the training rows too, target and features alike",
        ),
        (
            "conflicting_rows",
            "warning",
            "2 of 10 rows (20.00%) equal another in every feature, and have another target",
        ),
    ]


def test_rows_that_are_nearly_the_same(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Rows that agree in three digits and but for case and blanks are near, and are named by their place."""
    schema = schema_of(
        column_of("n", "number"), column_of("c", "category"), column_of("y", "category", "target")
    )
    frame = pl.DataFrame(
        {
            "n": [*np.arange(1.0, 7.0), 1.0001, 9.0, 8.5, 7.0],
            "c": ["Big  Dog", "b", "c", "d", "e", "f", "big dog ", "x", "y", "z"],
            "y": ["p"] * 10,
        }
    )
    found = check_rows(frame, schema, PARTS, n_repeated=0, kept=np.arange(10) * 2)
    assert (found.measures["near_duplicate_rows"], found.measures["near_duplicates_across_parts"]) == (
        0.1,
        0.25,
    )
    assert [(one.check, one.severity, one.what, dict(one.evidence)) for one in found.findings] == [
        (
            "near_duplicate_rows",
            "warning",
            "1 of 10 rows (10.00%) equal an earlier row but for rounding, case or blanks",
            {"n_rows": 1, "share": 0.1, "first_rows": "13"},
        ),
        (
            "near_duplicates_across_parts",
            "warning",
            "1 of 4 rows (25.00%) to be judged equal a training row but for rounding, case or blanks",
            {"n_rows": 1, "share": 0.25},
        ),
    ]


def test_years_and_rows_that_are_equal_are_not_near(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Whole numbers are not rounded, large ones with a fraction to the whole, and a copy is no near row."""
    schema = schema_of(column_of("n", "number"), column_of("y", "number", "target"))
    years = pl.DataFrame({"n": [2000.0 + at % 9 for at in range(10)], "y": [0.0] * 10})
    assert check_rows(years, schema, PARTS, n_repeated=1).measures["near_duplicate_rows"] == 0.0
    numbers = [2000.4, 2000.3, 2001.2, *np.arange(5000.2, 5007.2)]
    large = pl.DataFrame({"n": numbers, "y": [0.0] * 10})
    assert check_rows(large, schema, PARTS, n_repeated=0).measures["near_duplicate_rows"] == 0.1


def test_ids_tell_nothing_apart(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Rows that differ in an id alone are the same row."""
    schema = schema_of(
        column_of("k", "integer", "id"), column_of("n", "number"), column_of("y", "number", "target")
    )
    frame = pl.DataFrame({"k": range(10), "n": [1.0] * 10, "y": [2.0] * 10})
    assert check_rows(frame, schema, PARTS, n_repeated=9).measures["duplicates_across_parts"] == 1.0

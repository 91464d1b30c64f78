"""Columns that teach nothing, name rows, or repeat each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from engine.data.profile import ColumnProfile, Count
from engine.data.quality.columns import check_columns, check_twins
from engine.data.schema import Column

ColumnOf = Callable[..., Column]


def said(*columns: ColumnProfile, n_rows: int = 200) -> list[tuple[str, str]]:
    """Return the severity and words of what is found in a table's profile."""
    return [(one.severity, one.what) for one in check_columns(columns, n_rows=n_rows).findings]


def test_a_profile_tells_what_teaches_nothing() -> None:
    """Constants, columns that are nearly so, and columns that are mostly null."""
    constant = ColumnProfile("a", "number", "feature", nulls=0, distinct=1)
    nearly = ColumnProfile(
        "b", "category", "feature", nulls=0, distinct=2, top=(Count("x", 1999), Count("y", 1))
    )
    empty = ColumnProfile("c", "number", "feature", nulls=101, distinct=50)
    assert said(constant) == [("warning", "'a' is constant: it can teach nothing")]
    assert said(nearly, n_rows=2000) == [("note", "'b' has one value in all but 1 row")]
    assert said(empty) == [("warning", "'c' is null in 50% of the rows")]


def test_what_names_a_row() -> None:
    """A text, or an integer without many gaps, with another value in every row; a measured number is not one."""
    what = "'d' has another value in every row, like an id (role: id)"
    text = ColumnProfile("d", "category", "feature", nulls=0, distinct=200)
    counter = ColumnProfile("d", "integer", "feature", nulls=0, distinct=200, min=1001, max=1200)
    sparse = ColumnProfile("d", "integer", "feature", nulls=0, distinct=200, min=0, max=90_000)
    measured = ColumnProfile("d", "number", "feature", nulls=0, distinct=200, min=0.1, max=0.9)
    assert [said(one) for one in (text, counter, sparse, measured)] == [
        [("warning", what)],
        [("warning", what)],
        [],
        [],
    ]


def test_other_roles_are_not_judged() -> None:
    """Ids and ignored columns may be whatever they are."""
    assert said(ColumnProfile("a", "category", "id", nulls=0, distinct=200)) == []
    assert said(ColumnProfile("a", "number", "ignore", nulls=0, distinct=1)) == []


def test_measures_of_columns() -> None:
    """The largest share of nulls, and how many features are constant or like an id."""
    columns = [
        ColumnProfile("a", "number", "feature", nulls=0, distinct=1),
        ColumnProfile("b", "number", "feature", nulls=20, distinct=9),
        ColumnProfile("c", "number", "id", nulls=0, distinct=1),
    ]
    found = check_columns(columns, n_rows=200)
    assert found.measures == {"missing_values": 0.1, "constant_columns": 1, "id_like_columns": 0}
    assert found.figures == {"missing_values": {"b": 0.1}}


def test_columns_that_say_the_same(column_of: ColumnOf) -> None:
    """A renamed column, one in another unit and one in the same order are named; one that is like it is not."""
    rng = np.random.default_rng(0)
    metres = rng.random(500)
    frame = pl.DataFrame(
        {
            "grade": rng.choice(["low", "mid", "high"], 500).tolist(),
            "metres": metres,
            "feet": 3.28084 * metres,
            "near": metres + rng.normal(0, 0.05, 500),
            "power": -(metres**8),
        }
    ).with_columns(pl.col("grade").replace_strict({"low": 1, "mid": 2, "high": 3}).alias("code"))
    features = [column_of(name, "category" if name == "grade" else "number") for name in frame.columns]
    found = check_twins(frame, features)
    assert [(one.severity, one.columns) for one in found.findings] == [
        ("note", ("grade", "code")),
        ("note", ("metres", "feet")),
        ("note", ("metres", "power")),
        ("note", ("feet", "power")),
    ]
    assert [dict(one.evidence) for one in found.findings] == [
        {"distinct": 3},
        {"correlation": 1.0},
        {"rank_correlation": -1.0},
        {"rank_correlation": -1.0},
    ]
    assert found.measures == {"redundant_columns": 3}


def test_columns_are_compared_all_over_the_table(column_of: ColumnOf) -> None:
    """Two columns that differ in the last rows alone, of many, are two."""
    rng = np.random.default_rng(0)
    one = rng.random(60_000)
    frame = pl.DataFrame({"a": one, "b": np.concatenate([one[:30_000], rng.random(30_000)])})
    assert check_twins(frame, [column_of("a", "number"), column_of("b", "number")]).findings == []

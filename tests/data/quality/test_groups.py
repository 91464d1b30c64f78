"""Classes and groups of too few rows, by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from engine.data.quality.groups import check_classes, check_groups
from engine.data.schema import Column, Schema
from engine.data.split import Parts

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]


def parts_of(n_rows: int) -> Parts:
    """Return parts of 50, 10 and 40 percent, in order."""
    half, tenth = n_rows // 2, n_rows // 10
    return Parts(np.arange(half), np.arange(half, half + tenth), np.arange(half + tenth, n_rows))


def test_rare_and_absent_classes(column_of: ColumnOf) -> None:
    """A class of one row in two hundred is rare, and absent where that row is not."""
    y = np.array([0] * 199 + [1])
    found = check_classes(y, parts_of(200), ["n", "p"], column_of("y", "category", "target"))
    assert [one.what for one in found.findings] == [
        "the class 'p' of 'y' has 1 row, 0.50% of all",
        "no train row has the class 'p'",
        "no validation row has the class 'p'",
    ]
    assert found.measures == {"rarest_class": 0.005}
    hidden = check_classes(y, parts_of(200), ["n", "p"], column_of("y", "category", "target", sensitive=True))
    assert [one.what for one in hidden.findings] == [
        "a class of 'y' has 1 row, 0.50% of all",
        "no train row has 1 class",
        "no validation row has 1 class",
    ]
    assert "'p'" not in str(hidden)


def test_the_smallest_sensitive_group(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """The test rows of the smallest group are counted; fewer than 30 are said to be too few."""
    schema = schema_of(column_of("sex", "category", sensitive=True), column_of("y", "category", "target"))
    frame = pl.DataFrame({"sex": (["f"] * 9 + ["m"]) * 100})
    found = check_groups(frame, schema, parts_of(1000))
    assert (found.findings, found.measures) == ([], {"smallest_sensitive_group": 40.0})
    found = check_groups(frame[:500], schema, parts_of(500))
    assert found.measures == {"smallest_sensitive_group": 20.0}
    (only,) = found.findings
    assert only.what == (
        "1 of 2 groups of 'sex' have fewer than 30 test rows, the smallest 20: what is said of them is chance"
    )
    assert only.evidence == {"n_groups": 1, "smallest_test": 20, "its_train_rows": 25, "group": "m"}


def test_small_combinations_and_rare_values(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Two sensitive columns make combinations; a value of few training rows, or of none, is noted."""
    schema = schema_of(
        column_of("sex", "category", sensitive=True),
        column_of("old", "boolean", sensitive=True),
        column_of("job", "category"),
        column_of("y", "category", "target"),
    )
    n = 1000
    frame = pl.DataFrame(
        {
            "sex": ["f", "m"] * (n // 2),
            "old": [at % 20 == 0 for at in range(n)],
            "job": ["rare"] * 3 + ["cook"] * (n - 4) + ["new"],
        }
    )
    found = {one.check: one for one in check_groups(frame, schema, parts_of(n)).findings}
    # Every old person stands in an even row and is an f: 20 of 400 test rows.
    assert found["small_subgroups"].evidence == {"n_groups": 1, "n_rows": 20}
    assert found["rare_values"].columns == ("sex", "job") or found["rare_values"].columns == ("job",)
    assert found["rare_values"].evidence == {"n_values": 1, "n_train_rows": 3, "n_rows_of_unseen": 1}

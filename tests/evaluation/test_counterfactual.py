"""What would have had to differ: what may change, to which values, at what cost."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column
from engine.evaluation.counterfactual import Change, candidates, counterfactual
from engine.recipe.spec_table import Changes

AGE = {"quantiles": [20, 20, 30, 40, 50]}
JOB = {"levels": [{"value": "cook", "share": 0.6}, {"value": "clerk", "share": 0.4}]}
ROW = pl.DataFrame({"age": [30], "job": ["cook"], "sex": ["f"]})


def _age(changes: Changes | None = None, **more: bool) -> Column:
    return Column("age", "integer", "feature", "int64", changes=changes, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("column", "values", "costs"),
    [
        (_age(), [40, 20, 50], [0.2, 0.2, 0.4]),
        (_age("up"), [40, 50], [0.2, 0.4]),
        (_age("down"), [20], [0.2]),
        (_age("never"), None, None),
        (_age(sensitive=True), None, None),
        (_age(pii=True), None, None),
        (_age("free", sensitive=True), [40, 20, 50], [0.2, 0.2, 0.4]),
    ],
)
def test_a_column_may_become_what_training_has_seen(
    column: Column, values: list[int] | None, costs: list[float] | None
) -> None:
    """Only values of the profile, in the direction that is declared; of sensitive columns none unless said."""
    found = candidates(ROW, column, AGE)
    assert (found is None) == (values is None)
    if found is not None:
        assert sorted(found.values.to_list()) == sorted(values or [])
        assert sorted(found.costs.tolist()) == pytest.approx(sorted(costs or []))


def test_other_types_and_missing_values() -> None:
    """Levels, dates and a missing own value; of a text nothing is proposed, nor of an unknown profile."""
    job = Column("job", "category", "feature", "string")
    found = candidates(ROW, job, JOB)
    assert found is not None
    assert (found.values.to_list(), found.costs.tolist()) == (["clerk"], [0.5])
    since = Column("since", "datetime", "feature", "datetime", changes="up")
    row = pl.DataFrame({"since": [datetime(2020, 5, 1)]}, schema={"since": pl.Datetime("us")})  # noqa: DTZ001
    found = candidates(row, since, {"quantiles": ["2020-01-01T00:00:00", "2021-01-01T00:00:00"]})
    assert found is not None
    assert found.values.to_list() == [datetime(2021, 1, 1)]  # noqa: DTZ001
    missing = pl.DataFrame({"age": [None]}, schema={"age": pl.Int64})
    found = candidates(missing, _age(), AGE)
    assert found is not None
    assert found.values.to_list() == [20, 30, 40, 50]
    assert candidates(ROW, job, {}) is None
    assert candidates(ROW, Column("job", "text", "feature", "string"), JOB) is None


def _columns() -> tuple[Column, ...]:
    job = Column("job", "category", "feature", "string")
    return _age(), job, Column("sex", "category", "feature", "string", sensitive=True)


def _look(limit: float) -> tuple[Change, ...] | None:
    """Look for a change by which a score of age, job and (worth most) sex reaches `limit`."""

    def gain(rows: pl.DataFrame) -> np.ndarray:
        score = rows["age"].to_numpy() / 10 + 2.0 * (rows["job"] == "clerk").to_numpy()
        return score + 100.0 * (rows["sex"] == "m").to_numpy() - limit

    profiles = {"age": AGE, "job": JOB, "sex": {"levels": [{"value": "m", "share": 1.0}]}}
    return counterfactual(ROW, columns=_columns(), profiles=profiles, gain=gain)


def test_the_fewest_and_nearest_changes_are_found() -> None:
    """One column if one does, the nearest value that does; else two; never the sensitive one; else nothing."""
    assert _look(3.5) == (Change("age", 30, 40),)
    assert _look(4.5) == (Change("age", 30, 50),)
    assert _look(6.5) == (Change("age", 30, 50), Change("job", "cook", "clerk"))
    assert _look(8.0) is None

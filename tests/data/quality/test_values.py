"""Numbers that were spoiled on purpose are found and named; those of a long tail are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from engine.data.quality.finding import Found
from engine.data.quality.values import check_values, deviations, limit_of
from engine.data.schema import Column

ColumnOf = Callable[..., Column]
N = 2000


def checked(column_of: ColumnOf, spoil: Callable[[np.ndarray], np.ndarray], **target: bool) -> Found:
    """Check a target whose every hundredth value is spoiled, and whose errors have a long tail."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, N))
    y = np.exp(3 + a) * (1 + 0.1 * rng.standard_t(4, N)) + b
    y[::100] = spoil(y[::100])
    features = [column_of("a", "number"), column_of("b", "number")]
    frame = pl.DataFrame({"a": a, "b": b})
    return check_values(
        frame, features, y, np.arange(N) + 5, target=column_of("y", "number", "target", **target)
    )


def test_a_long_tail_is_not_wrong(column_of: ColumnOf) -> None:
    """Errors that grow with the value, and reach far now and then, are no wrong values."""
    found = checked(column_of, lambda values: values)
    assert (found.findings, found.measures) == ((), {"label_noise": 0.0})


@pytest.mark.parametrize("spoil", [lambda values: values * 1000, lambda values: values * 0 - 9999])
def test_spoiled_values_are_counted_and_named(
    spoil: Callable[[np.ndarray], np.ndarray], column_of: ColumnOf
) -> None:
    """Another unit, and a code for a missing value, are found where they stand in the file."""
    found = checked(column_of, spoil)
    (only,) = found.findings
    named = {int(row) for row in str(only.evidence["first_rows"]).split(", ")}
    assert named == {at + 6 for at in range(0, N, 100)}
    assert (only.check, only.severity, only.evidence["n_rows"]) == ("label_noise", "warning", 20)
    assert only.what == (
        "20 of 2,000 rows have a 'y' further from what models of other rows foretell than their errors explain"
    )
    assert found.measures == {"label_noise": 0.01}


def test_no_value_of_a_hidden_target_is_shown(column_of: ColumnOf) -> None:
    """Of a sensitive target the rows are named, and no value."""
    (only,) = checked(column_of, lambda values: values * 1000, sensitive=True).findings
    assert "first_rows" in only.evidence
    assert not {"first_value", "first_foretold"} & only.evidence.keys()


def test_few_rows_and_constant_features_tell_nothing(column_of: ColumnOf) -> None:
    """What can't be judged is not measured."""
    column, target = column_of("a", "number"), column_of("y", "number", "target")
    for frame, n in ((pl.DataFrame({"a": np.arange(100.0)}), 100), (pl.DataFrame({"a": [1.0] * 300}), 300)):
        found = check_values(frame, [column], np.arange(float(n)), np.arange(n), target=target)
        assert np.isnan(found.measures["label_noise"])


def test_deviations_and_their_limit_are_hand_worked() -> None:
    """Errors are measured in 1.4826 times their median size; the limit lies on the law of their tail, doubled."""
    errors = np.array([-2.0, -1.0, 0.0, 1.0, 2.0, 30.0])
    # About their median, 0.5, they lie 2.5, 1.5, 0.5, 0.5, 1.5 and 29.5 away: the median of these is 1.5.
    assert deviations(errors, np.zeros(6)) == pytest.approx((errors - 0.5) / (1.4826 * 1.5))
    # A Pareto law of power 1/2: the quantile at 1 - p is p**-0.5, so that of 10,000 the largest is about 100.
    z = (1 - (np.arange(10_000) + 0.5) / 10_000) ** -0.5
    assert limit_of(z) == pytest.approx(200, rel=0.01)
    assert limit_of(np.zeros(10)) == np.inf

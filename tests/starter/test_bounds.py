"""The gate of a first recipe."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.evaluation.score import Interval
from engine.starter.bounds import Bound, Measured, bound


def measured(
    constant: float,
    linear: float,
    model: tuple[float, float, float],
    *,
    greater: bool = True,
    n_test: int = 100,
) -> Measured:
    """Return scores; `model` is a value with its interval."""
    value, low, high = model
    return Measured(
        metric="roc_auc" if greater else "rmse",
        greater_is_better=greater,
        constant=constant,
        linear=linear,
        model=Interval(value, low, high),
        n_test=n_test,
    )


@pytest.mark.parametrize(
    ("scores", "low", "high"),
    [
        (measured(0.5, 0.91, (0.93, 0.92, 0.94)), 0.7, None),
        (measured(0.5, 0.8, (0.7, 0.65, 0.75)), 0.6, None),
        (measured(0.5, 0.4, (0.7, 0.65, 0.75)), 0.6, None),
        (measured(100.0, 40.0, (20.0, 18.0, 22.0), greater=False), None, 70.0),
        (measured(0.5, 0.6, (0.6, 0.45, 0.7)), None, None),
        (measured(0.5, 0.9, (0.9, 0.8, 0.95), n_test=12), None, None),
        (measured(0.5, math.nan, (0.9, 0.8, 0.95)), 0.7, None),
    ],
)
def test_the_gate_by_hand(scores: Measured, low: float | None, high: float | None) -> None:
    """Half the way to the lesser of linear and own model; none where nothing is beyond doubt."""
    found = bound(scores)
    assert (found.min, found.max) == (low, high)


def test_what_was_left_out_is_said() -> None:
    """The reason of a gate, and of there being none, names the columns that it was measured without."""
    scores = replace(measured(0.5, 0.91, (0.93, 0.92, 0.94)), without=("boat", "body"))
    said = (
        "constant 0.5, linear 0.91, this model, quickly fitted, 0.93, on 100 test rows, all without 'boat', 'body', "
        "which may give the target away"
    )
    assert bound(scores).why == f"half the way from a constant to the lesser of the others: {said}"
    assert bound(replace(scores, n_test=3)).why.endswith(
        "which may give the target away: too few to hold a model to"
    )


@given(
    constant=st.floats(-1e6, 1e6),
    gain=st.floats(1e-6, 1e6),
    linear=st.floats(-1e6, 1e6),
    greater=st.booleans(),
)
@example(constant=0.0, gain=1.0, linear=5e-324, greater=True)
def test_the_model_passes_with_room(constant: float, gain: float, linear: float, *, greater: bool) -> None:
    """A gate is better than the constant's score or as good, and the model clears it by about half its gain."""
    sign = 1 if greater else -1
    value = constant + sign * gain
    scores = measured(constant, constant + linear, (value, value, value), greater=greater)
    found: Bound = bound(scores)
    limit = found.min if greater else found.max
    if limit is None:
        assert not scores.gains(value) > 0
        return
    rounding = 1e-9 * (abs(constant) + abs(value))
    assert sign * (value - limit) >= 0.5 * gain - rounding
    assert sign * (limit - constant) >= -rounding

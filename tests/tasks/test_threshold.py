from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recipe.spec_value import Value
from engine.tasks import confusion
from engine.tasks.task import Array, Metric, Scores
from engine.tasks.threshold import best_threshold
from engine.tasks.value import profit_metric

METRICS = [
    confusion.F1,
    confusion.BALANCED_ACCURACY,
    confusion.ACCURACY,
    confusion.MATTHEWS_CORRCOEF,
    profit_metric(Value(true_positive=50.0, false_positive=-10.0, currency="EUR")),
]


def _choose(metric: Metric, y: Array, positive: Array, weights: Array | None) -> float:
    assert metric.summary is not None
    return best_threshold(y, positive, weights, summary=metric.summary)


def _reached(metric: Metric, y: Array, positive: Array, weights: Array | None, *, threshold: float) -> float:
    decisions = (positive >= threshold).astype(np.int64)
    return metric.compute(y, Scores(values=np.empty((len(y), 2)), decisions=decisions), weights)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
@settings(deadline=None, max_examples=40)
@given(n=st.integers(2, 40), seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_no_threshold_is_better(metric: Metric, n: int, seed: int, *, weighted: bool) -> None:
    """Trying every threshold that parts the rows otherwise finds none that beats the chosen; no row is on it."""
    rng = np.random.default_rng(seed)
    y, positive = rng.integers(0, 2, n), rng.integers(1, 20, n) / 20
    weights = rng.uniform(0.1, 3, n) if weighted else None
    chosen = _choose(metric, y, positive, weights)
    assert 0 < chosen < 1
    assert chosen not in positive
    between = (np.arange(20) + 0.5) / 20
    tried = max(_reached(metric, y, positive, weights, threshold=float(t)) for t in between)
    assert _reached(metric, y, positive, weights, threshold=chosen) >= tried - 1e-9


def test_ties_go_to_the_threshold_nearest_a_half() -> None:
    """Anything between .2 and .9 separates these rows: with a row at .4 in between, either side is as good."""
    y, positive = np.array([0, 1]), np.array([0.2, 0.9])
    assert _choose(confusion.F1, y, positive, None) == pytest.approx(0.55)
    weights = np.array([1.0, 1.0, 0.0])
    assert _choose(confusion.F1, np.array([0, 1, 0]), np.array([0.2, 0.9, 0.4]), weights) == pytest.approx(
        0.65
    )
    assert _choose(confusion.F1, np.array([0, 1, 0]), np.array([0.2, 0.9, 0.6]), weights) == pytest.approx(
        0.4
    )


@pytest.mark.parametrize(
    ("y", "positive", "expected"),
    [([], [], 0.5), ([0, 1], [0.0, 1.0], 0.5), ([1, 1], [1.0, 1.0], 0.5), ([0, 0], [0.0, 0.0], 0.5)],
)
def test_corners_stay_inside(y: list[int], positive: list[float], expected: float) -> None:
    """No rows, or probabilities of exactly 0 and 1, still give a threshold inside (0, 1)."""
    assert _choose(confusion.ACCURACY, np.array(y, dtype=np.int64), np.array(positive), None) == expected


def test_neighbouring_doubles_are_told_apart() -> None:
    """Between two probabilities with no double between them the upper one is the threshold."""
    low = 0.3
    high = float(np.nextafter(low, 1))
    assert _choose(confusion.ACCURACY, np.array([0, 1]), np.array([low, high]), None) == high

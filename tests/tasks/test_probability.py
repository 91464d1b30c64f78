from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tasks import probability
from engine.tasks.task import Metric, Scores


def _scores(values: np.ndarray) -> Scores:
    return Scores(
        values=values, decisions=values.argmax(axis=1) if len(values) else np.zeros(0, dtype=np.int64)
    )


@settings(deadline=None, max_examples=60)
@given(
    n_classes=st.integers(2, 5), n=st.integers(2, 60), seed=st.integers(0, 2**32 - 1), weighted=st.booleans()
)
def test_losses_equal_scikit_learns(n_classes: int, n: int, seed: int, *, weighted: bool) -> None:
    """Log loss and Brier score are scikit-learn's, with weights, ties and probabilities of exactly 0 and 1."""
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    values = rng.integers(0, 4, (n, n_classes)) + np.eye(n_classes)[rng.integers(0, n_classes, n)]
    values /= values.sum(axis=1, keepdims=True)
    y, labels = rng.integers(0, n_classes, n), list(range(n_classes))
    weights = rng.uniform(0.1, 3, n) if weighted else None
    ours = [
        metric.compute(y, _scores(values), weights)
        for metric in (probability.LOG_LOSS, probability.BRIER_SCORE)
    ]
    theirs = [
        metrics.log_loss(y, values, sample_weight=weights, labels=labels),
        metrics.brier_score_loss(y, values, sample_weight=weights, labels=labels),
    ]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_hand_worked_calibration_of_two_classes() -> None:
    """Three rows said .62 of which one happened, one said 0 that happened: gaps .86 and 1 over four rows."""
    positive = np.array([0.62, 0.62, 0.62, 0.0])
    scores = _scores(np.column_stack([1 - positive, positive]))
    error = probability.EXPECTED_CALIBRATION_ERROR.compute(np.array([1, 0, 0, 1]), scores, None)
    assert error == pytest.approx((abs(1 - 3 * 0.62) + 1) / 4, abs=1e-15)


def test_a_hand_worked_calibration_of_three_classes() -> None:
    """Of three classes the likeliest is judged: said .5 and .8, right once, weights 1 and 3."""
    values = np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
    error = probability.EXPECTED_CALIBRATION_ERROR.compute(
        np.array([0, 0]), _scores(values), np.array([1.0, 3.0])
    )
    assert error == pytest.approx((1 * 0.5 + 3 * 0.8) / 4, abs=1e-15)


def test_gaps_of_one_bin_cancel_and_of_two_do_not() -> None:
    """Bins are (b/15, (b+1)/15]: 1/15 is still in the first, a hair more is not."""
    y = np.array([1, 0])
    edge = 1 / 15
    for second, expected in ((edge, abs(1 - 2 * edge) / 2), (edge + 1e-9, (1 - edge + edge) / 2)):
        positive = np.array([edge, second])
        scores = _scores(np.column_stack([1 - positive, positive]))
        error = probability.EXPECTED_CALIBRATION_ERROR.compute(y, scores, None)
        assert error == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    "metric", [probability.LOG_LOSS, probability.BRIER_SCORE, probability.EXPECTED_CALIBRATION_ERROR]
)
def test_no_rows_have_no_loss(metric: Metric) -> None:
    """Of zero rows every metric is NaN."""
    scores = _scores(np.empty((0, 2)))
    assert math.isnan(metric.compute(np.zeros(0, dtype=np.int64), scores, None))

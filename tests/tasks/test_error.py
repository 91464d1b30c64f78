from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tasks import error
from engine.tasks.task import Metric, Scores

ALL = (
    error.RMSE,
    error.MAE,
    error.R2,
    error.MAPE,
    error.MEDIAN_ABSOLUTE_ERROR,
    error.MAX_ERROR,
    error.POISSON_DEVIANCE,
)


def _measure(
    y: list[float] | np.ndarray, values: list[float] | np.ndarray, weights: np.ndarray | None
) -> dict[str, float]:
    predicted = np.asarray(values, dtype=np.float64)
    scores = Scores(values=predicted, decisions=predicted)
    return {metric.name: metric.compute(np.asarray(y, dtype=np.float64), scores, weights) for metric in ALL}


@settings(deadline=None, max_examples=80)
@given(
    n=st.integers(2, 80),
    offset=st.sampled_from([1.0, 1e6]),
    seed=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
)
def test_metrics_equal_scikit_learns(n: int, offset: float, seed: int, *, weighted: bool) -> None:
    """Every metric of a number is scikit-learn's, with ties, weights and a large offset."""
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    y = offset + rng.integers(0, 9, n)
    y[:2] = offset, offset + 1
    predicted = offset + rng.integers(0, 9, n)
    weights = rng.integers(1, 5, n).astype(np.float64) if weighted else None
    given_weights = {"sample_weight": weights}
    expected = {
        "rmse": metrics.root_mean_squared_error(y, predicted, **given_weights),
        "mae": metrics.mean_absolute_error(y, predicted, **given_weights),
        "r2": metrics.r2_score(y, predicted, **given_weights),
        "mape": metrics.mean_absolute_percentage_error(y, predicted, **given_weights),
        "median_absolute_error": metrics.median_absolute_error(y, predicted, **given_weights),
        "max_error": metrics.max_error(y, predicted),
        "poisson_deviance": metrics.mean_poisson_deviance(y, predicted, **given_weights),
    }
    assert _measure(y, predicted, weights) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_hand_worked_errors() -> None:
    """Errors of 1, 1 and 2 about a mean of 3: each metric by hand."""
    measured = _measure([1, 2, 6], [2, 3, 4], None)
    deviance = 2 * ((1 * math.log(1 / 2) + 1) + (2 * math.log(2 / 3) + 1) + (6 * math.log(6 / 4) - 2)) / 3
    expected = {
        "rmse": math.sqrt(6 / 3),
        "mae": 4 / 3,
        "r2": 1 - 6 / 14,
        "mape": (1 + 1 / 2 + 2 / 6) / 3,
        "median_absolute_error": 1.0,
        "max_error": 2.0,
        "poisson_deviance": deviance,
    }
    assert measured == pytest.approx(expected, abs=1e-12)


def test_rows_of_no_weight_do_not_count() -> None:
    """A weight of zero is as good as the row's absence, for the median and the maximum too."""
    y, predicted = np.array([1.0, 2.0, 6.0, 50.0]), np.array([2.0, 3.0, 4.0, 1.0])
    weighted = _measure(y, predicted, np.array([1.0, 1.0, 1.0, 0.0]))
    assert weighted == pytest.approx(_measure(y[:3], predicted[:3], None), abs=1e-12)


@pytest.mark.parametrize(
    ("metric", "y", "predicted"),
    [
        (error.R2, [3.3, 3.3, 3.3], [1.0, 2.0, 3.0]),
        (error.MAPE, [0.0, 1.0], [1.0, 1.0]),
        (error.POISSON_DEVIANCE, [-1.0, 1.0], [1.0, 1.0]),
        (error.POISSON_DEVIANCE, [1.0, 1.0], [0.0, 1.0]),
        *[(metric, [], []) for metric in ALL],
    ],
)
def test_what_is_not_defined_is_nan(metric: Metric, y: list[float], predicted: list[float]) -> None:
    """A constant truth has no R², a truth of 0 no relative error, a rate below 0 no deviance, no rows nothing."""
    values = np.array(predicted)
    assert math.isnan(metric.compute(np.array(y), Scores(values=values, decisions=values), None))


def test_a_truth_of_zero_has_a_deviance() -> None:
    """Y = 0 costs twice the prediction, the limit of y log y being 0."""
    assert _measure([0.0], [0.5], None)["poisson_deviance"] == 1.0


@pytest.mark.parametrize(
    ("metric", "needs"),
    [
        (error.R2, "the values of the target differ"),
        (error.MAPE, "no value of the target is 0"),
        (error.POISSON_DEVIANCE, "every value of the target is 0 or more and every prediction above 0"),
        (error.RMSE, ""),
    ],
)
def test_a_metric_says_what_it_needs(metric: Metric, needs: str) -> None:
    """What can have no value on sound rows says of which rows it has one."""
    assert metric.needs == needs

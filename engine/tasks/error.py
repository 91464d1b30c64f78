"""Metrics of a number predicted for a number."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.tasks.task import Array, Scores, metric_from, ratio

# Rows of the summed statistic.
_WEIGHT, _Y, _Y2, _SQUARED, _ABSOLUTE, _RELATIVE, _POISSON = range(7)


def sums(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the sums that means of errors are made of.

    Parameters
    ----------
    y
        Shape (n,), float64.
    scores
        Its values, shape (n,), are read.
    weights
        Not used: sums are linear in the weights.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (7,): weight, y and its square about the mean,
        squared, absolute and relative error (NaN if a y is 0), Poisson deviance (NaN if a y is below 0 or a
        prediction not above it).
    """
    del weights
    # About the mean, or the square of a large offset would drown the spread.
    centred = y - y.mean() if len(y) else y
    missed = scores.values - y
    terms = np.stack(
        [
            np.ones(len(y)),
            centred,
            centred**2,
            missed**2,
            np.abs(missed),
            np.abs(missed) * ratio(1.0, np.abs(y)),
            _poisson(y, scores.values),
        ]
    )

    def at(w: Array) -> Array:
        total: Array = (terms * w).sum(axis=1)
        return total

    return at


def order_of_errors(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the median and the largest absolute error; arguments as in `sums`.

    The weighted median is the averaged inverse of the distribution (Hyndman and Fan, 1996): the middle of the
    two neighbours where the weight splits exactly, so equal weights give the usual median.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (2,): median, maximum; rows of no weight don't count.
    """
    del weights
    missed = np.abs(scores.values - y)
    order = np.argsort(missed, kind="stable")
    ranked = missed[order]

    def at(w: Array) -> Array:
        ordered = w[order]
        reached = np.cumsum(ordered)
        if not len(reached) or not reached[-1] > 0:
            return np.array([np.nan, np.nan])
        half = reached[-1] / 2
        low = int(np.searchsorted(reached, half))
        # Beyond the first row that holds more than what `low` had reached: the next row with weight.
        high = low
        if reached[low] <= half * (1 + np.finfo(np.float64).eps):
            high = min(int(np.searchsorted(reached, reached[low], side="right")), len(reached) - 1)
        last = len(ordered) - 1 - int(np.argmax(ordered[::-1] > 0))
        return np.array([(ranked[low] + ranked[high]) / 2, ranked[last]])

    return at


def _poisson(y: Array, predicted: Array) -> Array:
    """Return the unit deviance of McCullagh and Nelder (1989), 2 (y log(y / p) - y + p), shape (n,)."""
    defined = (y >= 0) & (predicted > 0)
    share = np.divide(y, predicted, out=np.ones(len(y)), where=defined & (y > 0))
    return np.where(defined, 2 * (y * np.log(share) - y + predicted), np.nan)


def _mean(index: int) -> Callable[[Array], Array]:
    return lambda total: ratio(total[..., index], total[..., _WEIGHT])


def _rmse(total: Array) -> Array:
    root: Array = np.sqrt(_mean(_SQUARED)(total))
    return root


def _r2(total: Array) -> Array:
    spread = total[..., _Y2] - ratio(total[..., _Y] ** 2, total[..., _WEIGHT])
    # A constant y leaves only rounding, about the epsilon of what was subtracted.
    constant = spread <= 1e-14 * total[..., _Y2]
    return 1.0 - ratio(total[..., _SQUARED], np.where(constant, 0.0, spread))


def _median(pair: Array) -> Array:
    value: Array = pair[..., 0]
    return value


def _largest(pair: Array) -> Array:
    value: Array = pair[..., 1]
    return value


RMSE = metric_from(sums, _rmse, name="rmse", title="Root mean squared error", greater_is_better=False)
MAE = metric_from(sums, _mean(_ABSOLUTE), name="mae", title="Mean absolute error", greater_is_better=False)
R2 = metric_from(
    sums, _r2, name="r2", title="R²", greater_is_better=True, needs="the values of the target differ"
)
MAPE = metric_from(
    sums,
    _mean(_RELATIVE),
    name="mape",
    title="Mean absolute error as a share of the value",
    greater_is_better=False,
    needs="no value of the target is 0",
)
MEDIAN_ABSOLUTE_ERROR = metric_from(
    order_of_errors,
    _median,
    name="median_absolute_error",
    title="Median absolute error",
    greater_is_better=False,
)
MAX_ERROR = metric_from(
    order_of_errors, _largest, name="max_error", title="Largest absolute error", greater_is_better=False
)
POISSON_DEVIANCE = metric_from(
    sums,
    _mean(_POISSON),
    name="poisson_deviance",
    title="Mean Poisson deviance",
    greater_is_better=False,
    needs="every value of the target is 0 or more and every prediction above 0",
)

"""Metrics with the intervals that resampling the rows gives them.

One resampling of the rows serves all metrics, and what metrics share, such as the confusion of classes, is
computed once a resample. Knows no metric by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.tasks.task import Array, Metric, Scores

# More rows than this hardly narrow an interval further, and each resample costs as many steps.
MAX_RESAMPLED_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A metric's value and the bounds it lies between; bounds are None where there are none."""

    value: float
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None]:
        """Return the documented JSON form; a value that is not finite is null."""
        return {"value": finite(self.value), "low": finite(self.low), "high": finite(self.high)}


def finite(value: float | None) -> float | None:
    """Return the value, or None where JSON has no number for it."""
    return value if value is not None and math.isfinite(value) else None


def score(
    y: Array,
    scores: Scores,
    weights: Array | None,
    *,
    metrics: Mapping[str, Metric],
    confidence: float,
    n_bootstrap: int,
    seed: int,
    most_rows: int = MAX_RESAMPLED_ROWS,
) -> dict[str, Interval]:
    """Return each metric with a percentile bootstrap interval (Efron and Tibshirani, 1993, chapter 13).

    Rows are drawn with replacement, each with its weight; the same draws serve all metrics.

    Parameters
    ----------
    y
        Shape (n,): int64 class indices, or float64.
    scores
        Of the same n rows.
    weights
        Shape (n,), or None for equal weights.
    metrics
        By the name under which each is returned.
    confidence
        Of the intervals, in (0, 1).
    n_bootstrap
        Resamples; 0 gives values without bounds.
    seed
        Decides the draws; equal arguments give bit-equal intervals.
    most_rows
        The most rows that are resampled.

    Returns
    -------
    dict[str, Interval]
        In the order of `metrics`. Bounds are None where the value is undefined, or the metric is in half of
        the resamples or more.

    Notes
    -----
    O(n_bootstrap * n). Above `most_rows` as many are drawn once without replacement and resampled instead,
    and the interval is scaled by sqrt(m / n) about the value (Bickel, Götze and van Zwet, 1997, m out of n).

    Examples
    --------
    >>> from engine.tasks.confusion import ACCURACY
    >>> scores = Scores(values=np.eye(2)[[0, 1, 1, 0]], decisions=np.array([0, 1, 1, 0]))
    >>> metrics = {"accuracy": ACCURACY}
    >>> score(np.array([0, 1, 0, 0]), scores, None, metrics=metrics, confidence=0.9, n_bootstrap=0, seed=0)
    {'accuracy': Interval(value=0.75, low=None, high=None)}
    """
    values = measure(y, scores, weights, metrics=metrics)
    n_rows = len(y)
    if not n_bootstrap or not n_rows:
        return {name: Interval(value, None, None) for name, value in values.items()}
    (drawn,) = resample(
        y, [scores], weights, metrics=metrics, n_bootstrap=n_bootstrap, seed=seed, most_rows=most_rows
    )
    return {
        name: bounded(
            value,
            drawn.values[name],
            centre=drawn.centres[name],
            scale=drawn.scale,
            confidence=confidence,
        )
        for name, value in values.items()
    }


@dataclass(frozen=True, slots=True)
class Resampled:
    """Metrics on resamples of rows: each of shape (n_bootstrap,), and on the rows that were resampled.

    `scale` shrinks deviations where fewer rows were resampled than there are; else it is 1.
    """

    values: Mapping[str, Array]
    centres: Mapping[str, float]
    scale: float


def resample(
    y: Array,
    several: Sequence[Scores],
    weights: Array | None,
    *,
    metrics: Mapping[str, Metric],
    n_bootstrap: int,
    seed: int,
    most_rows: int = MAX_RESAMPLED_ROWS,
) -> list[Resampled]:
    """Measure the scores of one or several models on the same resamples of the same rows.

    The arguments are those of `score`. Returns one for each of `several`; a model's own does not depend on
    which others there are.
    """
    draws = draw(len(y), n_bootstrap=n_bootstrap, seed=seed, most_rows=most_rows)
    if draws.kept is not None:
        kept = draws.kept
        y, weights = y[kept], None if weights is None else weights[kept]
        several = [one.take(kept) for one in several]
    values = _resample(y, several, weights, metrics=metrics, draws=draws)
    return [
        Resampled(found, measure(y, one, weights, metrics=metrics), draws.scale)
        for found, one in zip(values, several, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class Draws:
    """Resamples of rows.

    Attributes
    ----------
    kept
        The rows that are resampled, in order; None where all are.
    scale
        As of `Resampled`.
    counts
        To go through once: how often each row that is resampled is in each resample.
    """

    kept: Array | None
    scale: float
    counts: Iterator[Array]


def draw(n_rows: int, *, n_bootstrap: int, seed: int, most_rows: int = MAX_RESAMPLED_ROWS) -> Draws:
    """Draw rows with replacement, of more than `most_rows` as many of so many that are drawn without."""
    rng = np.random.default_rng(seed)
    n_kept = min(n_rows, most_rows)
    kept = np.sort(rng.choice(n_rows, n_kept, replace=False)) if n_kept < n_rows else None
    counts = (
        np.bincount(rng.integers(n_kept, size=n_kept, dtype=np.uint32), minlength=n_kept)
        for _ in range(n_bootstrap)
    )
    return Draws(kept, 1.0 if kept is None else math.sqrt(n_kept / n_rows), counts)


def bounded(value: float, drawn: Array, *, centre: float, scale: float, confidence: float) -> Interval:
    """Return a value with the percentile interval of its resamples, without bounds where it has none.

    What resampling drives one way, such as a largest gap or a calibration error near 0, may lie outside the
    percentiles of its own resamples: they are widened to hold it.

    Parameters
    ----------
    drawn
        Shape (n_bootstrap,).
    centre, scale
        The value on the rows that were resampled, and by what deviations from it shrink.
    """
    tail = (1 - confidence) / 2
    low, high = _quantiles(drawn, (tail, 1 - tail))
    if low is None or high is None or not math.isfinite(value) or not math.isfinite(centre):
        return Interval(value, None, None)
    if scale != 1.0:
        low, high = value + scale * (low - centre), value + scale * (high - centre)
    return Interval(value, min(low, value), max(high, value))


def measure(
    y: Array, scores: Scores, weights: Array | None, *, metrics: Mapping[str, Metric]
) -> dict[str, float]:
    """Return each metric's value, without an interval; the arguments are those of `score`."""
    ones = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    columns = _columns(y, scores, weights, metrics=metrics)
    values: dict[str, float] = {}
    for at, named in columns:
        statistic = at(ones)
        values |= {name: float(summary(statistic)) for name, summary in named.items()}
    return {name: values[name] for name in metrics}


def _resample(
    y: Array,
    several: Sequence[Scores],
    weights: Array | None,
    *,
    metrics: Mapping[str, Metric],
    draws: Draws,
) -> list[dict[str, Array]]:
    """Return for each scores and metric its value on each resample, shape (n_bootstrap,)."""
    each = [_columns(y, scores, weights, metrics=metrics) for scores in several]
    columns = [column for of_one in each for column in of_one]
    drawn: list[list[Array]] = [[] for _ in columns]
    for counts in draws.counts:
        w = counts.astype(np.float64) if weights is None else counts * weights
        for statistics, (at, _named) in zip(drawn, columns, strict=True):
            statistics.append(at(w))
    summed = iter(drawn)
    return [
        {
            name: summary(stacked)
            for _at, named in of_one
            for stacked in [np.stack(next(summed))]
            for name, summary in named.items()
        }
        for of_one in each
    ]


_Column = tuple[Callable[[Array], Array], dict[str, Callable[[Array], Array]]]


def _columns(
    y: Array, scores: Scores, weights: Array | None, *, metrics: Mapping[str, Metric]
) -> Sequence[_Column]:
    """Return each distinct statistic, prepared, with the metrics that are made of it.

    A metric without a statistic is its own: computed anew at each weighting.
    """
    shared: dict[object, _Column] = {}
    for name, metric in metrics.items():
        if metric.statistic is None or metric.summary is None:
            shared[name] = (_whole(metric, y, scores), {name: _itself})
        elif metric.statistic in shared:
            shared[metric.statistic][1][name] = metric.summary
        else:
            shared[metric.statistic] = (metric.statistic(y, scores, weights), {name: metric.summary})
    return list(shared.values())


def _whole(metric: Metric, y: Array, scores: Scores) -> Callable[[Array], Array]:
    return lambda w: np.asarray(metric.compute(y, scores, w))


def _itself(value: Array) -> Array:
    return value


def _quantiles(values: Array, at: tuple[float, float]) -> tuple[float | None, float | None]:
    defined = values[np.isfinite(values)]
    if 2 * len(defined) <= len(values):
        return None, None
    low, high = np.quantile(defined, at)
    return float(low), float(high)

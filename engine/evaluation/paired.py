"""Whether one model is better than another on the same rows: each metric's difference, with its interval.

Two intervals that overlap say little: what both models find hard is in both. The difference on the same
resamples leaves that out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from engine.evaluation.score import Interval, bounded, measure, resample
from engine.tasks.task import Array, Metric, Scores

# Equal scores that were summed in another order differ by less, of their size or of one.
_DUST = 1e-12

Verdict = Literal["better", "worse", "the same", "unproven"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of one model less that of another, and whether that proves the first better or worse."""

    interval: Interval
    verdict: Verdict

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form: value, low, high, verdict."""
        return {**self.interval.to_json(), "verdict": self.verdict}


def compare_models(
    y: Array,
    own: Scores,
    rivals: Sequence[Scores],
    weights: Array | None,
    *,
    metrics: Mapping[str, Metric],
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> list[dict[str, Difference]]:
    """Hold one model against others, metric by metric, by a paired bootstrap of the rows.

    Parameters
    ----------
    y
        Shape (n,): int64 class indices, or float64.
    own, rivals
        What each model says of the same n rows.
    weights, metrics, confidence, n_bootstrap, seed
        As `engine.evaluation.score.score` takes them.

    Returns
    -------
    list of dict
        For each rival and metric the model's value less the rival's. *better* and *worse* where 0 lies
        outside the interval, by the metric's own direction; *the same* where no resample tells the two
        apart; else *unproven*, also where there is no interval.

    Notes
    -----
    O(n_bootstrap * n * models). Efron and Tibshirani (1993), chapter 13; of two AUCs the interval agrees with
    that of DeLong, DeLong and Clarke-Pearson (1988).
    """
    everyone = [own, *rivals]
    values = [measure(y, one, weights, metrics=metrics) for one in everyone]
    if not n_bootstrap or not len(y):
        return [
            {name: _without_interval(values[0][name] - of_rival[name]) for name in metrics}
            for of_rival in values[1:]
        ]
    mine, *others = resample(y, everyone, weights, metrics=metrics, n_bootstrap=n_bootstrap, seed=seed)
    return [
        {
            name: _judge(
                bounded(
                    values[0][name] - of_rival[name],
                    mine.values[name] - other.values[name],
                    centre=mine.centres[name] - other.centres[name],
                    scale=mine.scale,
                    confidence=confidence,
                ),
                metric,
                is_same=_equal(mine.values[name], other.values[name])
                and math.isclose(values[0][name], of_rival[name], rel_tol=_DUST, abs_tol=_DUST),
            )
            for name, metric in metrics.items()
        }
        for of_rival, other in zip(values[1:], others, strict=True)
    ]


def _equal(one: Array, other: Array) -> bool:
    """Tell whether values differ by no more than what the order of sums leaves."""
    return bool(np.allclose(one, other, rtol=_DUST, atol=_DUST, equal_nan=True))


def _without_interval(value: float) -> Difference:
    return Difference(Interval(value, None, None), "the same" if value == 0 else "unproven")


def _judge(interval: Interval, metric: Metric, *, is_same: bool) -> Difference:
    low, high = interval.low, interval.high
    if is_same:
        # What is left of the order of sums is no difference.
        end = None if low is None else 0.0
        return Difference(Interval(0.0, end, end), "the same")
    if low is None or high is None or low <= 0 <= high:
        return Difference(interval, "unproven")
    return Difference(interval, "better" if (low > 0) == metric.greater_is_better else "worse")

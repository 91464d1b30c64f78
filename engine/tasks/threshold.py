"""The probability from which a row counts as positive, chosen on validation rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from engine.tasks.confusion import DECIDED, HIT, binary_margins
from engine.tasks.task import Array

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

NEUTRAL = 0.5
# Metrics this close are one: what differs is the order in which weights were added.
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class Aim:
    """What a threshold is chosen for, of n rows.

    Attributes
    ----------
    y
        Shape (n,), int64, 1 for rows that it is right to decide positive.
    weights
        Shape (n,), or None for equal weights.
    summary
        What is to be high: a metric of statistics of shape (..., 3, 2), as `engine.tasks.confusion` defines
        them.
    """

    y: Array
    weights: Array | None
    summary: Callable[[Array], Array]


@runtime_checkable
class Thresholded(Protocol):
    """A task that decides between two classes by a threshold, so that groups can have one each."""

    def threshold_aim(
        self, y: Array, weights: Array | None, *, spec: Spec, worth: Array | None = None
    ) -> Aim | None:
        """Return what the threshold is chosen for; None where it is a number.

        Arguments are those of `Task.choose_threshold`.
        """


def best_threshold(
    y: Array, positive: Array, weights: Array | None, *, summary: Callable[[Array], Array]
) -> float:
    """Return the threshold at which a decision metric is highest.

    Candidates lie midway between neighbouring probabilities (and beyond the outermost, where there is room
    inside (0, 1)), so that no row sits on the edge and rounding can't flip it. Of equals the nearest to 0.5
    is taken, then the lower.

    Parameters
    ----------
    y
        Shape (n,), int64, 1 for positive rows.
    positive
        Shape (n,), probabilities of the positive class.
    weights
        Shape (n,), or None for equal weights.
    summary
        The metric of statistics of shape (..., 3, 2), as `engine.tasks.confusion` defines them.

    Returns
    -------
    float
        In (0, 1); 0.5 for no rows, and where the metric is defined nowhere.

    Notes
    -----
    O(n log n): one sort, then every candidate at once from cumulative sums.
    """
    if not len(y):
        return NEUTRAL
    thresholds, statistics = candidates(y, positive, weights)
    reached = np.where((thresholds > 0) & (thresholds < 1), summary(statistics), np.nan)
    if np.isnan(reached).all():
        return NEUTRAL
    best = np.nanmax(reached)
    tied = thresholds[reached >= best - _TIE * max(1.0, abs(best))]
    return float(tied[np.argmin(np.abs(tied - NEUTRAL))])


def profit_aim(worth: Array, weights: Array | None) -> Aim:
    """Return the aim that rows, each worth something else, earn most.

    Parameters
    ----------
    worth
        Shape (n, 2): what a row is worth decided negative and decided positive.
    weights
        Shape (n,), or None for equal weights.
    """
    gain = worth[:, 1] - worth[:, 0]
    w = np.abs(gain) if weights is None else np.abs(gain) * weights
    # A row counts as much as deciding it positive gains, and as a miss where that loses.
    return Aim((gain > 0).astype(np.int64), w, _gained)


def _gained(m: Array) -> Array:
    gained: Array = 2 * m[..., HIT, 1] - m[..., DECIDED, 1]
    return gained


def candidates(y: Array, positive: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return every threshold that decides rows in another way, ascending, and what it comes to.

    Parameters
    ----------
    y, positive, weights
        As `best_threshold` takes them, at least one row.

    Returns
    -------
    tuple
        Thresholds of shape (n + 1,) of n distinct probabilities, the outermost 0 or 1 where there is no room;
        and the statistic of `engine.tasks.confusion` at each, shape (n + 1, 3, 2).
    """
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    values, index = np.unique(positive, return_inverse=True)
    positives_at = np.bincount(index, w * (y == 1), len(values))
    negatives_at = np.bincount(index, w * (y != 1), len(values))
    # Candidate i decides positive the values from the i-th on; the last candidate decides none.
    true_positive, false_positive = _from_the_top(positives_at), _from_the_top(negatives_at)
    statistics = binary_margins(
        true_positive=true_positive,
        false_positive=false_positive,
        positives=np.full(len(values) + 1, true_positive[0]),
        negatives=np.full(len(values) + 1, false_positive[0]),
    )
    return _between(values), statistics


def _between(values: Array) -> Array:
    """Return n + 1 thresholds around n ascending values; an outermost without room falls on 0 or 1."""
    padded = np.concatenate([[0.0], values, [1.0]])
    middle: Array = (padded[:-1] + padded[1:]) / 2
    # Between neighbouring doubles there is no middle: the upper one then keeps the lower one out.
    inner = middle[1:-1]
    middle[1:-1] = np.where(inner <= values[:-1], values[1:], inner)
    return middle


def _from_the_top(weight: Array) -> Array:
    return np.append(np.cumsum(weight[::-1])[::-1], 0.0)

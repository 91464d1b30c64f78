"""Metrics of order: does a positive row score above a negative one.

Rows are sorted once; a weighting of the rows then costs one pass of cumulative sums.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.tasks.task import Array, Scores, metric_from, ratio

_AUC, _PRECISION = 0, 1


def binary_ranks(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the areas under the ROC curve and the precision-recall steps of a binary target.

    Parameters
    ----------
    y
        Shape (n,), int64, 1 for positive rows.
    scores
        Its values, shape (n, 2), are read; the last column is the positive class's.
    weights
        Not used: both areas are exact at any weighting.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (2,): ROC AUC by the trapezoid rule, and average
        precision, the sum of precision times step in recall. NaN where a class has no weight.
    """
    del weights
    positive = scores.values[:, -1]
    order = np.argsort(-positive, kind="stable")
    ranked = positive[order]
    is_positive = (y[order] == 1).astype(np.float64)
    # Rows of equal score are taken in one step: only the last of each tie ends a threshold.
    ends = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1) if len(ranked) else order
    untied = len(ends) == len(ranked)

    def at(w: Array) -> Array:
        ordered = w[order]
        taken, hits = np.cumsum(ordered), np.cumsum(ordered * is_positive)
        if not untied:
            taken, hits = taken[ends], hits[ends]
        if not len(taken):
            return np.array([np.nan, np.nan])
        positives, negatives = hits[-1], taken[-1] - hits[-1]
        step = np.diff(hits, prepend=0.0)
        under_roc = ((np.diff(taken, prepend=0.0) - step) * (hits - 0.5 * step)).sum()
        under_steps = (step * ratio(hits, taken, undefined=0.0)).sum()
        area = ratio(under_roc, positives * negatives)
        return np.array([area, ratio(under_steps, positives)])

    return at


def macro_auc(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the mean one-against-the-rest ROC AUC of several classes.

    Classes without a row inside or outside are left out of the mean. At `weights` the answer is exact; at
    another weighting it is the first-order expansion around them, the placement values of DeLong, DeLong and
    Clarke-Pearson (1988) as one influence a row, so a resample costs one sum however many classes there are.

    Parameters
    ----------
    y
        Shape (n,), int64 class indices.
    scores
        Its values, shape (n, n_classes), are read.
    weights
        Shape (n,), the weighting to expand around, or None for ones.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (): in [0, 1], or NaN if no class can be ranked.

    Notes
    -----
    O(n log n) a class to prepare, O(n) a weighting.
    """
    base = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    influence = np.zeros(len(y))
    areas: list[float] = []
    for index in range(scores.values.shape[1]):
        inside = y == index
        n_inside, n_outside = (base * inside).sum(), (base * ~inside).sum()
        if not (n_inside > 0 and n_outside > 0):
            continue
        below, above = _placements(scores.values[:, index], inside, base)
        area = float((base * inside * below).sum() / n_inside / n_outside)
        areas.append(area)
        influence += np.where(
            inside, (below / n_outside - area) / n_inside, (above / n_inside - area) / n_outside
        )
    total, mean = base.sum(), float(np.mean(areas)) if areas else np.nan
    influence *= total / max(len(areas), 1)

    def at(w: Array) -> Array:
        return np.clip(mean + ratio((w * influence).sum(), w.sum()), 0.0, 1.0)

    return at


def _placements(values: Array, inside: Array, w: Array) -> tuple[Array, Array]:
    """Return for each row the weight outside below it and the weight inside above it, ties counted half."""
    order = np.argsort(values, kind="stable")
    ranked = values[order]
    starts = np.append(True, ranked[1:] != ranked[:-1])
    tie = np.cumsum(starts) - 1
    w_inside, w_outside = (w * inside)[order], (w * ~inside)[order]
    tied_inside, tied_outside = np.bincount(tie, w_inside), np.bincount(tie, w_outside)
    below = np.cumsum(tied_outside) - 0.5 * tied_outside
    above = tied_inside.sum() - np.cumsum(tied_inside) + 0.5 * tied_inside
    placed_below, placed_above = np.empty(len(values)), np.empty(len(values))
    placed_below[order], placed_above[order] = below[tie], above[tie]
    return placed_below, placed_above


def _auc(ranks: Array) -> Array:
    area: Array = ranks[..., _AUC]
    return area


def _average_precision(ranks: Array) -> Array:
    area: Array = ranks[..., _PRECISION]
    return area


def _same(area: Array) -> Array:
    return area


ROC_AUC = metric_from(
    binary_ranks,
    _auc,
    name="roc_auc",
    title="ROC AUC",
    greater_is_better=True,
    uses_decisions=False,
    needs="rows of both classes are there",
)
ROC_AUC_MACRO = metric_from(
    macro_auc,
    _same,
    name="roc_auc",
    title="ROC AUC, one class against the rest, mean",
    greater_is_better=True,
    uses_decisions=False,
    needs="rows of two classes or more are there",
)
AVERAGE_PRECISION = metric_from(
    binary_ranks,
    _average_precision,
    name="average_precision",
    title="Average precision",
    greater_is_better=True,
    uses_decisions=False,
    needs="a row is of the positive class",
)

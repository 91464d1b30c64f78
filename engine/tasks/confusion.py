"""Metrics of decisions: everything that follows from which class was decided for which.

One statistic serves them all: three weights a class, instead of a matrix, so a thousand classes stay cheap.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.tasks.task import Array, Scores, metric_from, ratio

# Where each number stands in the statistic, of shape (..., 3, n_classes).
HIT, TRUE, DECIDED = 0, 1, 2
PER_CASES = 1000
_ROUNDING = 1e-14


def margins(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the statistic: for each class the weight of hits, of true rows and of rows decided for it.

    Parameters
    ----------
    y
        Shape (n,), int64 class indices.
    scores
        Its decisions, shape (n,), and the width of its values count.
    weights
        Not used: nothing here is linearised.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (3, n_classes).
    """
    del weights
    n_classes = scores.values.shape[1]
    decisions = scores.decisions
    hit = y == decisions

    def at(w: Array) -> Array:
        true = np.bincount(y, w, n_classes)
        decided = np.bincount(decisions, w, n_classes)
        hits = np.bincount(y, w * hit, n_classes)
        return np.stack([hits, true, decided])

    return at


def binary_margins(
    *, true_positive: Array, false_positive: Array, positives: Array, negatives: Array
) -> Array:
    """Return the statistic of shape (..., 3, 2) from weights of shape (...), all of the same shape."""
    hits = np.stack([negatives - false_positive, true_positive], axis=-1)
    true = np.stack([negatives, positives], axis=-1)
    decided_positive = true_positive + false_positive
    decided = np.stack([negatives + positives - decided_positive, decided_positive], axis=-1)
    return np.stack([hits, true, decided], axis=-2)


def accuracy(m: Array) -> Array:
    """Return the share of rows decided right."""
    return ratio(m[..., HIT, :].sum(-1), m[..., TRUE, :].sum(-1))


def balanced_accuracy(m: Array) -> Array:
    """Return the mean recall of the classes that occur (scikit-learn's balanced_accuracy_score)."""
    recalls = ratio(m[..., HIT, :], m[..., TRUE, :], undefined=0.0)
    return ratio(recalls.sum(-1), (m[..., TRUE, :] > 0).sum(-1))


def precision(m: Array) -> Array:
    """Return the share of rows decided positive that are; 0 where none was, as scikit-learn has it."""
    return np.where(_total(m) > 0, ratio(m[..., HIT, -1], m[..., DECIDED, -1], undefined=0.0), np.nan)


def recall(m: Array) -> Array:
    """Return the share of positive rows decided positive; NaN where there is none."""
    return ratio(m[..., HIT, -1], m[..., TRUE, -1])


def f1(m: Array) -> Array:
    """Return the harmonic mean of precision and recall of the positive class; 0 where both are 0."""
    return np.where(_total(m) > 0, _f1_each(m)[..., -1], np.nan)


def f1_macro(m: Array) -> Array:
    """Return the mean F1 of the classes that occur or are decided for (scikit-learn's f1_score, macro)."""
    occurs = (m[..., TRUE, :] + m[..., DECIDED, :]) > 0
    return ratio(_f1_each(m).sum(-1), occurs.sum(-1))


def matthews_corrcoef(m: Array) -> Array:
    """Return the correlation of truth and decision, R_K of Gorodkin (2004); 0 where either is constant."""
    total = _total(m)
    hits = m[..., HIT, :].sum(-1)
    true, decided = m[..., TRUE, :], m[..., DECIDED, :]
    covariance = hits * total - (true * decided).sum(-1)
    spread_true = total**2 - (true**2).sum(-1)
    spread_decided = total**2 - (decided**2).sum(-1)
    # Sums of unequal weights leave a constant's spread a hair from zero, not on it.
    constant = np.minimum(spread_true, spread_decided) <= _ROUNDING * total**2
    product = np.where(constant, 0.0, spread_true * spread_decided)
    return np.where(total > 0, ratio(covariance, np.sqrt(product), undefined=0.0), np.nan)


def _total(m: Array) -> Array:
    total: Array = m[..., TRUE, :].sum(-1)
    return total


def _f1_each(m: Array) -> Array:
    return ratio(2 * m[..., HIT, :], m[..., TRUE, :] + m[..., DECIDED, :], undefined=0.0)


ACCURACY = metric_from(margins, accuracy, name="accuracy", title="Accuracy", greater_is_better=True)
BALANCED_ACCURACY = metric_from(
    margins, balanced_accuracy, name="balanced_accuracy", title="Balanced accuracy", greater_is_better=True
)
F1 = metric_from(margins, f1, name="f1", title="F1", greater_is_better=True)
PRECISION = metric_from(margins, precision, name="precision", title="Precision", greater_is_better=True)
RECALL = metric_from(
    margins,
    recall,
    name="recall",
    title="Recall",
    greater_is_better=True,
    needs="a row is of the positive class",
)
F1_MACRO = metric_from(
    margins, f1_macro, name="f1_macro", title="F1, mean of classes", greater_is_better=True
)
MATTHEWS_CORRCOEF = metric_from(
    margins, matthews_corrcoef, name="matthews_corrcoef", title="Matthews correlation", greater_is_better=True
)

"""The arrays behind the pictures, from test rows and their predictions only.

Pure numpy on arrays that were recorded; knows no file, no model and no drawing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows counted from the highest score down, one entry a distinct score.

    `thresholds`, `true_positives` and `false_positives` have shape (k,); entry i counts the rows whose
    score is at least `thresholds[i]`.
    """

    thresholds: Array
    true_positives: Array
    false_positives: Array
    n_positive: int
    n_negative: int


def rank(positive: Array, scores: Array) -> Ranking:
    """Count true and false positives at every distinct score.

    Parameters
    ----------
    positive
        Shape (n,), boolean.
    scores
        Shape (n,), finite.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], positive[order]
    last = np.flatnonzero(np.diff(ranked, append=-np.inf))
    true_positives = np.cumsum(hits, dtype=np.int64)[last]
    n_positive = int(positive.sum())
    return Ranking(
        thresholds=ranked[last],
        true_positives=true_positives,
        false_positives=1 + last - true_positives,
        n_positive=n_positive,
        n_negative=positive.size - n_positive,
    )


def roc(ranking: Ranking) -> tuple[Array, Array]:
    """Return false and true positive rates from (0, 0) to (1, 1); needs rows of both classes.

    Notes
    -----
    Fawcett, "An introduction to ROC analysis" (2006), algorithm 1.
    """
    false_rate = np.concatenate([[0.0], ranking.false_positives / ranking.n_negative])
    true_rate = np.concatenate([[0.0], ranking.true_positives / ranking.n_positive])
    return false_rate, true_rate


def precision_recall(ranking: Ranking) -> tuple[Array, Array]:
    """Return recall, rising, and the precision at it; needs a positive row."""
    found = ranking.true_positives
    return found / ranking.n_positive, found / (found + ranking.false_positives)


def counts_at(ranking: Ranking, thresholds: Array) -> tuple[Array, Array]:
    """Return true and false positives when a row is positive from each of `thresholds` up."""
    reached = np.searchsorted(-ranking.thresholds, -thresholds, side="right")
    true_positives = np.concatenate([[0], ranking.true_positives])[reached]
    return true_positives, np.concatenate([[0], ranking.false_positives])[reached]


def confusion(actual: Array, decided: Array, *, n_classes: int) -> Array:
    """Return counts of shape (n_classes, n_classes): rows are what was, columns what was decided."""
    flat = np.bincount(actual * n_classes + decided, minlength=n_classes * n_classes)
    return flat.reshape(n_classes, n_classes)


def thinned(xs: Array, ys: Array, *, most: int = 400) -> tuple[Array, Array]:
    """Keep at most `most` points of a curve of shape (n,), evenly along its drawn length, ends included."""
    if xs.size <= most:
        return xs, ys
    width, height = np.ptp(xs) or 1.0, np.ptp(ys) or 1.0
    steps = np.abs(np.diff(xs)) / width + np.abs(np.diff(ys)) / height
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    wanted = np.linspace(0.0, travelled[-1], most)
    kept = np.unique(np.minimum(np.searchsorted(travelled, wanted), xs.size - 1))
    kept[0], kept[-1] = 0, xs.size - 1
    return xs[kept], ys[kept]


def divided(top: Array, bottom: Array) -> Array:
    """Return top / bottom as float64, NaN where bottom is 0."""
    out = np.full(np.broadcast(top, bottom).shape, np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) != 0)
    return out

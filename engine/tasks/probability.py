"""Metrics of probabilities: how much was lost by them, and whether they mean what they say."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.tasks.task import Array, Scores, metric_from, ratio

# Fifteen equal bins: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017).
N_BINS = 15
_BRIER, _LOG, _WEIGHT = 0, 1, 2


def losses(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the sums of the quadratic and the logarithmic loss.

    Probabilities are kept off 0 and 1 by the double's epsilon before the logarithm, as scikit-learn does. The
    quadratic loss of two classes counts the positive one only, of more classes all (Brier, 1950).

    Parameters
    ----------
    y
        Shape (n,), int64 class indices.
    scores
        Its values, shape (n, n_classes), rows summing to 1, are read.
    weights
        Not used: sums are linear in the weights.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (3,): quadratic, logarithmic, weight.
    """
    del weights
    values = scores.values
    own = values[np.arange(len(y)), y]
    if values.shape[1] == 2:  # noqa: PLR2004 - binary
        quadratic = (1.0 - own) ** 2
    else:
        quadratic = (values**2).sum(axis=1) - own**2 + (1.0 - own) ** 2
    epsilon = np.finfo(np.float64).eps
    logarithmic = -np.log(np.clip(own, epsilon, 1.0 - epsilon))

    def at(w: Array) -> Array:
        return np.array([(w * quadratic).sum(), (w * logarithmic).sum(), w.sum()])

    return at


def calibration_gaps(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the gap between what happened and what was said, by bins of probability.

    Of two classes the positive one's probability is judged, of more classes that of the likeliest. Bin b
    holds probabilities in (b/15, (b+1)/15], and 0 belongs to the first.

    Parameters
    ----------
    y
        Shape (n,), int64 class indices.
    scores
        Its values, shape (n, n_classes), are read.
    weights
        Not used: sums are linear in the weights.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (16,): the summed gap of each bin, and the weight.
    """
    del weights
    values = scores.values
    if values.shape[1] == 2:  # noqa: PLR2004 - binary
        said, happened = values[:, 1], y == 1
    else:
        said, happened = values.max(axis=1), y == values.argmax(axis=1)
    bins = np.clip(np.ceil(said * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)
    gap = happened - said

    def at(w: Array) -> Array:
        return np.append(np.bincount(bins, w * gap, N_BINS), w.sum())

    return at


def _mean_gap(sums: Array) -> Array:
    return ratio(np.abs(sums[..., :N_BINS]).sum(-1), sums[..., N_BINS])


def _brier(sums: Array) -> Array:
    return ratio(sums[..., _BRIER], sums[..., _WEIGHT])


def _log(sums: Array) -> Array:
    return ratio(sums[..., _LOG], sums[..., _WEIGHT])


LOG_LOSS = metric_from(
    losses, _log, name="log_loss", title="Log loss", greater_is_better=False, uses_decisions=False
)
BRIER_SCORE = metric_from(
    losses, _brier, name="brier_score", title="Brier score", greater_is_better=False, uses_decisions=False
)
EXPECTED_CALIBRATION_ERROR = metric_from(
    calibration_gaps,
    _mean_gap,
    name="expected_calibration_error",
    title="Expected calibration error",
    greater_is_better=False,
    uses_decisions=False,
)

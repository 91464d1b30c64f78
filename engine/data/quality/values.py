"""Rows whose number is likely wrong: models that did not see them are further off than their errors explain.

How far errors reach is read from their own tail: a Pareto law through two of its quantiles foretells the
largest error among as many rows (Embrechts, Klüppelberg and Mikosch 1997, "Modelling Extremal Events", 6.4).
So a target with a long tail, as of prices, is not taken for a wrong one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.quality.finding import LABEL_NOISE, Evidence, Finding, Found, Severity
from engine.data.quality.labels import N_FOLDS, few_valued, matrix_of, out_of_fold
from engine.data.schema import Column

if TYPE_CHECKING:
    Array = np.ndarray
_MIN_ROWS = 200
_MAX_BINS, _ROWS_A_BIN = 20, 50
# The quantiles that the law goes through: within the tail, and below most shares of wrong values.
_INNER, _OUTER = 0.8, 0.95
# So many times what the law foretells, and so many deviations, is no chance.
_BEYOND, _LEAST_Z = 2.0, 8.0
# The deviation of a normal law, of its median absolute deviation.
_OF_NORMAL = 1.4826
_MANY = 0.01
_N_NAMED = 20
_ROUNDS = 60


def check_values(
    frame: pl.DataFrame, features: Sequence[Column], y: Array, places: Array, *, target: Column
) -> Found:
    """Count and name the rows whose target is further from what is foretold of them than chance explains.

    Parameters
    ----------
    frame
        Shape (n, …), in random order, so that every third row makes a fold.
    y
        Values, shape (n,).
    places
        Where each row stands in its file, from 0; shape (n,).
    """
    usable = [column for column in features if frame[column.name].n_unique() > 1]
    if len(y) < _MIN_ROWS or not usable or len(np.unique(y)) <= N_FOLDS:
        return Found(measures={LABEL_NOISE: float("nan")})
    x = matrix_of(frame, usable)
    # Absolute errors: a wrong value draws what is foretold of its neighbours less than by squares.
    foretold = out_of_fold(x, y, few_valued(x, usable), {"objective": "l1"}, n_rounds=_ROUNDS)
    z = deviations(y - foretold, foretold)
    doubted = np.flatnonzero(np.abs(z) > limit_of(np.abs(z)))
    share = len(doubted) / len(y)
    if not len(doubted):
        return Found(measures={LABEL_NOISE: 0.0})
    first = doubted[np.lexsort((places[doubted], -np.abs(z[doubted])))][:_N_NAMED]
    evidence: dict[str, Evidence] = {
        "n_rows": len(doubted),
        "n_looked_at": len(y),
        "share": round(share, 6),
        "largest_deviations": round(float(np.abs(z[first[0]])), 1),
        "first_rows": ", ".join(str(place + 1) for place in places[first]),
    }
    if not (target.sensitive or target.pii):
        evidence |= {"first_value": float(y[first[0]]), "first_foretold": float(foretold[first[0]])}
    what = (
        f"{len(doubted):,} of {len(y):,} rows have a '{target.name}' further from what models of other rows "
        "foretell than their errors explain"
    )
    advice = "look at the rows named first: another unit, a shifted point, a code for a missing value?"
    severity: Severity = "warning" if share >= _MANY else "note"
    return Found(
        [Finding(LABEL_NOISE, severity, (target.name,), what, evidence, advice)], {LABEL_NOISE: share}
    )


def deviations(errors: Array, foretold: Array) -> Array:
    """Return errors in robust standard deviations of those of like rows; shape (n,).

    Like are rows of which nearly the same is foretold: errors often grow with the value. The deviation is
    1.4826 times the median of the absolute errors about their median.
    """
    n_bins = int(np.clip(len(errors) // _ROWS_A_BIN, 1, _MAX_BINS))
    order = foretold.argsort(kind="stable")
    least = _spread(errors) / 10
    z = np.empty(len(errors))
    for rows in np.array_split(order, n_bins):
        spread = max(_spread(errors[rows]), least)
        off = errors[rows] - np.median(errors[rows])
        z[rows] = off / spread if spread else np.where(off == 0, 0.0, np.inf)
    return z


def _spread(errors: Array) -> float:
    return float(_OF_NORMAL * np.median(np.abs(errors - np.median(errors))))


def limit_of(z: Array) -> float:
    """Return what no absolute deviation exceeds by chance among so many, shape (n,).

    Examples
    --------
    >>> limit_of(np.abs(np.random.default_rng(0).normal(size=1000))) > 8
    True
    """
    inner, outer = np.quantile(z, [_INNER, _OUTER])
    if not 0 < inner <= outer < np.inf:
        return float("inf")
    power = np.log(outer / inner) / np.log((1 - _INNER) / (1 - _OUTER))
    largest = outer * ((1 - _OUTER) * len(z)) ** power
    return float(max(_BEYOND * largest, _LEAST_Z))

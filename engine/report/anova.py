"""PED-ANOVA: how much a param decides whether a trial is among the best.

Watanabe, Bansal and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces" (2023), with the grids and bandwidths of `optuna.importance.PedAnovaImportanceEvaluator`, whose
import loads scikit-learn and takes two seconds of CPU time where this takes a millisecond a param.
"""

from __future__ import annotations

import math

import numpy as np

from engine.recipe.space import Choices
from engine.report.trials import Axis

Array = np.ndarray

_CELLS = 50
# Scott's rule for a normal density, and the narrowest kernel: 90% of it within one cell.
_SCOTT, _NORMAL_IQR, _NARROWEST = 1.059, 1.34, 0.5 / 1.64
_FLOOR = 1e-12


def best_of(losses: Array, *, share: float) -> Array:
    """Return which of n losses are among the best `share`, shape (n,), boolean; equal ones go together."""
    last = math.ceil(share * losses.size) - 1
    is_best: Array = losses <= np.partition(losses, last)[last]
    return is_best


def divergence(axis: Axis, codes: Array, best: Array) -> float:
    """Return how far the best trials lie from all trials along one axis, as the Pearson divergence.

    Parameters
    ----------
    codes
        Shape (n,), finite, from `Axis.codes`.
    best
        Shape (n,), boolean, from `best_of`.
    """
    if isinstance(axis.space, Choices):
        n_cells = len(axis.space.values)
        cells = codes.astype(np.int64)
        density = _listed
    else:
        n_cells, density = _n_cells(axis), _ordered
        low, high = axis.ends
        # A value in the middle of two cells goes to the lower one.
        places = (codes - low) / (high - low) * (n_cells - 1)
        cells = np.clip(np.ceil(places - 0.5), 0, n_cells - 1).astype(np.int64)
    among = density(np.bincount(cells, minlength=n_cells)) + _FLOOR
    top = density(np.bincount(cells[best], minlength=n_cells)) + _FLOOR
    return float(among @ (top / among - 1.0) ** 2)


def _n_cells(axis: Axis) -> int:
    space = axis.space
    assert not isinstance(space, Choices)
    if not space.is_whole:
        return _CELLS
    n_values = int(space.high - space.low) + 1
    return min(math.ceil(math.log2(n_values)) + 1 if space.is_log else n_values, _CELLS)


def _listed(counts: Array) -> Array:
    """Return the share of each of k listed values, shape (k,), drawn a little towards equal shares."""
    seen = counts.sum()
    prior = 1.0 / (np.count_nonzero(counts) + 1)
    kernels = (counts + prior * seen) / (1.0 + prior * counts.size)
    return np.asarray((kernels + 1.0 / counts.size) / (seen + 1))


def _ordered(counts: Array) -> Array:
    """Return a smooth density over k cells in order, shape (k,): truncated normals and one wide prior."""
    cells = np.flatnonzero(counts)
    weights = counts[cells]
    total, high = int(weights.sum()), counts.size - 1
    mean = cells @ weights / total
    spread = math.sqrt((cells - mean) ** 2 @ weights / max(1, total - 1))
    reached = np.cumsum(weights)
    lower = int(np.searchsorted(reached, total // 4, side="left"))
    upper = min(int(np.searchsorted(reached, total * 3 // 4, side="right")), cells.size - 1)
    width = _SCOTT * min((cells[upper] - cells[lower]) / _NORMAL_IQR, spread) * total**-0.2
    centres = np.append(cells, high / 2)
    widths = np.append(np.full(cells.size, max(width, _NARROWEST)), high + 1.0)
    edges = (np.arange(counts.size + 1) - 0.5)[:, None]
    below = _normal((edges - centres) / widths)
    masses = np.diff(below, axis=0) / (below[-1] - below[0])
    return np.asarray(masses @ (np.append(weights, 1.0) / (total + 1)))


def _normal(values: Array) -> Array:
    """Return the normal distribution function."""
    return np.asarray(0.5 * (1.0 + np.vectorize(math.erf)(values / math.sqrt(2.0))))

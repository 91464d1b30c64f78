"""A model's answer before its link, as a sum of what the columns of its matrix add to it.

For classes that is log-odds or a score of each class, which add up as probabilities do not; a forest adds up
the probabilities themselves.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from engine.models.trees import Link, Trees
from engine.models.treeshap import Added, TreeSum

Array: TypeAlias = "np.ndarray"

# What LightGBM takes for 0: include/LightGBM/meta.h, kZeroThreshold, the float nearest to 1e-35.
ZERO = float.fromhex("0x1.a95a5cp-117")


@dataclass(frozen=True, slots=True)
class Linear:
    """Coefficients of shape (k, d), intercepts (k,), and the training rows' mean of each column, (d,)."""

    coefficients: Array
    intercepts: Array
    means: Array

    def added(self, x: Array) -> Added:
        """Return coefficient times distance from the mean: exact for columns taken as independent."""
        values = (x - self.means)[:, :, None] * self.coefficients.T
        return Added(self.intercepts + self.coefficients @ self.means, values)


@dataclass(frozen=True)
class Margin:
    """A sum of trees or of columns, and how it is asked and read.

    Attributes
    ----------
    link
        How the answer follows from the k sums.
    classes
        The class that each of the k sums is about; empty for a continuous target.
    single
        Whether x is rounded to float first.
    zero_is_missing
        Shape (d,), bool: columns where 0 is a missing value; empty where there are none.
    is_corrected
        Whether probabilities are calibrated after the link.
    """

    model: Trees | Linear
    link: Link
    classes: tuple[int, ...]
    single: bool = False
    zero_is_missing: Array = field(default_factory=lambda: np.zeros(0, bool))
    is_corrected: bool = False

    def added(self, x: Array) -> Added:
        """Return what the columns of x, prepared rows of shape (n, d), add to each of the k sums."""
        if self.single:
            x = x.astype(np.float32).astype(np.float64)
        if self.zero_is_missing.any():
            x = np.where((np.abs(x) <= ZERO) & self.zero_is_missing, np.nan, x)
        return self._parts.added(x)

    @property
    def n_nodes(self) -> int:
        """Nodes of all trees; 0 of a linear model."""
        return sum(tree.mode.size for tree in self.model.trees) if isinstance(self.model, Trees) else 0

    @cached_property
    def _parts(self) -> TreeSum | Linear:
        return TreeSum(self.model) if isinstance(self.model, Trees) else self.model


def linear_margin(coefficients: Array, intercepts: Array, *, means: Array, classes: Array) -> Margin:
    """Return the sums of a linear model: of two classes the log-odds of the last, of more a score of each.

    Parameters
    ----------
    coefficients, intercepts
        As scikit-learn keeps them.
    means
        Of the training rows' columns, shape (d,).
    classes
        Those that training held, shape (k,); none of a continuous target.
    """
    weights = np.atleast_2d(np.asarray(coefficients, np.float64))
    held = tuple(classes.tolist())
    link: Link = "identity" if not held else "scores" if len(weights) > 1 else "logit"
    linear = Linear(weights, np.atleast_1d(np.asarray(intercepts, np.float64)), means)
    return Margin(linear, link, held if link == "scores" else held[-1:])


def scaled(trees: Trees, factor: float) -> Trees:
    """Return a sum of trees times a factor."""
    if factor == 1:
        return trees
    several = tuple(replace(tree, value=tree.value * factor) for tree in trees.trees)
    return Trees(several, trees.targets, trees.base * factor)

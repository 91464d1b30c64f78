"""Categories as what the target is where they stand: its mean there, drawn towards that of all rows.

Training rows get the encoding of the other rows' targets, fold by fold: had their own been in it, a model
would read its answer there. All other rows get that of all training rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.categories import Levels, fit_levels
from engine.features.needs import Needs
from engine.graph import Graph

_N_FOLDS = 5
_LEVELS = Needs(categories="codes", missing="impute", scale=False, max_categories=None)


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """The target of the training rows.

    Attributes
    ----------
    y
        Class indices, or values, shape (n,).
    n_classes
        1 for a continuous target.
    seed
        Decides which rows are in one fold.
    """

    y: np.ndarray
    n_classes: int
    seed: int

    def columns(self) -> np.ndarray:
        """Return what is averaged: the values, whether the last of two classes, or a column a class."""
        if self.n_classes <= 2:  # noqa: PLR2004 (of two classes one tells the other)
            return self.y.astype(np.float64).reshape(-1, 1)
        columns: np.ndarray = (self.y[:, None] == np.arange(self.n_classes)).astype(np.float64)
        return columns


@dataclass(frozen=True, eq=False)
class Targeted:
    """A category with the encoding of each level, of the unseen and of the missing.

    Attributes
    ----------
    table
        Shape (n_levels + 2, n_columns): the levels in order, then unseen or rare ones, then missing ones.
    center, scale
        What the encodings were shifted and stretched by, for families that want scale; shape (n_columns,).
    """

    levels: Levels
    table: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    @property
    def column(self) -> Column:
        """The raw column."""
        return self.levels.column

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in the matrix."""
        n_columns = self.table.shape[1]
        if n_columns == 1:
            return (f"{self.column.name} target",)
        return tuple(f"{self.column.name} target {place}" for place in range(n_columns))

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return its columns of the matrix as Float64."""
        codes = self.levels.codes().cast(pl.Int64)
        return tuple(pl.lit(pl.Series(column)).gather(codes) for column in self.table.T)

    def write(self, graph: Graph, text: str) -> str:
        """Write the nodes from text (string, (rows, 1)) to its columns: double, (rows, n_columns)."""
        codes = graph.cast(self.levels.write(graph, text), np.int64)
        flat = graph.node("Squeeze", [codes, graph.constant([1])])
        return graph.node("Gather", [graph.constant(self.table), flat], axis=0)

    def cross_fit(self, frame: pl.DataFrame, outcome: Outcome) -> np.ndarray:
        """Return the training rows' encodings, each of the rows of other folds, shape (n, n_columns)."""
        codes, y = self._codes_of(frame), outcome.columns()
        n_rows = len(codes)
        rng = np.random.Generator(np.random.PCG64(outcome.seed))
        fold_of = rng.permutation(np.arange(n_rows) % _N_FOLDS)
        encoded = np.empty_like(y)
        for fold in range(_N_FOLDS):
            inside = fold_of == fold
            known = inside if inside.all() else ~inside
            encoded[inside] = encodings(codes[known], y[known], n_codes=len(self.table))[codes[inside]]
        scaled: np.ndarray = (encoded - self.center) * self.scale
        return scaled

    def _codes_of(self, frame: pl.DataFrame) -> np.ndarray:
        return frame.select(self.levels.codes().cast(pl.Int64)).to_series().to_numpy()


def encodings(codes: np.ndarray, y: np.ndarray, *, n_codes: int) -> np.ndarray:
    """Return the mean of the target of each code, drawn towards that of all rows, shape (n_codes, n_columns).

    A code without rows has the mean of all.

    Parameters
    ----------
    codes
        Shape (n,), in 0..n_codes - 1; n is at least 1.
    y
        Shape (n, n_columns).

    Notes
    -----
    Empirical Bayes: D. Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes"
    (2001), as scikit-learn's TargetEncoder has it with `smooth="auto"`.
    """
    counts = np.bincount(codes, minlength=n_codes).astype(np.float64)
    encoded = np.empty((n_codes, y.shape[1]))
    for place, values in enumerate(y.T):
        mean, variance = values.mean(), values.var()
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.bincount(codes, values, minlength=n_codes) / counts
            within = np.bincount(codes, (values - means[codes]) ** 2, minlength=n_codes) / counts
            weight = variance * counts / (variance * counts + within)
        drawn = weight * means + (1 - weight) * mean
        encoded[:, place] = np.where(np.isnan(drawn), mean, drawn)
    return encoded


def fit_targets(frame: pl.DataFrame, column: Column, *, needs: Needs, outcome: Outcome) -> Targeted:
    """Fit the encoding of a category on all training rows."""
    levels = fit_levels(frame, replace(column, unseen="other"), needs=_LEVELS)
    y = outcome.columns()
    none = np.zeros(y.shape[1])
    codes = frame.select(levels.codes().cast(pl.Int64)).to_series().to_numpy()
    table = encodings(codes, y, n_codes=len(levels.names) + 2)
    center, scale = none, none + 1.0
    if needs.scale:
        center, spread = table[codes].mean(axis=0), table[codes].std(axis=0)
        scale = np.where(spread > 0, 1 / np.where(spread > 0, spread, 1.0), 1.0)
    return Targeted(levels, (table - center) * scale, center, scale)

"""One part of a table as models and metrics take it: raw columns, encoded target, weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl


@dataclass(frozen=True, slots=True)
class PartData:
    """Rows of one part: raw columns, y of shape (n,), weights of shape (n,) or None.

    `worth`, shape (n, 2), is what each row is worth decided negative and decided positive, where a recipe
    prices its outcomes row by row, else None.
    """

    frame: pl.DataFrame
    y: np.ndarray
    weights: np.ndarray | None
    worth: np.ndarray | None = None

    @property
    def n_rows(self) -> int:
        """Rows of this part."""
        return self.frame.height

    def take(self, rows: np.ndarray) -> PartData:
        """Return some rows, given their int64 indices within this part."""
        weights = None if self.weights is None else self.weights[rows]
        worth = None if self.worth is None else self.worth[rows]
        return PartData(self.frame[rows], self.y[rows], weights, worth)

    def sample(self, most: int, *, seed: int) -> PartData:
        """Return at most `most` rows drawn at random, in order; all of them where there are no more."""
        if self.n_rows <= most:
            return self
        return self.take(np.sort(np.random.default_rng(seed).choice(self.n_rows, most, replace=False)))

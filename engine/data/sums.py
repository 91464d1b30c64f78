"""What is added up of rows that come in pieces: how many have each value, mean and spread of numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl


def count_values(values: pl.Series) -> pl.DataFrame:
    """Return each `value` and the number `n` of its rows, in no order; nulls are not counted."""
    return values.drop_nulls().alias("value").value_counts(name="n").cast({"n": pl.Int64})


def summed(*counts: pl.DataFrame) -> pl.DataFrame:
    """Return the counts of all rows from those of some, as `count_values` has them."""
    return pl.concat(counts).group_by("value").agg(pl.col("n").sum())


@dataclass
class Spread:
    """Mean and squared deviations of numbers, as far as they have come.

    Merged as T. F. Chan, G. H. Golub and R. J. LeVeque, "Updating formulae and a pairwise algorithm for
    computing sample variances" (1979). The same pieces in the same order give the same bits: numpy adds up in
    one thread.

    Attributes
    ----------
    squares
        The sum of squared deviations from the mean.
    """

    n: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def take(self, values: np.ndarray) -> None:
        """Add a piece, shape (n,), without NaN; sums beyond doubles become infinite."""
        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(values.mean())
            squares = float(((values - mean) ** 2).sum())
            n, step = self.n + len(values), mean - self.mean
            self.squares += squares + step * step * self.n * len(values) / n
            self.mean += step * len(values) / n
        self.n = n

"""A linear model of a model, right around one row: which of the row's own values its answer hangs on there.

After Ribeiro, Singh and Guestrin, "Why should I trust you?" (2016), of any model that can be asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.evaluation.contributions import Model, gathered
from engine.tasks.task import Array

# As the authors' own program has them.
_KERNEL_WIDTH = 0.75
_RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Linear models of n rows over d columns.

    Attributes
    ----------
    base
        Shape (n,): what the linear model says where no value is the row's own.
    values
        Shape (n, d): what it adds for each value that is the row's own.
    fidelity
        Shape (n,): R² of the linear model around the row, weighed by nearness; NaN where answers don't vary.
    answers
        Shape (n,): what the model itself says of the row.
    """

    columns: tuple[str, ...]
    base: Array
    values: Array
    fidelity: Array
    answers: Array


def local_surrogate(
    frame: pl.DataFrame,
    *,
    background: pl.DataFrame,
    columns: Sequence[str],
    ask: Model,
    seed: int,
    n_samples: int = 2000,
) -> Surrogate:
    """Fit a linear model around each row, to the answers for rows that share some of its values.

    Parameters
    ----------
    frame
        Shape (n, …): the rows to explain.
    background
        Shape (m, …), m at least 1: where other values are drawn from, each column for itself.
    columns
        The d columns that the model reads.
    ask
        The model.
    seed
        Decides what is drawn.
    n_samples
        Rows drawn around each row.

    Notes
    -----
    A drawn row keeps each value with probability 1/2, and weighs exp(-k / (2 * 0.75² * d)), k being how many
    of its d values differ.
    """
    rng = np.random.default_rng(seed)
    n_columns = len(columns)
    shape = (frame.height, n_columns)
    base, values, fidelity, answers = (
        np.zeros(shape[0]),
        np.zeros(shape),
        np.zeros(shape[0]),
        np.zeros(shape[0]),
    )
    for place in range(frame.height):
        keeps = rng.random((n_samples, n_columns)) < 0.5  # noqa: PLR2004 - each as likely as not
        keeps[0] = True
        drawn = 1 + rng.integers(background.height, size=keeps.shape)
        pool = pl.concat([frame[place].select(columns), background.select(columns)])
        said = ask(gathered(pool, columns, np.where(keeps, 0, drawn)), place=place)
        away = (~keeps).mean(axis=1)
        weights = np.exp(-away / (2 * _KERNEL_WIDTH**2))
        base[place], values[place], fidelity[place] = _ridge(keeps.astype(np.float64), said, weights)
        answers[place] = said[0]
    return Surrogate(tuple(columns), base, values, fidelity, answers)


def _ridge(x: Array, y: Array, weights: Array) -> tuple[float, Array, float]:
    """Return intercept, coefficients and weighed R² of y on x."""
    x_mean, y_mean = np.average(x, axis=0, weights=weights), float(np.average(y, weights=weights))
    centred, gap = x - x_mean, y - y_mean
    weighed = centred * weights[:, None]
    found = np.linalg.solve(weighed.T @ centred + _RIDGE * np.eye(x.shape[1]), weighed.T @ gap)
    total = float(weights @ gap**2)
    left = float(weights @ (gap - centred @ found) ** 2)
    return y_mean - float(x_mean @ found), found, 1 - left / total if total > 0 else float("nan")

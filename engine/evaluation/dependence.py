"""What a model says as one column goes through its values, all else as it is: partial dependence.

Friedman, "Greedy function approximation" (2001), section 8.2; the band is of the rows' own curves, Goldstein
et al., "Peeking inside the black box" (2015).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.tasks.task import Array

_MOST_NUMBERS = 15
_MOST_LEVELS = 8
# Beyond these lie few rows, and what the model says there is drawn from them.
_ENDS = (0.02, 0.98)
_BAND = (0.1, 0.9)


@dataclass(frozen=True, slots=True)
class Dependence:
    """The answers as a column takes each of g values.

    Attributes
    ----------
    values
        The g values: rising numbers, or the commonest levels.
    mean, low, high
        Shape (g,): the mean answer of all rows, and the 10 % and 90 % quantiles of theirs.
    """

    column: str
    is_number: bool
    values: pl.Series
    mean: Array
    low: Array
    high: Array


def dependence(
    frame: pl.DataFrame, *, column: str, answer: Callable[[pl.DataFrame], Array]
) -> Dependence | None:
    """Set a column to values that rows have, one after the other, and ask for all rows each time.

    Parameters
    ----------
    frame
        Shape (n, …), n at least 1.
    column
        A column of numbers, dates, categories or booleans.
    answer
        The model: of rows, shape (n,).

    Returns
    -------
    Dependence or None
        None where the column has but one value.

    Notes
    -----
    A mean over rows that may never be: what goes with the column stays behind.
    """
    present = frame[column].drop_nulls()
    is_number = present.dtype.is_numeric() or present.dtype.is_temporal()
    values = _grid(present) if is_number else _levels(present)
    if len(values) <= 1:
        return None
    answers = np.stack(
        [answer(frame.with_columns(values[place : place + 1].new_from_index(0, frame.height).alias(column)))
         for place in range(len(values))]
    )  # fmt: skip
    low, high = np.quantile(answers, _BAND, axis=1)
    return Dependence(column, is_number, values, answers.mean(axis=1), low, high)


def _grid(present: pl.Series) -> pl.Series:
    """Return values that occur, at even ranks between the ends."""
    ordered = present.sort()
    ranks = np.linspace(*_ENDS, _MOST_NUMBERS) * (len(ordered) - 1)
    return ordered.gather(np.unique(np.round(ranks).astype(np.int64)) if len(ordered) else []).unique().sort()


def _levels(present: pl.Series) -> pl.Series:
    counts = present.alias("value").value_counts(name="n").sort("n", "value", descending=[True, False])
    return counts["value"].head(_MOST_LEVELS)

"""Rows of the target that a task can't use, refused in the words of the data's other rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from engine.data.violation import N_SHOWN, Violation, to_error


def refuse_rows(bad: pl.Series, *, name: str, rule: Literal["nullable", "finite", "values"]) -> None:
    """Raise if a row is bad.

    Parameters
    ----------
    bad
        Boolean, one a row, without nulls.
    name
        The column's.
    rule
        What a bad row breaks.

    Raises
    ------
    DataError
        Says how many rows are bad and which come first.
    """
    rows = bad.arg_true()
    if len(rows):
        raise to_error([Violation(name, rule, len(rows), first_rows(rows.to_list()), ())])


def first_rows(indices: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of the first three of some rows; indices count from 0, numbers from 1.

    Examples
    --------
    >>> first_rows([0, 4, 5, 9])
    (1, 5, 6)
    """
    return tuple(index + 1 for index in indices[:N_SHOWN])

"""Rows that a task can't use, refused in the words of the data's other rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from engine.data.rules import MOST
from engine.data.violation import N_SHOWN, Violation, to_error

Rule = Literal["nullable", "finite", "values", "min", "max"]


def refuse_rows(bad: pl.Series, *, name: str, rule: Rule, expected: str = "") -> None:
    """Raise if a row is bad.

    Parameters
    ----------
    bad
        Boolean, one a row, without nulls.
    name
        The column's.
    rule
        What a bad row breaks.
    expected
        What the rule asks for.

    Raises
    ------
    DataError
        Says how many rows are bad and which come first.
    """
    rows = bad.arg_true()
    if len(rows):
        raise to_error([Violation(name, rule, len(rows), first_rows(rows.to_list()), (), expected)])


def refuse_too_large(numbers: pl.Series, *, name: str) -> None:
    """Raise if the square of a number, or a sum of such squares, may be beyond a double's range.

    Raises
    ------
    DataError
        As `refuse_rows`.
    """
    refuse_rows(numbers < -MOST, name=name, rule="min", expected=f"{-MOST:g}")
    refuse_rows(numbers > MOST, name=name, rule="max", expected=f"{MOST:g}")


def first_rows(indices: Sequence[int]) -> tuple[int, ...]:
    """Return the numbers of the first three of some rows; indices count from 0, numbers from 1.

    Examples
    --------
    >>> first_rows([0, 4, 5, 9])
    (1, 5, 6)
    """
    return tuple(index + 1 for index in indices[:N_SHOWN])

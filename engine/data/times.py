"""Lengths of time between parts that follow each other: pure functions over arrays of moments."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from engine.data.kinds import seconds_of
from engine.data.schema import Storage
from engine.errors import DataError

Array: TypeAlias = "np.ndarray"
_MICROSECONDS = 1_000_000


def length_in(length: float | str, storage: Storage) -> float:
    """Return a length of time in the units in which a column's moments are held.

    Raises
    ------
    DataError
        If it is no length of time of that column.
    """
    seconds = seconds_of(length) if isinstance(length, str) else None
    if length == 0:
        return 0
    if storage == "datetime" and seconds is not None:
        return seconds * _MICROSECONDS
    if storage != "datetime" and not isinstance(length, str):
        return length
    raise DataError.of(f"{length!r} is no length of this time", key="split.gap")


def kept_off(rows: Array, later: Array, *, times: Array, gap: float) -> Array:
    """Return the rows that lie before the first of `later` by more than the gap.

    Left out is what lies in [first - gap, first): with moments one unit apart, `gap` of them, as
    scikit-learn's TimeSeriesSplit leaves out.

    Examples
    --------
    >>> times = np.arange(10)
    >>> kept_off(times[:8], times[8:], times=times, gap=2).tolist()
    [0, 1, 2, 3, 4, 5]
    """
    kept: Array = rows[times[rows] < times[later].min() - gap]
    return kept


def embargoed(rows: Array, judged: Array, *, times: Array, gap: float, embargo: float) -> Array:
    """Return the rows before those that are judged by more than the gap, or after by more than the embargo.

    Examples
    --------
    >>> times = np.arange(10)
    >>> embargoed(times, times[4:6], times=times, gap=1, embargo=2).tolist()
    [0, 1, 2, 8, 9]
    """
    first, last = times[judged].min(), times[judged].max()
    kept: Array = rows[(times[rows] < first - gap) | (times[rows] > last + embargo)]
    return kept

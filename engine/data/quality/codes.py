"""A column as small whole numbers: its own values where they are few, else bins of as many rows each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    Array = np.ndarray
# A text that holds a number may hide it: `C-00231`.
_DIGITS = r"(\d{1,15})"
_MANY = 0.2


def pick(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Return some columns by their very names: `select` reads `*` and `^…$` as patterns."""
    return pl.DataFrame([frame[name] for name in names])


def draw(n: int, most: int, *, seed: int) -> Array:
    """Return places below n in random order, at most so many of them."""
    return np.random.default_rng([seed, n]).permutation(n)[:most]


@dataclass(frozen=True, slots=True)
class Coded:
    """Codes of shape (n_rows,), 0 for a missing value; `n` codes; whether they are bins of an order."""

    codes: Array
    n: int
    is_binned: bool


def code(values: pl.Series, *, n_bins: int) -> tuple[Coded, ...]:
    """Return the ways in which a column can be looked at.

    By its values; where some are missing, also by whether there is one. A column of texts with many values is
    coded by the number that stands in its texts (`C-00231`), and by its values unless nearly every row has
    another: then nothing may be left.

    Parameters
    ----------
    n_bins
        A number with more distinct values than this is cut into so many bins.
    """
    found = []
    if 0 < values.null_count() < len(values):
        found.append(Coded(values.is_not_null().to_numpy().astype(np.int64), 2, is_binned=False))
    if values.dtype == pl.Boolean:
        values = values.cast(pl.Int8)
    if values.dtype != pl.String:
        return (*found, _of_numbers(values, n_bins=n_bins))
    n_distinct = values.n_unique()
    if n_distinct <= max(n_bins, _MANY * len(values)):
        found.append(_of_values(values))
    if n_distinct > n_bins:
        numbers = values.str.extract(_DIGITS).cast(pl.Int64, strict=False)
        if numbers.null_count() == values.null_count():
            found.append(_of_numbers(numbers, n_bins=n_bins))
    return tuple(found)


def _of_values(values: pl.Series) -> Coded:
    codes = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return Coded(codes, int(codes.max(initial=0)) + 1, is_binned=False)


def _of_numbers(values: pl.Series, *, n_bins: int) -> Coded:
    coded = _of_values(values)
    if coded.n - 1 <= n_bins:
        return coded
    order = values.rank("min").fill_null(0).to_numpy().astype(np.float64)
    n_known = max(len(values) - values.null_count(), 1)
    binned = np.where(order == 0, 0, 1 + ((order - 1) * n_bins) // n_known).astype(np.int64)
    return Coded(binned, n_bins + 1, is_binned=True)

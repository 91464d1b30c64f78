"""What is added up in pieces is that of the whole."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from engine.data.sums import Spread, count_values, summed


def test_mean_and_spread_of_pieces_are_those_of_the_whole() -> None:
    """Also of numbers far from zero, where a sum of squares would have no digit left; an empty piece is nothing."""
    values = 1e9 + np.random.default_rng(0).normal(size=10_000)
    found = Spread()
    for piece in (values[:1], values[1:1], values[1:7000], values[7000:]):
        found.take(piece)
    assert found.n == len(values)
    assert found.mean == pytest.approx(values.mean(), rel=1e-15)
    assert math.sqrt(found.squares / found.n) == pytest.approx(values.std(), rel=1e-9)


def test_counts_of_pieces_are_those_of_the_whole() -> None:
    """Each value once, with all its rows; what is missing is not counted."""
    values = pl.Series(["a", "b", None, "a", "c", "b", "a"])
    found = summed(count_values(values[:3]), count_values(values[3:5]), count_values(values[5:]))
    assert sorted(found.rows()) == [("a", 3), ("b", 2), ("c", 1)]

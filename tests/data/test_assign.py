"""Giving rows to parts: sizes, classes, groups and times, near their shares."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.assign import by_class, by_group, by_time, codes_of, near_shares, sizes_of

_SHARES = st.lists(st.integers(1, 20), min_size=2, max_size=5).map(lambda w: [x / sum(w) for x in w])


def _rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize(
    ("n", "shares", "sizes"),
    [
        (10, [0.7, 0.1, 0.2], [7, 1, 2]),
        (11, [0.7, 0.1, 0.2], [8, 1, 2]),
        (3, [0.7, 0.1, 0.2], [1, 1, 1]),
        (4, [0.98, 0.01, 0.01], [2, 1, 1]),
        (10, [0.8, 0.0, 0.2], [8, 0, 2]),
        (10, [1 - 0.1 - 0.2, 0.1, 0.2], [7, 1, 2]),
        (7, [1 / 3] * 3, [3, 2, 2]),
    ],
)
def test_sizes_are_hand_worked(n: int, shares: list[float], sizes: list[int]) -> None:
    """Rows go by largest remainders, and no wanted part is empty."""
    assert sizes_of(n, shares=shares) == sizes


@settings(deadline=None)
@given(st.integers(5, 500), _SHARES)
def test_sizes_are_within_a_row_of_their_shares(n: int, shares: list[float]) -> None:
    """Sizes sum to the rows; each is within one row of its share unless a part would be empty."""
    sizes = sizes_of(n, shares=shares)
    assert sum(sizes) == n
    assert min(sizes) >= 1
    if min(shares) * n >= 1:
        assert all(abs(size - share * n) < 1 + 1e-6 for size, share in zip(sizes, shares, strict=True))


def test_every_row_is_equally_likely_to_test() -> None:
    """Over many seeds each row is in a part as often as its share says."""
    drawn = np.stack([near_shares(10, shares=[0.7, 0.3], rng=_rng(seed)) for seed in range(2000)])
    # Standard error of a share of 0.3 over 2000 draws: 0.0102; five of them.
    assert np.abs(drawn.mean(axis=0) - 0.3).max() < 0.051


@settings(deadline=None)
@given(st.lists(st.integers(5, 60), min_size=1, max_size=6), _SHARES, st.integers(0, 5))
def test_each_class_has_its_shares(counts: list[int], shares: list[float], seed: int) -> None:
    """Each class is divided by itself, as if it were the whole table."""
    codes = _rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    part_of = by_class(codes, shares=shares, rng=_rng(seed))
    for code, count in enumerate(counts):
        found = np.bincount(part_of[codes == code], minlength=len(shares)).tolist()
        assert found == sizes_of(count, shares=shares)


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=5, max_size=40), _SHARES, st.integers(0, 5))
def test_groups_stay_whole(counts: list[int], shares: list[float], seed: int) -> None:
    """No group is in two parts, no part is empty, and none is above its share by more than a group."""
    codes = _rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    part_of = by_group(codes, shares=shares, rng=_rng(seed))
    assert all(len(np.unique(part_of[codes == code])) == 1 for code in range(len(counts)))
    sizes = np.bincount(part_of, minlength=len(shares))
    assert sizes.min() >= 1
    assert np.all(sizes <= np.array(shares) * len(codes) + max(counts))


def test_groups_are_hand_worked() -> None:
    """The largest group goes where most is missing; the last groups fill parts without one."""
    codes = np.repeat([0, 1, 2, 3], [4, 3, 2, 1])
    # 10 rows at 0.5 and 0.5: 4 to the first, 3 to the second (5 missing, not 1), 2 to the second, 1 to the first.
    assert by_group(codes, shares=[0.5, 0.5], rng=_rng()).tolist() == [0] * 4 + [1] * 3 + [1] * 2 + [0]
    # 90 rows, then two single ones, for three parts.
    codes = np.repeat([0, 1, 2], [90, 1, 1])
    assert sorted(by_group(codes, shares=[0.7, 0.1, 0.2], rng=_rng())[-2:].tolist()) == [1, 2]


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=5, max_size=40), _SHARES)
def test_parts_do_not_overlap_in_time(counts: list[int], shares: list[float]) -> None:
    """Each part ends before the next begins, equal times together, no part empty."""
    codes = _rng().permutation(np.repeat(np.arange(len(counts)), counts))
    part_of = by_time(codes, shares=shares)
    spans = [codes[part_of == part] for part in range(len(shares))]
    assert all(len(span) for span in spans)
    assert all(before.max() < after.min() for before, after in pairwise(spans))


@pytest.mark.parametrize(
    ("counts", "shares", "parts"),
    [
        ([1] * 10, [0.7, 0.1, 0.2], [0] * 7 + [1] + [2] * 2),
        ([1] * 10, [0.8, 0.0, 0.2], [0] * 8 + [2] * 2),
        # Cuts at 3 and 5 of 10 rows would tear moments apart: 4 is nearest to both, then the next moment.
        ([4, 4, 2], [0.3, 0.2, 0.5], [0, 1, 2]),
        ([7, 1, 1, 1], [0.2, 0.2, 0.6], [0, 1, 2, 2]),
    ],
)
def test_times_are_hand_worked(counts: list[int], shares: list[float], parts: list[int]) -> None:
    """Cuts fall between moments, nearest to the shares."""
    codes = np.repeat(np.arange(len(counts)), counts)
    assert by_time(codes, shares=shares).tolist() == np.repeat(parts, counts).tolist()


def test_codes_are_places_in_order() -> None:
    """Equal values have one code, and codes are in the order of values."""
    assert codes_of(pl.Series(["b", "a", "b", "c"])).tolist() == [1, 0, 1, 2]
    assert codes_of(pl.Series([True, False])).tolist() == [1, 0]

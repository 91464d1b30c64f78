"""Ways to give each row a part so that parts come near their shares: pure functions over arrays of codes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import polars as pl

Array: TypeAlias = "np.ndarray"


def near_shares(n: int, *, shares: Sequence[float], rng: np.random.Generator) -> Array:
    """Draw a part for each of n rows; the sizes are those of `sizes_of`, shape (n,)."""
    return rng.permutation(np.repeat(np.arange(len(shares)), sizes_of(n, shares=shares)))


def sizes_of(n: int, *, shares: Sequence[float]) -> list[int]:
    """Divide n rows by shares: largest remainders, and at least one row where a share is above zero.

    Parameters
    ----------
    n
        At least the number of shares above zero.
    shares
        Summing to 1.

    Notes
    -----
    The method of largest remainders (Hamilton); ties go to the earlier part.

    Examples
    --------
    >>> sizes_of(10, shares=[0.7, 0.1, 0.2])
    [7, 1, 2]
    >>> sizes_of(3, shares=[0.9, 0.05, 0.05])
    [1, 1, 1]
    """
    exact = np.asarray(shares) * n
    # Sums of decimal fractions, such as 1 - 0.1 - 0.2, miss whole numbers by a rounding error.
    sizes = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - sizes), kind="stable")
    sizes[order[: n - int(sizes.sum())]] += 1
    for part in np.flatnonzero((np.asarray(shares) > 0) & (sizes == 0)):
        sizes[part] += 1
        sizes[int(np.argmax(sizes))] -= 1
    return [int(size) for size in sizes]


def by_class(codes: Array, *, shares: Sequence[float], rng: np.random.Generator) -> Array:
    """Draw parts within each class, each class divided by `sizes_of`.

    Parameters
    ----------
    codes
        Shape (n,), as `codes_of` gives them; each class has at least as many rows as there are parts.
    """
    part_of = np.empty(len(codes), np.int64)
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(codes))[:-1]):
        part_of[rows] = near_shares(len(rows), shares=shares, rng=rng)
    return part_of


def by_group(codes: Array, *, shares: Sequence[float], rng: np.random.Generator) -> Array:
    """Give whole groups to parts: largest first, to the part furthest below its share, in rows.

    Groups of one size come in drawn order. When only as many groups are left as there are parts without one,
    those parts get them.

    Parameters
    ----------
    codes
        Shape (n,), as `codes_of` gives them; at least as many groups as shares above zero.
    """
    sizes = np.bincount(codes)
    drawn = rng.permutation(len(sizes))
    order = drawn[np.argsort(-sizes[drawn], kind="stable")]
    wanted = np.asarray(shares) * len(codes)
    given = np.zeros(len(shares))
    empty = {part for part, share in enumerate(shares) if share > 0}
    part_of_group = np.empty(len(sizes), np.int64)
    for n_given, group in enumerate(order):
        missing = np.where(np.asarray(shares) > 0, wanted - given, -np.inf)
        if len(order) - n_given <= len(empty):
            missing[[part for part in range(len(shares)) if part not in empty]] = -np.inf
        part = int(np.argmax(missing))
        part_of_group[group] = part
        given[part] += sizes[group]
        empty.discard(part)
    part_of: Array = part_of_group[codes]
    return part_of


def by_mixed_group(
    groups: Array, classes: Array, *, shares: Sequence[float], rng: np.random.Generator
) -> Array:
    """Give whole groups to parts so that each part has its share of every class, as near as groups allow.

    Groups whose classes differ most in number come first, those alike in drawn order; each goes where the
    squared distance from the wanted class counts, relative to these, grows least. When only as many groups
    are left as there are parts without one, those parts get them.

    Parameters
    ----------
    groups, classes
        Shape (n,), as `codes_of` gives them; at least as many groups as shares above zero.

    Notes
    -----
    The greedy order is that of scikit-learn's StratifiedGroupKFold, whose parts are of equal size; the
    distance is Pearson's chi-square, so that parts may differ in size.
    """
    n_groups, n_classes = int(groups.max()) + 1, int(classes.max()) + 1
    counts = np.bincount(groups * n_classes + classes, minlength=n_groups * n_classes)
    counts = counts.reshape(n_groups, n_classes).astype(np.float64)
    drawn = rng.permutation(n_groups)
    order = drawn[np.argsort(-counts[drawn].std(axis=1), kind="stable")]
    parts = np.flatnonzero(np.asarray(shares) > 0)
    wanted = np.outer(np.asarray(shares)[parts], counts.sum(axis=0))
    missing, weight = wanted.copy(), 1 / np.maximum(wanted, np.finfo(np.float64).tiny)
    is_empty = np.ones(len(parts), bool)
    part_of_group = np.empty(n_groups, np.int64)
    for n_given, group in enumerate(order):
        mix = counts[group]
        # (missing - mix)**2 - missing**2, which is what the distance grows by.
        growth = ((mix - 2 * missing) * mix * weight).sum(axis=1)
        if n_groups - n_given <= np.count_nonzero(is_empty):
            growth[~is_empty] = np.inf
        at = int(np.argmin(growth))
        part_of_group[group] = parts[at]
        missing[at] -= mix
        is_empty[at] = False
    part_of: Array = part_of_group[groups]
    return part_of


def by_time(codes: Array, *, shares: Sequence[float]) -> Array:
    """Cut time into consecutive parts, near their shares of rows, equal times together.

    Parameters
    ----------
    codes
        Shape (n,), as `codes_of` gives them; at least as many moments as shares above zero.
    """
    part_of: Array = cut_moments(np.bincount(codes), shares=shares)[codes]
    return part_of


def cut_moments(counts: Array, *, shares: Sequence[float]) -> Array:
    """Return the part of each moment, in order, given how many rows it has, as `by_time` cuts them."""
    until = np.cumsum(counts)
    parts = [part for part, share in enumerate(shares) if share > 0]
    part_of_moment = np.full(len(counts), parts[0], np.int64)
    ends = np.cumsum([shares[part] for part in parts])[:-1] * until[-1]
    first = 0
    for place, (part, end) in enumerate(zip(parts[1:], ends, strict=True), start=1):
        # The cut after the moment whose last row is nearest; each part keeps at least one moment.
        last_allowed = len(counts) - (len(parts) - place)
        cuts = np.arange(first + 1, last_allowed + 1)
        first = int(cuts[np.argmin(np.abs(until[cuts - 1] - end))])
        part_of_moment[first:] = part
    return part_of_moment


def codes_of(column: pl.Series) -> Array:
    """Return the place of each row's value among the column's distinct values in order, int64, shape (n,)."""
    return column.rank("dense").to_numpy().astype(np.int64) - 1

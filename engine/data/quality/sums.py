"""Numbers that add up to the target: a target made of its own features is no prediction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.schema import Column

if TYPE_CHECKING:
    Array = np.ndarray
_MAX_COLUMNS = 60
_MIN_ROWS = 40
# Of the target's spread, what may be left of an exact sum: the rounding of a text's decimals.
_EXACT = 1e-3
# One row in ten need not add up.
_KEPT = 0.9
_STEPS = 3
# A summand that moves the sum by less than this is none.
_MOVES = 1e-3


def find_sums(
    frame: pl.DataFrame, features: Sequence[Column], y: Array
) -> Iterator[tuple[tuple[str, ...], str, float]]:
    """Yield the columns whose weighted sum is the target on nearly every row, at most one such set.

    Only rows with all numbers known are looked at. Columns that the sum does not need are left out, one after
    the other, so that the set is small.
    """
    numbers = [
        column.name
        for column in features
        if column.storage in {"int64", "float64"} and column.type != "category"
    ][:_MAX_COLUMNS]
    columns = [frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in numbers]
    usable = [
        (name, values)
        for name, values in zip(numbers, columns, strict=True)
        if np.isfinite(values).mean() > 1 / 2 and np.nanstd(values) > 0
    ]
    if len(usable) < 2:  # noqa: PLR2004 (one column alone is no sum)
        return
    names = [name for name, _ in usable]
    x = np.column_stack([values for _, values in usable])
    whole = np.isfinite(x).all(axis=1)
    if whole.sum() < max(_MIN_ROWS, 3 * len(names)):
        return
    x, y = x[whole], y[whole].astype(np.float64)
    spread = float(np.std(y))
    if not spread or _left(x, y, spread) > _EXACT:
        return
    kept = _needed(x, y, spread)
    if len(kept) < 2:  # noqa: PLR2004 (what one column says alone is said elsewhere)
        return
    fit = _fit(x[:, kept], y)
    terms = [_term(weight, names[at]) for weight, at in zip(fit[:-1], kept, strict=True)]
    what = f"the target is {' '.join(terms).removeprefix('+ ')}, on nearly every row"
    yield tuple(names[at] for at in kept), what, _left(x[:, kept], y, spread)


def _needed(x: Array, y: Array, spread: float) -> list[int]:
    kept = list(range(x.shape[1]))
    for at in range(x.shape[1]):
        others = [other for other in kept if other != at]
        if others and _left(x[:, others], y, spread) <= _EXACT:
            kept = others
    return kept


def _fit(x: Array, y: Array) -> Array:
    """Return least-squares weights and the constant; fitted again without the worst tenth of the rows.

    Least trimmed squares by concentration steps (Rousseeuw and Van Driessen 2006): a few wrong rows must not
    hide that the others add up.
    """
    design = np.column_stack([x, np.ones(len(x))])
    scale = np.maximum(np.abs(design).max(axis=0), 1e-300)
    design = design / scale
    weights = np.linalg.lstsq(design, y, rcond=None)[0]
    for _ in range(_STEPS):
        errors = np.abs(y - design @ weights)
        kept = errors <= np.quantile(errors, _KEPT)
        weights = np.linalg.lstsq(design[kept], y[kept], rcond=None)[0]
    return np.asarray(weights / scale)


def _left(x: Array, y: Array, spread: float) -> float:
    """Return what the best sum leaves of nine rows in ten, in standard deviations of the target."""
    errors = np.abs(y - np.column_stack([x, np.ones(len(x))]) @ _fit(x, y))
    return float(np.quantile(errors, _KEPT)) / spread


def _term(weight: float, name: str) -> str:
    size = "" if abs(abs(weight) - 1) < _MOVES else f"{abs(weight):.4g} * "
    return f"{'-' if weight < 0 else '+'} {size}'{name}'"

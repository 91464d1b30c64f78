"""The contract's rules on values, each said once in two forms: over a polars column, and of one value.

`check` counts the first form over frames, `records` compiles the second for the service; that both judge
alike has a property test. Types are not judged here: `storage` and `records` do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from math import isinf

import polars as pl

from engine.data.datetimes import parse
from engine.data.schema import Column
from engine.data.violation import show

# A double holds the square of a lesser number, and a sum of many such squares.
MOST = 1e150
# A group that repeats, or a second repetition without an end.
_SHARES = re.compile(r"\)[*+{]|(?:[*+]|,\}).*(?:[*+]|,\})", re.DOTALL)
Value = bool | int | float | str | datetime


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of one column.

    `fails` makes, of the column's expression, one that is true on the rows that break it (null: kept).
    `accepts` judges one non-null value of the column's storage type; it is None for rules that a single value
    can't break. A rule of the `whole` table is one that a part of it can neither keep nor break.
    """

    name: str
    expected: str
    fails: Callable[[pl.Expr], pl.Expr]
    accepts: Callable[[Value], bool] | None
    allowed: tuple[str, ...] = ()
    whole: bool = False


def rules_of(column: Column) -> tuple[Rule, ...]:
    """Return the rules of a column, in the order they are reported."""
    makers = (
        _nullable,
        _finite,
        _magnitude,
        _min,
        _max,
        _values,
        _pattern,
        _max_length,
        _unique,
        _weight,
        _weights,
    )
    return tuple(rule for maker in makers if (rule := maker(column)) is not None)


def bound(column: Column, limit: float | str) -> float | datetime:
    """Return `min` or `max` as a value of the column's storage type."""
    if isinstance(limit, str):
        moment = parse(limit)
        if moment is None:
            raise ValueError(limit)
        return moment
    return int(limit) if column.storage == "int64" and limit == int(limit) else float(limit)


def _nullable(column: Column) -> Rule | None:
    if column.nullable and column.role != "weight":
        return None
    if column.storage == "float64":
        return Rule("nullable", "false", lambda cell: cell.is_null() | cell.is_nan(), None)
    return Rule("nullable", "false", pl.Expr.is_null, None)


def _finite(column: Column) -> Rule | None:
    if column.storage != "float64":
        return None
    return Rule("finite", "", pl.Expr.is_infinite, lambda value: not isinf(value))  # type: ignore[arg-type]


def _magnitude(column: Column) -> Rule | None:
    """Bound a feature whose own bounds let its square be infinite; infinity has a rule of its own."""
    if column.storage != "float64" or column.role != "feature" or _is_bounded(column):
        return None

    def accepts(value: Value) -> bool:
        return abs(value) <= MOST or isinf(value)  # type: ignore[arg-type]

    return Rule("magnitude", f"{MOST:g}", lambda cell: (cell.abs() > MOST) & cell.is_finite(), accepts)


def _is_bounded(column: Column) -> bool:
    limits = [column.min, column.max]
    return all(isinstance(limit, int | float) and abs(limit) <= MOST for limit in limits)


def _min(column: Column) -> Rule | None:
    if column.min is None:
        return None
    low = bound(column, column.min)
    return Rule("min", show(column.min), lambda cell: cell < low, lambda value: value >= low)  # type: ignore[operator]


def _max(column: Column) -> Rule | None:
    if column.max is None:
        return None
    high = bound(column, column.max)
    without_nan = _without_nan(column)
    return Rule(
        "max",
        show(column.max),
        lambda cell: without_nan(cell) > high,
        lambda value: value <= high,  # type: ignore[operator]
    )


def _values(column: Column) -> Rule | None:
    if column.values is None:
        return None
    known = frozenset(column.values)
    listed = [float(v) for v in column.values] if column.storage == "float64" else list(column.values)
    without_nan = _without_nan(column)
    return Rule(
        "values",
        "",
        lambda cell: ~without_nan(cell).is_in(listed),
        known.__contains__,
        allowed=tuple(map(show, listed)),
    )


def _pattern(column: Column) -> Rule | None:
    if column.pattern is None:
        return None
    whole = f"^(?:{column.pattern})$"
    return Rule("pattern", column.pattern, lambda cell: ~cell.str.contains(whole), _matcher(column.pattern))


def _matcher(pattern: str) -> Callable[[Value], bool]:
    """Return what judges one text.

    Python's `re` is a hundred times as fast on one, but tries every way to share a text among several
    repetitions: a request could keep the service busy for ever. Such a pattern is judged as columns are, in
    linear time (https://docs.rs/regex/latest/regex/#untrusted-input).
    """
    if _SHARES.search(pattern):
        whole = f"^(?:{pattern})$"
        return lambda value: bool(pl.Series([value]).str.contains(whole)[0])
    fullmatch = re.compile(pattern).fullmatch
    return lambda value: fullmatch(value) is not None  # type: ignore[arg-type]


def _max_length(column: Column) -> Rule | None:
    if column.max_length is None:
        return None
    limit = column.max_length
    return Rule(
        "max_length",
        str(limit),
        lambda cell: cell.str.len_chars() > limit,
        lambda value: len(value) <= limit,  # type: ignore[arg-type]
    )


def _unique(column: Column) -> Rule | None:
    # Nulls are compared like values, as pandera does: two of them are duplicates.
    return Rule("unique", "true", pl.Expr.is_duplicated, None, whole=True) if column.unique else None


def _weight(column: Column) -> Rule | None:
    if column.role != "weight":
        return None
    return Rule("weight", "of at least 0", lambda cell: cell < 0, lambda value: value >= 0)  # type: ignore[operator]


def _weights(column: Column) -> Rule | None:
    """Ask for a sum to divide by, and whose square, as of a ranking's pairs, is within a double's range."""
    if column.role != "weight":
        return None

    def fails(cell: pl.Expr) -> pl.Expr:
        shares = _without_nan(column)(cell).cast(pl.Float64) / MOST
        # Infinity has a rule of its own.
        too_large = (shares.sum() >= 1) & shares.max().is_finite()
        return ((cell == 0).all() & (cell == 0)) | (too_large & (cell > 0))

    expected = f"of a sum above 0 and below {MOST:g}"
    return Rule("weight", expected, fails, None, whole=True)


def _without_nan(column: Column) -> Callable[[pl.Expr], pl.Expr]:
    """Turn NaN, which counts as null, into null: polars orders it above every number."""
    return (lambda cell: cell.fill_nan(None)) if column.storage == "float64" else (lambda cell: cell)

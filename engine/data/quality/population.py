"""What a recipe may say of the population: shares of values that a column can have, or of its ranges."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from engine.errors import Message, nearest
from engine.recipe.spec_table import ColumnSpec
from engine.recipe.strict import Scalar

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

GROUPING = ("category", "boolean", "integer", "number")
_NUMBERS = ("integer", "number")
_BETWEEN = ".."
Range = tuple[float, float]
# Shares that are written with a few decimals may be a little more than 1 together.
_ROUNDING = 1e-6


def check_population(spec: Spec) -> Iterator[Message]:
    """Yield what is wrong with `data.population`."""
    columns = spec.schema_.columns
    named = tuple(
        name for name, column in columns.items() if column.type in GROUPING and column.role != "ignore"
    )
    for name, shares in (spec.data.population or {}).items():
        key = f"data.population.{name}"
        if name not in columns:
            what = f"'{name}' is not a declared column"
            yield Message(what, key, suggestion=nearest(name, named), allowed=named)
        elif name not in named:
            what = f"'{name}' is {_kind(columns[name])}, of whose values no shares can be said"
            yield Message(what, key, allowed=named)
        elif columns[name].type in _NUMBERS and (columns[name].type == "number" or _are_ranges(shares)):
            yield from _check_ranges(shares, key=key)
        else:
            yield from _check_shares(shares, columns[name], key=key)


def ranges_of(names: Sequence[str]) -> list[Range] | None:
    """Return ranges of numbers, each from its first to below its second; None where one is no range.

    Examples
    --------
    >>> ranges_of(["..30", "30..60", "60.."]), ranges_of(["1"]), ranges_of(["9..1"])
    ([(-inf, 30.0), (30.0, 60.0), (60.0, inf)], None, None)
    """
    found = [_range(name) for name in names]
    return [one for one in found if one is not None] if all(found) else None


def _range(name: str) -> Range | None:
    low, between, high = name.partition(_BETWEEN)
    try:
        found = float(low or "-inf"), float(high or "inf")
    except ValueError:
        return None
    return found if between and found[0] < found[1] else None


def _are_ranges(shares: Mapping[str, float]) -> bool:
    return any(_BETWEEN in name for name in shares)


def _check_ranges(shares: Mapping[str, float], *, key: str) -> Iterator[Message]:
    for name in shares:
        if ranges_of([name]) is None:
            what = f"'{name}' is no range of numbers, such as '..30', '30..60' or '60..'"
            yield Message(what, f"{key}.{name}")
    for one, other in pairwise(sorted(ranges_of(list(shares)) or [])):
        if other[0] < one[1]:
            what = f"two ranges overlap: {_said(one)} and {_said(other)}"
            yield Message(what, key)
    yield from _check_sum(shares, key=key)


def _said(one: Range) -> str:
    low, high = ("" if math.isinf(end) else f"{end:g}" for end in one)
    return f"'{low}{_BETWEEN}{high}'"


def _kind(column: ColumnSpec) -> str:
    return "ignored" if column.role == "ignore" else f"of type {column.type}"


def _check_shares(shares: Mapping[str, float], column: ColumnSpec, *, key: str) -> Iterator[Message]:
    known = tuple(_text(value) for value in column.values or ())
    for value in shares:
        if known and value not in known:
            what = f"'{value}' is none of the column's values"
            yield Message(what, f"{key}.{value}", suggestion=nearest(value, known), allowed=known)
    yield from _check_sum(shares, key=key)


def _check_sum(shares: Mapping[str, float], *, key: str) -> Iterator[Message]:
    for value, share in shares.items():
        if not 0 <= share <= 1:
            yield Message(f"{share:g} is no share: it is between 0 and 1", f"{key}.{value}")
    total = sum(shares.values())
    if not shares:
        yield Message("no value has a share", key)
    elif total > 1 + _ROUNDING:
        yield Message(f"the shares sum to {total:g}, and to 1 at most can they", key)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""What a recipe may say of the population: shares of values that a column can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.errors import Message, nearest
from engine.recipe.spec import Spec
from engine.recipe.spec_table import ColumnSpec
from engine.recipe.strict import Scalar

GROUPING = ("category", "boolean", "integer")
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
        else:
            yield from _check_shares(shares, columns[name], key=key)


def _kind(column: ColumnSpec) -> str:
    return "ignored" if column.role == "ignore" else f"of type {column.type}"


def _check_shares(shares: Mapping[str, float], column: ColumnSpec, *, key: str) -> Iterator[Message]:
    known = tuple(_text(value) for value in column.values or ())
    for value, share in shares.items():
        if not 0 <= share <= 1:
            yield Message(f"{share:g} is no share: it is between 0 and 1", f"{key}.{value}")
        if known and value not in known:
            what = f"'{value}' is none of the column's values"
            yield Message(what, f"{key}.{value}", suggestion=nearest(value, known), allowed=known)
    total = sum(shares.values())
    if not shares:
        yield Message("no value has a share", key)
    elif total > 1 + _ROUNDING:
        yield Message(f"the shares sum to {total:g}, and to 1 at most can they", key)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

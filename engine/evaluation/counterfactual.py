"""What would have had to differ for another decision: a few columns, with values that training has seen.

An honest search, and no proof that nothing smaller does: what it finds has been put to the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.tasks.task import Array

# Beyond that many columns nobody would call it the same case.
MAX_CHANGES = 4
_BEAM = 8
_FOR_ANOTHER_VALUE = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """One column that differs: what it was, and what it would have had to be."""

    column: str
    was: object
    becomes: object


@dataclass(frozen=True, slots=True)
class _State:
    """The changes so far, by column; how far they lead to the other decision, and what they cost."""

    changes: Mapping[str, int]
    gain: float
    cost: float


@dataclass(frozen=True, slots=True)
class Candidates:
    """The values of one column that may stand in for the row's own; `costs` has shape (n,), the least first.

    A number costs the share of training rows between the two values, any other value a half.
    """

    values: pl.Series
    costs: Array


def candidates(row: pl.DataFrame, column: Column, profile: Mapping[str, object]) -> Candidates | None:
    """Return what a column may become, or None where it may not change or training says nothing of it.

    Parameters
    ----------
    row
        Shape (1, …).
    column
        Its `changes` says whether it may; where that is not said, sensitive and personal ones may not.
    profile
        The column's entry in `reference.json`: `quantiles` of numbers and dates, or `levels`.
    """
    was = row[column.name][0]
    held = column.sensitive or column.pii
    changes = column.changes or ("never" if held else "free")
    if changes == "never" or column.type == "text":
        return None
    found = _seen(row[column.name].dtype, profile)
    if found is None:
        return None
    values, ranks = found
    is_ordered = column.type in ("integer", "number", "datetime")
    keep = (values != was).fill_null(value=True) if was is not None else pl.Series([True] * len(values))
    if is_ordered and was is not None and changes in ("up", "down"):
        keep &= (values > was) if changes == "up" else (values < was)
    values, kept = values.filter(keep), ranks[keep.to_numpy()]
    if not len(values):
        return None
    costs = np.full(len(values), _FOR_ANOTHER_VALUE)
    if is_ordered and was is not None:
        # The share of training rows up to the row's own value.
        own = ranks[(found[0] <= was).to_numpy()].max(initial=0.0)
        costs = np.abs(kept - own)
    order = np.argsort(costs, kind="stable")
    return Candidates(values.gather(order), costs[order])


def _seen(dtype: pl.DataType, profile: Mapping[str, object]) -> tuple[pl.Series, Array] | None:
    """Return the values that training rows hold, each once, and the share of rows up to each."""
    listed = profile.get("quantiles")
    if not isinstance(listed, list):
        levels = profile.get("levels")
        listed = [level["value"] for level in levels] if isinstance(levels, list) else []
    if not listed:
        return None
    values = pl.Series(listed)
    values = values.str.to_datetime() if dtype.is_temporal() else values
    values = values.cast(dtype)
    ranks = np.arange(1, len(values) + 1) / len(values)
    last = values.is_last_distinct()
    return values.filter(last), ranks[last.to_numpy()]


def counterfactual(
    row: pl.DataFrame,
    *,
    columns: Sequence[Column],
    profiles: Mapping[str, Mapping[str, object]],
    gain: Callable[[pl.DataFrame], Array],
) -> tuple[Change, ...] | None:
    """Look for the least change of a row that leads to another decision.

    Parameters
    ----------
    row
        Shape (1, …).
    columns
        The features, of which some may change.
    profiles
        `columns` of `reference.json`.
    gain
        Of rows, how far each is on the other side: above 0 where the decision is another, shape (n,).

    Returns
    -------
    tuple of Change or None
        The fewest columns that were found to do, at most four, and of these the cheapest; None where none do.

    Notes
    -----
    A beam of the eight best states a column more at a time: O(4 * 8 * candidates) answers of the model.
    """
    open_to = {
        column.name: found
        for column in columns
        if (found := candidates(row, column, profiles.get(column.name, {}))) is not None
    }
    beam = [_State({}, -np.inf, 0.0)]
    for _ in range(min(MAX_CHANGES, len(open_to))):
        grown = _grow(row, beam, open_to, gain)
        flipped = [state for state in grown if state.gain > 0]
        if flipped:
            best = min(flipped, key=lambda state: (state.cost, sorted(state.changes)))
            return tuple(
                Change(name, row[name][0], found.values[best.changes[name]])
                for name, found in open_to.items()
                if name in best.changes
            )
        beam = sorted(grown, key=lambda state: (-state.gain, state.cost))[:_BEAM]
    return None


def _grow(
    row: pl.DataFrame,
    beam: Sequence[_State],
    open_to: Mapping[str, Candidates],
    gain: Callable[[pl.DataFrame], Array],
) -> list[_State]:
    """Return every state with one column more, measured."""
    grown = {
        frozenset(changes.items()): (changes, state.cost + float(found.costs[place]))
        for state in beam
        for name, found in open_to.items()
        if name not in state.changes
        for place in range(len(found.values))
        for changes in [{**state.changes, name: place}]
    }
    if not grown:
        return []
    rows = changed(row, [changes for changes, _ in grown.values()], open_to)
    gains = gain(rows)
    return [
        _State(changes, float(reached), cost)
        for (changes, cost), reached in zip(grown.values(), gains, strict=True)
    ]


def changed(
    row: pl.DataFrame, several: Sequence[Mapping[str, int]], open_to: Mapping[str, Candidates]
) -> pl.DataFrame:
    """Return a row once for each of several sets of changes, with these made."""
    columns = []
    for own in row.iter_columns():
        found = open_to.get(own.name)
        if found is None:
            columns.append(own.new_from_index(0, len(several)))
            continue
        pool = pl.concat([own, found.values.alias(own.name)])
        columns.append(pool.gather([1 + changes.get(own.name, -1) for changes in several]))
    return pl.DataFrame(columns)

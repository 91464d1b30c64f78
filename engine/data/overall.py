"""What a table is like of which only some rows are in memory: what can be added up is of all rows.

The rest of a `Profile` is of the rows in memory: quantiles, histograms, duplicate rows, distinct numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from engine.data.kinds import PART_NAMES
from engine.data.profile import N_TOP, ColumnProfile, Count, Profile, end_of, is_number, is_shown, text_of
from engine.data.schema import Column, Schema
from engine.data.sums import Spread, count_values, summed

# Values of one column that are counted; of more the most frequent are those of the rows in memory.
_MOST_VALUES = 100_000
# What stays of the rows in memory.
OF_HELD = (
    "quantiles",
    "histogram",
    "n_duplicate_rows",
    "distinct values of numbers, texts and ids",
    "quality",
)


@dataclass
class Sums:
    """One column, as far as it has come."""

    column: Column
    nulls: int = 0
    low: object = None
    high: object = None
    spread: Spread = field(default_factory=Spread)
    counts: pl.DataFrame | None = None
    is_counted: bool = True

    def take(self, series: pl.Series) -> None:
        """Add some rows."""
        self.nulls += series.null_count()
        known = series.drop_nulls()
        if not len(known):
            return
        column = self.column
        if is_shown(column) and (is_number(column) or column.type == "datetime"):
            lows, highs = (self.low, known.min()), (self.high, known.max())
            self.low = min(value for value in lows if value is not None)  # type: ignore[type-var]
            self.high = max(value for value in highs if value is not None)  # type: ignore[type-var]
        if is_number(column):
            self.spread.take(known.to_numpy())
        if self.is_counted and _has_values(column):
            counts = count_values(known)
            self.counts = counts if self.counts is None else summed(self.counts, counts)
            if self.counts.height > _MOST_VALUES:
                self.counts, self.is_counted = None, False

    def onto(self, known: ColumnProfile) -> ColumnProfile:
        """Return a column's profile with what is known of all rows in the place of what some rows said."""
        found = replace(known, nulls=self.nulls)
        if self.low is not None:
            found = replace(found, min=end_of(self.low), max=end_of(self.high))
        spread = self.spread
        if known.mean is not None and spread.n:
            deviation = math.sqrt(spread.squares / (spread.n - 1)) if spread.n > 1 else None
            found = replace(found, mean=spread.mean, std=deviation)
        if self.counts is not None:
            ordered = self.counts.sort(["n", "value"], descending=[True, False])
            found = replace(found, distinct=ordered.height)
            if known.top:
                top = tuple(Count(value, n) for value, n in ordered.head(N_TOP).iter_rows())
                found = replace(found, top=top)
        return found


@dataclass
class Overall:
    """All columns of a table, as far as its rows have come."""

    schema: Schema
    _sums: dict[str, Sums] = field(default_factory=dict)
    _targets: dict[str, Sums] = field(default_factory=dict)

    @property
    def targets(self) -> pl.DataFrame | None:
        """Each `value` of a target of classes and the number `n` of its rows, sorted; None of a number."""
        counts = self._sums[self.schema.target.name].counts
        return None if counts is None else counts.sort("value")

    def take(self, frame: pl.DataFrame, part_of: np.ndarray) -> None:
        """Add some rows, of which `part_of` says the parts."""
        for column in self.schema.columns:
            if column.name in frame.columns:
                self._sums.setdefault(column.name, Sums(column)).take(frame[column.name])
        target = self.schema.target
        for place, part in enumerate(PART_NAMES):
            series = frame[target.name].filter(pl.Series(part_of == place))
            self._targets.setdefault(part, Sums(target)).take(series)

    def onto(self, known: Profile) -> Profile:
        """Return a profile with what is known of all rows in the place of what some rows said."""
        columns = tuple(self._sums[column.name].onto(column) for column in known.columns)
        target = self.schema.target
        by_part: Mapping[str, Mapping[str, float]] = known.target_by_part
        if by_part and is_number(target):
            by_part = {
                part: {"mean": sums.spread.mean} if sums.spread.n else {}
                for part, sums in self._targets.items()
            }
        elif by_part:
            counts = {part: _counted(sums) for part, sums in self._targets.items()}
            classes = sorted({value for found in counts.values() for value in found})  # type: ignore[type-var]
            by_part = {
                part: {text_of(value): found.get(value, 0) for value in classes}  # type: ignore[arg-type]
                for part, found in counts.items()
            }
        return replace(known, columns=columns, target_by_part=by_part)


def _counted(sums: Sums) -> dict[object, int]:
    return {} if sums.counts is None else dict(sums.counts.iter_rows())


def _has_values(column: Column) -> bool:
    """Tell whether a column's values are few enough, as a rule, to be counted."""
    return column.type in {"category", "boolean"} and column.role != "id"

"""What a table is like of which only some rows are in memory: what can be added up is of all rows.

The rest of a `Profile` is of the rows in memory: quantiles, histograms, duplicate rows, distinct numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from engine.data.kinds import PART_NAMES
from engine.data.profile import N_TOP, ColumnProfile, Count, Profile, end_of, is_number, is_shown, text_of
from engine.data.schema import Column, Schema

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
    n: int = 0
    nulls: int = 0
    low: object = None
    high: object = None
    mean: float = 0.0
    squares: float = 0.0
    counts: pl.DataFrame | None = None
    is_counted: bool = True

    def take(self, series: pl.Series, found: Mapping[str, object]) -> None:
        """Add some rows, of which polars has added up the most."""
        nulls, n = int(str(found["nulls"])), len(series) - int(str(found["nulls"]))
        self.nulls += nulls
        if not n:
            return
        if "low" in found:
            lows, highs = (self.low, found["low"]), (self.high, found["high"])
            self.low = min(value for value in lows if value is not None)  # type: ignore[type-var]
            self.high = max(value for value in highs if value is not None)  # type: ignore[type-var]
        if "mean" in found:
            mean, variance = float(str(found["mean"])), float(str(found["variance"]))
            total, step = self.n + n, mean - self.mean
            self.squares += variance * n + step * step * self.n * n / total
            self.mean += step * n / total
        self.n += n
        if self.is_counted and _has_values(self.column):
            self._count(series)

    def onto(self, known: ColumnProfile) -> ColumnProfile:
        """Return a column's profile with what is known of all rows in the place of what some rows said."""
        found = replace(known, nulls=self.nulls)
        if self.low is not None:
            found = replace(found, min=end_of(self.low), max=end_of(self.high))
        if known.mean is not None and self.n:
            deviation = math.sqrt(self.squares / (self.n - 1)) if self.n > 1 else None
            found = replace(found, mean=self.mean, std=deviation)
        if self.counts is not None and self.is_counted:
            ordered = self.counts.sort(["n", "value"], descending=[True, False])
            found = replace(found, distinct=ordered.height)
            if known.top:
                top = tuple(Count(value, n) for value, n in ordered.head(N_TOP).iter_rows())
                found = replace(found, top=top)
        return found

    def _count(self, series: pl.Series) -> None:
        counts = series.drop_nulls().alias("value").value_counts(name="n").cast({"n": pl.Int64})
        if self.counts is not None:
            counts = pl.concat([self.counts, counts]).group_by("value").agg(pl.col("n").sum())
        self.counts = counts
        if counts.height > _MOST_VALUES:
            self.counts, self.is_counted = None, False


@dataclass
class Overall:
    """All columns of a table, as far as its rows have come."""

    schema: Schema
    _sums: dict[str, Sums] = field(default_factory=dict)
    _targets: dict[str, Sums] = field(default_factory=dict)

    def take(self, frame: pl.DataFrame, part_of: np.ndarray) -> None:
        """Add some rows, of which `part_of` says the parts."""
        columns = [column for column in self.schema.columns if column.name in frame.columns]
        # In one piece: a sum of pieces has other last digits.
        whole = frame.rechunk()
        plain = pl.DataFrame([whole[column.name].alias(str(at)) for at, column in enumerate(columns)])
        wanted = [cell for at, column in enumerate(columns) for cell in _aggregates(column, str(at))]
        row = plain.lazy().select(wanted).collect().row(0, named=True)
        for at, column in enumerate(columns):
            found = {name.split(" ")[1]: value for name, value in row.items() if name.startswith(f"{at} ")}
            self._sums.setdefault(column.name, Sums(column)).take(plain[str(at)], found)
        target = self.schema.target
        for place, part in enumerate(PART_NAMES):
            series = whole[target.name].filter(pl.Series(part_of == place)).rechunk()
            found = series.to_frame("0").select(_aggregates(target, "0")).row(0, named=True)
            self._targets.setdefault(part, Sums(target)).take(
                series, {name.split(" ")[1]: value for name, value in found.items()}
            )

    def onto(self, known: Profile) -> Profile:
        """Return a profile with what is known of all rows in the place of what some rows said."""
        columns = tuple(self._sums[column.name].onto(column) for column in known.columns)
        target = self.schema.target
        by_part: Mapping[str, Mapping[str, float]] = known.target_by_part
        if by_part and is_number(target):
            by_part = {part: {"mean": sums.mean} if sums.n else {} for part, sums in self._targets.items()}
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


def _aggregates(column: Column, name: str) -> Iterator[pl.Expr]:
    cell = pl.col(name)
    yield cell.null_count().alias(f"{name} nulls")
    if is_shown(column) and (is_number(column) or column.type == "datetime"):
        yield cell.min().alias(f"{name} low")
        yield cell.max().alias(f"{name} high")
    if is_number(column):
        yield cell.mean().alias(f"{name} mean")
        yield cell.var(ddof=0).alias(f"{name} variance")

"""A preparation fitted on training rows that come in blocks: what can be merged is of all of them.

Levels of categories are counted, means and deviations merged, least and largest values kept. Medians,
quantiles and words are of the rows that are in memory; where these are all rows, all is as `prepare` has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from engine.data.schema import Column, Schema
from engine.data.sums import Spread, summed
from engine.errors import DataError
from engine.features.categories import Levels, count_levels, levels_of
from engine.features.feature import Feature, Number
from engine.features.fit import needs_of
from engine.features.needs import Needs
from engine.features.numbers import Filling
from engine.features.prepare import Preparation, prepare
from engine.recipe.spec_table import Scale

# Levels of one column that are counted in memory.
_MOST_LEVELS = 1_000_000


def prepare_streamed(
    blocks: Iterable[pl.DataFrame], sample: pl.DataFrame, *, schema: Schema, needs: Needs
) -> Preparation:
    """Fit the preparation of the schema's features.

    Parameters
    ----------
    blocks
        All training rows and nothing else, in an order that is the same each time.
    sample
        Some of these rows, drawn at random, for what can't be merged.

    Raises
    ------
    RecipeError
        As `prepare`.
    DataError
        If a category has more levels than can be counted in memory.
    """
    fitted = prepare(sample, schema=schema, needs=needs)
    numbers = [
        (feature, _Moments(feature, by))
        for feature in fitted.features
        if isinstance(feature, Number) and (by := _scaled_by(feature, needs)) is not None
    ]
    counts = [
        (feature, _Counts(feature.column)) for feature in fitted.features if isinstance(feature, Levels)
    ]
    n_rows = 0
    for block in blocks:
        n_rows += block.height
        for _, counted in counts:
            counted.take(block)
        for _, moments in numbers:
            moments.take(block)
    found: dict[int, Feature] = {id(feature): moments.fitted() for feature, moments in numbers}
    for feature, counted in counts:
        column = feature.column
        of = needs_of(column, needs)
        found[id(feature)] = levels_of(counted.counts, column, n_rows=n_rows, needs=of)
    return replace(fitted, features=tuple(found.get(id(feature), feature) for feature in fitted.features))


def _scaled_by(feature: Number, needs: Needs) -> Scale | None:
    """Return how a number is scaled where that can be merged, else None."""
    column = feature.column
    if column.storage == "boolean":
        return None
    by = column.scale if feature.part is None and column.scale is not None else None
    by = by or ("standard" if needs.scale else "none")
    return by if by in {"standard", "minmax"} else None


@dataclass
class _Counts:
    """How many rows each level of a category has so far."""

    column: Column
    counts: pl.DataFrame = None  # type: ignore[assignment]

    def take(self, block: pl.DataFrame) -> None:
        found = count_levels(block, self.column)
        self.counts = found if self.counts is None else summed(self.counts, found)
        if self.counts.height > _MOST_LEVELS:
            what = f"it has more than {_MOST_LEVELS:,} levels, which are counted in memory"
            raise DataError.of(
                what, key=self.column.name, try_=f"schema.columns.{self.column.name}.role: ignore"
            )


@dataclass
class _Moments:
    """Mean and spread of a number so far, as it is after filling."""

    feature: Number
    by: Scale
    spread: Spread = field(default_factory=Spread)
    low: float = math.inf
    high: float = -math.inf

    def take(self, block: pl.DataFrame) -> None:
        values = block.select(self.feature.raw()).to_series().to_numpy()
        fill = self.feature.filling.fill
        if not math.isnan(fill):
            values = np.where(np.isnan(values), fill, values)
        values = values[np.isfinite(values)]
        if not len(values):
            return
        self.spread.take(values)
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def fitted(self) -> Number:
        """Return the feature with what is known of all rows; as it is where sums are beyond doubles."""
        known = self.spread
        if not known.n:
            return self.feature
        fill = self.feature.filling.fill
        if self.low == self.high:
            return replace(self.feature, filling=Filling(fill, self.low, 1.0))
        spread = self.high - self.low if self.by == "minmax" else math.sqrt(known.squares / known.n)
        center = self.low if self.by == "minmax" else known.mean
        if not (math.isfinite(spread) and math.isfinite(center) and spread > 0):
            return self.feature
        scale = 1.0 / spread
        return replace(self.feature, filling=Filling(fill, center, scale if math.isfinite(scale) else 1.0))

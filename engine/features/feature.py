"""What becomes of a column: each kind of feature knows its columns of the matrix and its nodes of the graph.

Numbers and indicators are written together, many columns at once; every other kind writes its own nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from engine.data.schema import Column
from engine.features.categories import Levels
from engine.features.cycles import Cyclic
from engine.features.datetimes import part_of
from engine.features.feed import as_input
from engine.features.numbers import Filling, fill_in
from engine.features.shapes import Shaped
from engine.features.targets import Targeted
from engine.features.terms import Terms


@dataclass(frozen=True, slots=True)
class Number:
    """A column of numbers, or one part of a column of datetimes."""

    column: Column
    part: str | None
    filling: Filling

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Name of the column in the matrix."""
        return (self.column.name if self.part is None else f"{self.column.name}.{self.part}",)

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return its column of the matrix as Float64."""
        return (fill_in(self.raw(), self.filling),)

    def raw(self) -> pl.Expr:
        """Return the values before filling, NaN where missing."""
        return as_input(self.column) if self.part is None else part_of(self.column, self.part)


@dataclass(frozen=True, slots=True)
class Indicator:
    """1.0 where a column of numbers or datetimes is missing, else 0.0."""

    column: Column

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Name of the column in the matrix."""
        return (f"{self.column.name} is missing",)

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return its column of the matrix as Float64."""
        return (as_input(self.column).is_nan().cast(pl.Float64),)


# The kinds that write nodes of their own.
Written = Levels | Shaped | Targeted | Cyclic | Terms
Feature = Number | Indicator | Written

"""Parts of datetimes, as numbers: by polars' calendar, and by the same calendar written as ONNX nodes.

The graph sees seconds since 1970-01-01 UTC as doubles. All arithmetic is on whole numbers below 2**53, so it
is exact; the calendar is the proleptic Gregorian one, before 1970 and before year 1 too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.feed import as_input
from engine.graph import Graph

# `days` comes last and always stays, so that a datetime column has at least one feature.
PARTS: Final = ("year", "month", "day", "weekday", "hour", "day_of_year", "days")
_SECONDS_A_DAY: Final = 86_400
_PER_SECOND: Final = 1.0 / _SECONDS_A_DAY  # multiplied in both places, see `numbers.Filling`
_MARCH_0000: Final = 719_468.0  # days from 0000-03-01 to 1970-01-01
_YEAR_ONE: Final = 719_162.0  # days from 0001-01-01 to 1970-01-01
_ERA: Final = 146_097.0  # days in 400 years


def part_of(column: Column, part: str) -> pl.Expr:
    """Return one part of a datetime column as Float64, NaN where missing.

    Weekdays count from Monday = 1; `days` is time since 1970-01-01 in days, whole seconds included.
    """
    if part == "days":
        return as_input(column) * _PER_SECOND
    calendar: dict[str, Callable[[], pl.Expr]] = {
        "year": pl.col(column.name).dt.year,
        "month": pl.col(column.name).dt.month,
        "day": pl.col(column.name).dt.day,
        "weekday": pl.col(column.name).dt.weekday,
        "hour": pl.col(column.name).dt.hour,
        "day_of_year": pl.col(column.name).dt.ordinal_day,
    }
    return calendar[part]().cast(pl.Float64).fill_null(float("nan"))


def write_parts(graph: Graph, seconds: str, parts: Iterable[str]) -> dict[str, str]:
    """Write the nodes from seconds (double, (rows, n)) to each of some parts, of the same shape; NaN stays.

    Notes
    -----
    `civil_from_days` of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013), with a floor where
    C++ divides integers.
    """
    wanted = set(parts)
    sums = _Arithmetic(graph)
    whole = graph.node("Floor", [seconds])
    days = sums.quotient(whole, _SECONDS_A_DAY)
    written = {"days": sums.times(seconds, _PER_SECOND)} if "days" in wanted else {}
    if "hour" in wanted:
        in_day = sums.minus(whole, sums.times(days, _SECONDS_A_DAY))
        written["hour"] = sums.quotient(in_day, 3600)
    if "weekday" in wanted:
        since_monday = sums.plus(days, 3)  # 1970-01-01 was a Thursday
        weeks = sums.quotient(since_monday, 7)
        written["weekday"] = sums.plus(sums.minus(since_monday, sums.times(weeks, 7)), 1)
    if wanted & {"year", "month", "day", "day_of_year"}:
        written |= sums.civil(days)
    return {part: tensor for part, tensor in written.items() if part in wanted}


class _Arithmetic:
    """Whole-number arithmetic on double tensors."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def plus(self, left: str, right: str | float) -> str:
        return self._graph.node("Add", [left, self._operand(right)])

    def minus(self, left: str, right: str | float) -> str:
        return self._graph.node("Sub", [left, self._operand(right)])

    def times(self, left: str, right: float) -> str:
        return self._graph.node("Mul", [left, self._operand(right)])

    def quotient(self, left: str, right: float) -> str:
        """Divide whole numbers, rounding down; the half keeps clear of a quotient rounded across the edge."""
        halved = self._graph.node("Add", [left, self._operand(0.5)])
        return self._graph.node("Floor", [self._graph.node("Div", [halved, self._operand(right)])])

    def civil(self, days: str) -> dict[str, str]:
        """Return year, month, day and day of the year of days since 1970-01-01."""
        shifted = self.plus(days, _MARCH_0000)
        era = self.quotient(shifted, _ERA)
        day_of_era = self.minus(shifted, self.times(era, _ERA))
        leap_days = self.minus(
            self.plus(self.quotient(day_of_era, 1460), self.quotient(day_of_era, 146_096)),
            self.quotient(day_of_era, 36_524),
        )
        year_of_era = self.quotient(self.minus(day_of_era, leap_days), 365)
        from_march = self.minus(day_of_era, self._days_in_years(year_of_era))
        month_from_march = self.quotient(self.plus(self.times(from_march, 5), 2), 153)
        month_start = self.quotient(self.plus(self.times(month_from_march, 153), 2), 5)
        day = self.plus(self.minus(from_march, month_start), 1)
        after_december = self._as_number(self._at_least(month_from_march, 10))
        month = self.minus(self.plus(month_from_march, 3), self.times(after_december, 12))
        year = self.plus(self.plus(year_of_era, self.times(era, 400)), after_december)
        new_year = self.minus(self._days_in_years(self.minus(year, 1)), _YEAR_ONE)
        day_of_year = self.plus(self.minus(days, new_year), 1)
        return {"year": year, "month": month, "day": day, "day_of_year": day_of_year}

    def _days_in_years(self, years: str) -> str:
        """Return the days of the first `years` years of the calendar."""
        leap_years = self.minus(
            self.plus(self.quotient(years, 4), self.quotient(years, 400)), self.quotient(years, 100)
        )
        return self.plus(self.times(years, 365), leap_years)

    def _at_least(self, left: str, right: float) -> str:
        return self._graph.node("GreaterOrEqual", [left, self._operand(right)])

    def _as_number(self, condition: str) -> str:
        return self._graph.cast(condition, np.float64)

    def _operand(self, value: str | float) -> str:
        return value if isinstance(value, str) else self._graph.constant(float(value))

"""Which formats fit every date of a column of texts, as far as its rows have been seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from engine.data.formats import format_of, usual

Moments = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Style:
    """A format that fits, the range of what it reads, and whether no row is before the one above it."""

    format: str
    moments: Moments
    is_sorted: bool


@dataclass
class Dated:
    """The formats that are left.

    Attributes
    ----------
    left
        None before the first value. Of each the range so far, the last row's moment, and whether they rise.
    """

    left: dict[str, _Course] | None = None

    def narrow(self, texts: pl.Series) -> None:
        """Leave out what does not fit every one of some distinct values, none of them null."""
        if not len(texts):
            return
        if self.left is None:
            first = texts[0]
            self.left = {style: _Course() for style in usual() if format_of(style).parse(first) is not None}
        for style, course in [*self.left.items()]:
            moments = format_of(style).parse_column(texts)
            if moments.null_count():
                del self.left[style]
            else:
                course.widen(moments)

    def follow(self, texts: pl.Series) -> None:
        """Look at the order of the next rows."""
        for style, course in (self.left or {}).items():
            if course.rises:
                course.follow(format_of(style).parse_column(texts))

    def styles(self) -> tuple[Style, ...]:
        """Return the formats that fit all."""
        return tuple(
            Style(style, course.moments, course.rises)
            for style, course in (self.left or {}).items()
            if course.moments is not None
        )


@dataclass
class _Course:
    moments: Moments | None = None
    rises: bool = True
    last: pl.Series = field(default_factory=lambda: pl.Series([], dtype=pl.Datetime("us")))

    def widen(self, moments: pl.Series) -> None:
        low, high = moments.min(), moments.max()
        assert isinstance(low, datetime)
        assert isinstance(high, datetime)
        before = self.moments or (low, high)
        self.moments = (min(low, before[0]), max(high, before[1]))

    def follow(self, moments: pl.Series) -> None:
        joined = self.last.alias("").append(moments.alias(""))
        self.rises = not joined.null_count() and joined.is_sorted()
        self.last = joined.tail(1)

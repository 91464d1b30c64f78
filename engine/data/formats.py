"""Dates and times that a recipe declares as written otherwise than ISO 8601 has them.

A format is made of the directives of C's and Python's `strptime` that mean the same to polars; one regular
expression says what is read, so that a text alone and a column of texts are read alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from itertools import pairwise, product

import polars as pl

from engine.data.datetimes import YEAR, parse, parse_column

_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
_TWO = "[0-9][0-9]"
DIRECTIVES = {
    "%Y": YEAR,
    "%y": _TWO,
    "%m": "(?:0?[1-9]|1[0-2])",
    "%d": "(?:0?[1-9]|[12][0-9]|3[01])",
    "%b": f"(?i:{'|'.join(name[:3] for name in _MONTHS)})",
    "%B": f"(?i:{'|'.join(_MONTHS)})",
    "%H": "(?:[01]?[0-9]|2[0-3])",
    "%I": "(?:0?[1-9]|1[0-2])",
    "%M": "[0-5][0-9]",
    "%S": "[0-5][0-9]",
    "%p": "(?i:AM|PM)",
}
_PARTS = re.compile("%.?|[^%]+", re.DOTALL)
# Each is one of: year; month; day of a date that is whole.
_DATE = (("%Y", "%y"), ("%m", "%b", "%B"), ("%d",))
# What stands only beside another.
_NEEDS = {"%M": ("%H", "%I"), "%S": ("%M",), "%H": ("%M",), "%I": ("%p",), "%p": ("%I",)}
# POSIX has 69 be 1969, polars 2069: https://pubs.opengroup.org/onlinepubs/9799919799/functions/strptime.html
_PIVOT = 2069
_ORDERS = ("%d{0}%m{0}{1}", "%m{0}%d{0}{1}", "{1}{0}%m{0}%d", "%d{0}%b{0}{1}", "%b{0}%d{0}{1}")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")


class Format:
    """One way of writing dates or times.

    Parameters
    ----------
    style
        What `wrong_with` finds nothing wrong with.

    Examples
    --------
    >>> Format("%d.%m.%Y %H:%M").parse("8.9.2011 10:15")
    datetime.datetime(2011, 9, 8, 10, 15)
    >>> Format("%d.%m.%Y").parse("31.02.2011") is None
    True
    """

    def __init__(self, style: str) -> None:
        self.style = style
        parts = _PARTS.findall(style)
        # Of digits that nothing sets apart, each number has all of its own.
        is_compact = any(a[0] == "%" == b[0] for a, b in pairwise(parts))
        one_or_two = ("%m", "%d", "%H", "%I")
        known = DIRECTIVES | (dict.fromkeys(one_or_two, _TWO) if is_compact else {})
        self._pattern = "".join(known.get(part) or "".join(map(_literal, part)) for part in parts)
        self._whole = re.compile(self._pattern)

    def parse(self, text: str) -> datetime | None:
        """Return the moment that `text` names, or None if it is not written so."""
        if self._whole.fullmatch(text) is None:
            return None
        try:
            return datetime.strptime(text, self.style)  # noqa: DTZ007 (columns hold UTC without a zone)
        except ValueError:
            return None

    def moments_of(self, texts: pl.Expr) -> pl.Expr:
        """Return the moments that texts name, as `Datetime("us")`; null where `parse` gives None."""
        known = pl.when(texts.str.contains(f"^(?:{self._pattern})$")).then(texts)
        moments = known.str.to_datetime(self.style, time_unit="us", strict=False, cache=False)
        if "%y" in self.style:
            is_before = moments.dt.year() == _PIVOT
            moments = pl.when(is_before).then(moments.dt.offset_by("-100y")).otherwise(moments)
        return moments

    def parse_column(self, texts: pl.Series) -> pl.Series:
        """Return the moments that texts name, as `Datetime("us")`; null where `parse` gives None."""
        return pl.select(self.moments_of(pl.lit(texts))).to_series().alias(texts.name)


@cache
def format_of(style: str) -> Format:
    """Return a format, compiled once."""
    return Format(style)


def moment_of(text: str, style: str | None) -> datetime | None:
    """Return the moment that a text names, as its column declares or else as ISO 8601 has it; None if none.

    Examples
    --------
    >>> moment_of("08.09.2011", "%d.%m.%Y") == moment_of("2011-09-08", "%d.%m.%Y")
    True
    """
    declared = None if style is None else format_of(style).parse(text)
    return parse(text) if declared is None else declared


def moments_of(texts: pl.Series, style: str | None) -> pl.Series:
    """Return the moments that texts name, as `Datetime("us")`; null where `moment_of` gives None."""
    if style is None:
        return parse_column(texts)
    declared = format_of(style).parse_column(texts)
    if declared.null_count() == texts.null_count():
        return declared
    return declared.zip_with(declared.is_not_null(), parse_column(texts))


def wrong_with(style: str) -> str | None:
    """Return why a format can't be declared; None if it can.

    Examples
    --------
    >>> wrong_with("%d.%m.%Y"), wrong_with("%d.%m")
    (None, 'a date has one year: %Y or %y')
    """
    given = [part for part in _PARTS.findall(style) if part[0] == "%"]
    names = ("year", "month", "day")
    for part in given:
        if part not in DIRECTIVES:
            return f"'{part}' is not known: a format is made of {' '.join(DIRECTIVES)}"
        needed = _NEEDS.get(part, given)
        if given.count(part) > 1 or not any(each in given for each in needed):
            return f"'{part}' stands once" + (f", beside {' or '.join(needed)}" if part in _NEEDS else "")
    for name, ones in zip(names, _DATE, strict=True):
        n_given = sum(each in given for each in ones)
        if n_given != 1:
            return f"a date has one {name}: {' or '.join(ones)}"
    if style.startswith("%Y-%d"):
        # ISO 8601, whose months come first, is read as well.
        return "days between year and month would be taken for months"
    return None


def usual() -> Iterator[str]:
    """Yield the formats that are looked for in a table: a dot says that days come before months."""
    for sign, year, order, clock in product("./- ", ("%Y", "%y"), _ORDERS, _CLOCKS):
        style = order.format(sign, year) + clock
        is_odd = sign == "." and style.startswith(("%m", "%b"))
        is_odd |= sign == " " and "%b" not in style
        if not (is_odd or style.startswith(("%y", "%Y-"))):
            yield style


def fitting(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the usual formats that fit every text that has a digit.

    Examples
    --------
    >>> fitting(["08.09.2011", "unknown"]), fitting(["8/9/11 10:15"])
    (('%d.%m.%Y',), ('%d/%m/%y %H:%M', '%m/%d/%y %H:%M'))
    """
    dated = [text for text in texts if any(letter.isdigit() for letter in text)]
    fits = (style for style in usual() if all(format_of(style).parse(text) is not None for text in dated))
    return tuple(fits) if dated else ()


def _literal(character: str) -> str:
    """Return a character as a pattern that Python and Rust read alike."""
    is_plain = character.isalnum() or character in " <>" or not character.isascii()
    return character if is_plain else f"\\{character}"

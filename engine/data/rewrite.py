"""One line of polars for a column that is not read yet: what a person runs on the file before `engine init`.

Every column is text then, so that the other columns stay as they stand in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import product

# Enough distinct values to tell days from months.
_MAX_TRIED = 1000
_ORDERS = ("%d{0}%m{0}{1}", "%m{0}%d{0}{1}", "{1}{0}%m{0}%d")
_CLOCKS = ("", " %H:%M", " %H:%M:%S")
_ANY_FORMAT = "FORMAT"


def dates_line(name: str, values: Sequence[object]) -> str:
    """Return the line that writes dates as the engine reads them.

    Parameters
    ----------
    values
        Distinct values of the column, as far as they are known; every format that fits all of them is named.

    Examples
    --------
    >>> dates_line("Datum", ["08.09.2011", "24.12.2011"])
    'pl.col("Datum").str.to_date("%d.%m.%Y")'
    >>> dates_line("day", ["8/9/11 10:15"])
    'pl.col("day").str.to_datetime("%d/%m/%y %H:%M"), or "%m/%d/%y %H:%M"'
    """
    formats = _formats([str(value).strip() for value in values[:_MAX_TRIED]]) or [_ANY_FORMAT]
    kind = "to_datetime" if "%H" in formats[0] else "to_date"
    others = "".join(f', or "{other}"' for other in formats[1:])
    return f'pl.col("{_quoted(name)}").str.{kind}("{formats[0]}"){others}'


def ungrouped_line(name: str, *, separator: str) -> str:
    """Return the line that takes the thousands separators out of numbers, and leaves the decimal sign.

    Examples
    --------
    >>> ungrouped_line("Umsatz", separator=".")
    'pl.col("Umsatz").str.replace_all(".", "", literal=True)'
    """
    return f'pl.col("{_quoted(name)}").str.replace_all("{separator}", "", literal=True)'


def _formats(texts: Sequence[str]) -> list[str]:
    """Return the formats that fit every text that begins with a digit.

    A dot between the parts says that days come before months.
    """
    found = []
    texts = [text for text in texts if text[:1].isdigit()]
    for sign, year, order, clock in product("./-", ("%Y", "%y"), _ORDERS, _CLOCKS):
        style = order.format(sign, year) + clock
        is_odd = (sign == "." and style.startswith("%m")) or style.startswith("%y")
        if texts and not is_odd and _all_fit(texts, style):
            found.append(style)
    return found


def _all_fit(texts: Iterable[str], style: str) -> bool:
    try:
        for text in texts:
            datetime.strptime(text, style)  # noqa: DTZ007 (only whether it fits is asked)
    except ValueError:
        return False
    return True


def _quoted(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')

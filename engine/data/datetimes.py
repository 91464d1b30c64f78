"""ISO 8601 dates and times, the only ones that are read: one grammar for a text and for a column of texts.

A value is held in microseconds of UTC without a zone; a time without an offset is taken as UTC, a month
without a day as its first.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import polars as pl

from engine.errors import DataError

# Without look-around and \\d, so that Python and Rust read it alike; Python's calendar has no year 0.
YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_OFFSET = "(?:Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])"
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.][0-9]{1,9})?)?"
ISO = f"{YEAR}-[0-9]{{2}}(?:-[0-9]{{2}}(?:[T ]{_TIME}{_OFFSET}?)?)?"
_ISO = re.compile(ISO)
_FRACTION = re.compile("[.]([0-9]+)")
_MONTH = len("2020-01")
# Python's first day and its last, counted from that of 1970; how many of a unit of time a day has.
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000}
_DATE, _MINUTE, _SECOND = len("2020-01-01"), len("2020-01-01 10:00"), len("2020-01-01 10:00:00")
# Digits of a second that are held.
_MICRO = 6
_NAIVE = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S%.f")
_ZONED = ("%Y-%m-%d %H:%M%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
BEYOND = "dates beyond the years 1 to 9999"

if TYPE_CHECKING:
    import pyarrow as pa

    _Cells = TypeVar("_Cells", pl.Series, pl.Expr)


def parse(text: str) -> datetime | None:
    """Return the moment that `text` names, or None if it is not an ISO 8601 date or time.

    Digits below the microsecond are cut.

    Examples
    --------
    >>> parse("2020-01-01T10:00:00+02:00")
    datetime.datetime(2020, 1, 1, 8, 0)
    >>> parse("2020-03")
    datetime.datetime(2020, 3, 1, 0, 0)
    >>> parse("01/02/2020") is None
    True
    """
    if _ISO.fullmatch(text) is None:
        return None
    if len(text) == _MONTH:
        text += "-01"
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(lambda m: f".{m[1][:6]:0<6}", text))
        return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def parse_column(texts: pl.Series) -> pl.Series:
    """Return the moments that texts name, as `Datetime("us")`; null where `parse` gives None."""
    known = texts.set(~texts.str.contains(f"^{ISO}$").fill_null(value=True), None)
    is_month = (known.str.len_bytes() == _MONTH).fill_null(value=False)
    if is_month.any():
        known = (known + "-01").zip_with(is_month, known)
    first = known.drop_nulls().head(1)
    if not len(first):
        return pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us"))
    # Nearly always one way of writing, that of the first: the others are tried only where it leaves some out.
    moments = pl.select(moments_of(pl.lit(known), like=first[0])).to_series().alias(texts.name)
    if moments.null_count() == known.null_count():
        return moments
    spaced = known.str.replace("T", " ", literal=True)
    naive = [spaced.str.to_datetime(style, time_unit="us", strict=False) for style in _NAIVE]
    zoned = [
        spaced.str.to_datetime(style, time_unit="us", strict=False, time_zone="UTC").dt.replace_time_zone(
            None
        )
        for style in _ZONED
    ]
    moments = pl.select(pl.coalesce(*naive, *zoned)).to_series().alias(texts.name)
    # An offset can carry a moment out of the years that Python knows.
    return moments.set(~moments.dt.year().is_between(1, 9999), None)


def is_beyond(cells: _Cells, dtype: pl.DataType) -> _Cells:
    """Tell of dates or times, of which a file can hold more, which are out of the years that Python knows.

    Examples
    --------
    >>> is_beyond(pl.Series([0, 2932897, None], dtype=pl.Int32).cast(pl.Date), pl.Date()).to_list()
    [False, True, None]
    """
    known = _known(dtype)
    counts = cells.to_physical()
    return counts.is_null() & False if known is None else ~counts.is_between(*known)


def reach_beyond(cells: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Tell of a whole column whether `is_beyond` is true of some value, in a third of the time."""
    known = _known(dtype)
    if known is None:
        return pl.lit(value=False)
    counts = cells.to_physical()
    return ((counts.min() < known[0]) | (counts.max() > known[1])).fill_null(value=False)


def refuse_zones(schema: pa.Schema, *, file: str = "") -> None:
    """Refuse a table with a time zone that polars does not know: told of it by a table, polars panics.

    Raises
    ------
    DataError
        At the first such column.
    """
    for field in schema:
        zone = getattr(field.type, "tz", None)
        try:
            pl.Series(dtype=pl.Int64).cast(pl.Datetime("us", zone))
        except pl.exceptions.PolarsError:
            what = f"the column is in the time zone '{zone}', which is not known; write its times in UTC"
            raise DataError.of(what, key=field.name, file=file) from None


def _known(dtype: pl.DataType) -> tuple[int, int] | None:
    """Return the first and last count of a date or time that Python knows; None where it knows all."""
    if dtype == pl.Date:
        return _FIRST_DAY, _LAST_DAY
    if not isinstance(dtype, pl.Datetime) or dtype.time_unit == "ns":
        return None
    a_day = _A_DAY[dtype.time_unit]
    return _FIRST_DAY * a_day, (_LAST_DAY + 1) * a_day - 1


def moments_of(texts: pl.Expr, *, like: str) -> pl.Expr:
    """Return the moments of ISO 8601 texts that are written as one of them is; null where one is not.

    Of a text that is none, the moment means nothing: who can't be sure asks `ISO`.
    """
    zone = _zone(like)
    if len(like) <= _MINUTE and zone is None:
        return _parsed(texts, _style(like), cache=False)
    # A fraction of any length, and an offset, take polars five times as long as what always looks alike.
    others = pl.when(texts.str.len_bytes() != len(like)).then(texts) if like[-1] == "Z" or not zone else texts
    moments = _parsed(others, _style(like), zone=zone)
    if zone is not None:
        # An offset can carry a moment out of the years that Python knows.
        moments = moments.dt.replace_time_zone(None)
        moments = pl.when(moments.dt.year().is_between(1, 9999)).then(moments)
    return moments if others is texts else pl.coalesce(_of_one_form(texts, like), moments)


def _of_one_form(texts: pl.Expr, like: str) -> pl.Expr:
    """Return the moments of texts that are as long as one of them, which is naive or ends with Z."""
    form = _style(like).removesuffix("%#z").removesuffix("%.f")
    digits = len(like.removesuffix("Z")) - _SECOND - 1
    is_alike = texts.str.len_bytes() == len(like)
    if like[-1] == "Z":
        is_alike &= texts.str.ends_with("Z")
    if digits <= 0:
        n_base = len(like.removesuffix("Z"))
        return pl.when(is_alike).then(_parsed(texts.str.head(n_base), form, cache=False))
    whole = _parsed(texts.str.head(_SECOND + 1), f"{form}.", cache=False)
    shown = min(digits, _MICRO)
    fraction = texts.str.slice(_SECOND + 1, shown).cast(pl.Int64, strict=False)
    micros = whole.cast(pl.Int64) + fraction * 10 ** (_MICRO - shown)
    return pl.when(is_alike).then(micros.cast(pl.Datetime("us")))


def _parsed(texts: pl.Expr, style: str, *, zone: str | None = None, cache: bool = True) -> pl.Expr:
    return texts.str.to_datetime(style, time_unit="us", strict=False, time_zone=zone, cache=cache)


def _style(text: str) -> str:
    """Return the format of a text that is a date or a time."""
    if len(text) == _DATE:
        return _NAIVE[0]
    has_seconds = text[_MINUTE : _MINUTE + 1] == ":"
    style = _NAIVE[1 + has_seconds] if _zone(text) is None else _ZONED[has_seconds]
    return style.replace(" ", text[_DATE])


def _zone(text: str) -> str | None:
    """Return the zone in which a text with an offset is told; None where it has none."""
    return "UTC" if text[-1] == "Z" or "+" in text[_DATE:] or "-" in text[_DATE:] else None

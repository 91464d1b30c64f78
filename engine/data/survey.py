"""What stands in each column of a file: one pass, in blocks, counting what its values read as.

Facts only: what a column is taken for is decided in `infer`. A column of text is looked at as the reader of
the engine will: what it holds as a number is a number here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl

from engine.data.dated import Dated, Style
from engine.data.datetimes import BEYOND, is_beyond, parse_column
from engine.data.violation import N_SHOWN, Violation, to_error

Kind = Literal["text", "integer", "number", "boolean", "datetime", "other"]
Range = tuple[float, float]

# Texts that often mean a missing value; whether they do in this file is decided over all its columns.
NULL_WORDS = frozenset(
    {
        *("", "?", "??", "na", "n/a", "#n/a", "#na", "<na>", "null", "(null)", "nil", "none", "nan", "\\n"),
        *("-", "--", "---", ".", "..", "...", "missing", "unknown", "undefined", "not available", "n.a."),
        *("#div/0!", "#value!", "#ref!", "#num!", "inf", "-inf", "+inf", "infinity", "-infinity"),
    }
)
# The most distinct values that are kept with their counts; of more only their number is known.
MAX_KEPT = 20_000
_INTEGER = "^[+-]?(?:0|[1-9][0-9]*)$"
_ZERO_LED = "^[+-]?0[0-9]+$"
_THOUSANDS = "^[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+$"
_GROUPED = {
    "grouped_by_dot": r"^[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+(?:,[0-9]+)?$",
    "grouped_by_comma": r"^[+-]?[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?$",
}
_DECORATED = r"^[+-]?\s*[$€£¥]?\s*[+-]?[0-9][0-9.,' ]*\s*(?:%|[$€£¥]|[A-Z]{3})?$"
_DATED = (
    r"^(?:[0-9]{1,4}[./-][0-9]{1,2}[./-][0-9]{2,4}"
    r"|[0-9]{1,2}[ -]?(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[ ,-]*[0-9]{2,4}"
    r"|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? [0-9]{1,2},? [0-9]{4})"
    r"(?:[ T,]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?:[.][0-9]+)?(?: ?(?i:am|pm))?)?$"
)
_SIGNS = (".", ",")
# Blocks whose distinct values wait to be joined.
_MANY_BLOCKS = 32
_EMAIL = r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$"
_PHONE = r"^\+?[0-9][0-9 ()/.-]{6,18}[0-9]$"
_COUNTED = (
    *("integer", "beyond", "zero_led", "dotted", "commaed", "thousands", "boolean", "iso", "dated"),
    *("decorated", "email", "phone", "edged", *_GROUPED),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What stands in one column.

    Attributes
    ----------
    kind
        As the file declares it; every column of a CSV file is text.
    n_null
        Rows without a value: an empty field, a null, NaN.
    words
        Texts of `NULL_WORDS` and fields of blanks alone, with their rows; they count nowhere else.
    n_present
        Rows with any other value.
    counts
        Of `n_present`: how many are written as an integer, …, have blanks at an edge. A number with a
        fraction or an exponent is `dotted` or `commaed`; `beyond` are integers of more than 64 bits;
        `grouped_by_dot` and `grouped_by_comma` have a thousands separator, which no number that is read has.
    values
        Distinct values with their rows, the most frequent first; empty where there are more than `MAX_KEPT`.
    dot, comma
        The range of the numbers, if a dot, or a comma, stands before the fraction.
    is_sequence
        Whether the values are integers that count up by one, row by row.
    is_sorted
        Whether the values are moments, or numbers, and none is before the one in the row above.
    styles
        The formats that every text fits, as dates that are not written as ISO 8601 has them.
    moments
        The range of moments.
    n_infinite
        Infinite values of a typed column; a text `inf` is one of `words`.
    from_text
        Whether the file is CSV, where every column is text.
    """

    name: str
    kind: Kind
    n_rows: int
    n_null: int
    words: Mapping[str, int]
    n_present: int
    n_distinct: int
    counts: Mapping[str, int]
    values: tuple[tuple[object, int], ...]
    dot: Range | None
    comma: Range | None
    mean_length: float
    mean_words: float
    is_sequence: bool
    is_sorted: bool
    styles: tuple[Style, ...]
    moments: tuple[datetime, datetime] | None
    n_infinite: int
    dtype: str
    from_text: bool


def survey(names: Iterable[str], blocks: Iterable[pl.DataFrame], *, from_text: bool) -> tuple[Facts, ...]:
    """Count what stands in each column.

    Parameters
    ----------
    names
        The columns, in order; a block may name them otherwise.
    blocks
        The rows in order, each with all columns.
    from_text
        Whether every column is text as it stood in a CSV file, where an empty field is null; else the types
        are the file's own and so are its nulls.

    Raises
    ------
    DataError
        If a date is none that Python knows.

    Notes
    -----
    O(n_rows) in time; in memory 8 bytes a distinct value of a block, and `MAX_KEPT` values a column.
    """
    tallies = [_Tally(name, from_text) for name in names]
    for block in blocks:
        for tally, series in zip(tallies, block.iter_columns(), strict=True):
            tally.add(series.alias("value"))
    return tuple(tally.facts() for tally in tallies)


def number_text(texts: pl.Expr, *, decimal: str) -> pl.Expr:
    """Return texts as Float64, as the reader does: null where one is no finite number so written."""
    stripped = texts.str.strip_chars()
    if decimal == ",":
        has_point = stripped.str.contains(".", literal=True)
        stripped = pl.when(~has_point).then(stripped.str.replace(",", ".", literal=True))
    numbers = stripped.cast(pl.Float64, strict=False)
    return pl.when(numbers.is_finite()).then(numbers)


@dataclass
class _Order:
    """Whether values go up from row to row: by one, or at least never down."""

    by_one: bool
    holds: bool = True
    last: object = None

    @property
    def is_up(self) -> bool:
        """Whether there were values, and they went up."""
        return self.holds and self.last is not None

    def follow(self, values: pl.Series) -> None:
        """Look at the next rows."""
        if not self.holds or not len(values):
            return
        if values.null_count():
            self.holds = False
            return
        joined = values if self.last is None else values.clear(1).fill_null(self.last).append(values)
        self.holds = bool((joined.diff().drop_nulls() == 1).all() if self.by_one else joined.is_sorted())
        self.last = values[-1]


@dataclass
class _Tally:
    """The counts of one column so far."""

    name: str
    from_text: bool
    kind: Kind = "text"
    dtype: str = ""
    n_rows: int = 0
    n_null: int = 0
    n_infinite: int = 0
    words: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    kept: pl.DataFrame | None = None
    hashes: list[np.ndarray] = field(default_factory=list)
    ranges: dict[str, Range] = field(default_factory=dict)
    moments: tuple[datetime, datetime] | None = None
    sequence: _Order = field(default_factory=lambda: _Order(by_one=True))
    ascent: _Order = field(default_factory=lambda: _Order(by_one=False))
    rise: _Order = field(default_factory=lambda: _Order(by_one=False))
    dated: Dated = field(default_factory=Dated)

    def add(self, series: pl.Series) -> None:
        """Count a block's values."""
        self.dtype, self.kind = str(series.dtype), _kind_of(series.dtype)
        self.n_rows += len(series)
        if self.kind == "other":
            self.n_null += series.null_count()
            return
        if self.kind == "datetime":
            self._refuse_beyond(series)
        series = self._plain(series)
        table = series.drop_nulls().value_counts(name="n")
        if self.kind == "text":
            table = self._take_words(table) if self.from_text else table
            self._classify(table)
            self.dated.narrow(table["value"].str.strip_chars())
        elif self.kind in {"integer", "number"}:
            self._widen("dot", table["value"].cast(pl.Float64))
        elif self.kind == "datetime":
            self._widen_moments(table["value"])
        self._follow(series)
        self._keep(table)

    def _refuse_beyond(self, moments: pl.Series) -> None:
        beyond = is_beyond(moments, moments.dtype).arg_true()
        if len(beyond):
            before = self.n_rows - len(moments)
            rows = tuple(before + row + 1 for row in beyond.head(N_SHOWN))
            raise to_error([Violation(self.name, "type", len(beyond), rows, (), "datetime", note=BEYOND)])

    def facts(self) -> Facts:
        """Return what was counted."""
        n_present = self.n_rows - self.n_null - self.n_infinite - self.words.total()
        is_whole = n_present == self.n_rows > 0
        kept = self.kept if self.kept is not None and self.kept.height <= MAX_KEPT else pl.DataFrame()
        values = kept.sort(["n", "value"], descending=[True, False]) if kept.height else kept
        return Facts(
            name=self.name,
            kind=self.kind,
            dtype=self.dtype,
            from_text=self.from_text,
            n_rows=self.n_rows,
            n_null=self.n_null,
            n_infinite=self.n_infinite,
            words=dict(self.words),
            n_present=n_present,
            n_distinct=len(np.unique(np.concatenate(self.hashes))) if self.hashes else 0,
            counts={name: self.counts[name] for name in _COUNTED},
            values=tuple(values.iter_rows()),
            dot=self.ranges.get("dot"),
            comma=self.ranges.get("comma"),
            moments=self.moments,
            mean_length=self.counts["letters"] / max(n_present, 1),
            mean_words=self.counts["words"] / max(n_present, 1),
            is_sequence=is_whole and self.sequence.holds and self.kind in {"text", "integer"},
            is_sorted=is_whole and (self.ascent if self.moments is not None else self.rise).is_up,
            styles=self.dated.styles(),
        )

    def _plain(self, series: pl.Series) -> pl.Series:
        """Return the values with everything that is none as null."""
        if series.dtype in (pl.Categorical, pl.Enum):
            series = series.cast(pl.String)
        if self.kind == "text" and self.from_text:
            series = series.set(series.fill_null("") == "", None)
        if self.kind == "number":
            series = series.cast(pl.Float64).fill_nan(None)
        self.n_null += series.null_count()
        if self.kind == "number":
            infinite = series.is_infinite().fill_null(value=False)
            self.n_infinite += int(infinite.sum())
            series = series.set(infinite, None)
        return series

    def _follow(self, series: pl.Series) -> None:
        """Look at the order of the rows."""
        stripped = series.str.strip_chars() if self.kind == "text" else series
        if self.sequence.holds and self.kind in {"text", "integer"}:
            self.sequence.follow(stripped.cast(pl.Int64, strict=False))
        if self.ascent.holds and self.kind in {"text", "datetime"}:
            self.ascent.follow(parse_column(stripped) if self.kind == "text" else series)
        if self.rise.holds and self.kind in {"text", "integer", "number"}:
            read = number_text(pl.lit(stripped), decimal=".") if self.kind == "text" else pl.lit(series)
            self.rise.follow(pl.select(read).to_series())
        if self.kind == "text":
            self.dated.follow(stripped)

    def _take_words(self, table: pl.DataFrame) -> pl.DataFrame:
        """Count the texts that may mean a missing value, and return the others."""
        is_word = pl.col("value").str.strip_chars().str.to_lowercase().is_in(list(NULL_WORDS))
        self.words.update(dict(table.filter(is_word).iter_rows()))
        return table.filter(~is_word)

    def _classify(self, table: pl.DataFrame) -> None:
        """Count what texts read as."""
        if not table.height:
            return
        stripped = table["value"].str.strip_chars()
        read = table.select(
            **{sign: number_text(pl.col("value"), decimal=sign) for sign in _SIGNS},
        ).with_columns(stripped.alias("text"), parse_column(stripped).alias("moment"), table["n"])
        self._widen("dot", read["."])
        self._widen("comma", read[","])
        self._widen_moments(read["moment"])
        text = pl.col("text")
        whole = text.str.contains(_INTEGER)
        zero_led = text.str.contains(_ZERO_LED)
        tests = {
            "integer": whole & text.cast(pl.Int64, strict=False).is_not_null(),
            "beyond": whole & text.cast(pl.Int64, strict=False).is_null(),
            "zero_led": zero_led,
            "dotted": pl.col(".").is_not_null() & ~whole & ~zero_led,
            "commaed": pl.col(",").is_not_null() & ~whole & ~zero_led,
            "thousands": text.str.contains(_THOUSANDS),
            **{name: text.str.contains(pattern) for name, pattern in _GROUPED.items()},
            "boolean": text.str.to_lowercase().is_in(["true", "false"]),
            "iso": pl.col("moment").is_not_null(),
            "dated": text.str.contains(_DATED),
            "decorated": text.str.contains(_DECORATED),
            "email": text.str.contains(_EMAIL),
            "phone": text.str.contains(_PHONE),
            "edged": pl.lit(table["value"]) != text,
        }
        sizes = {"letters": text.str.len_chars(), "words": text.str.count_matches(r"\s+") + 1}
        wanted = ((each * pl.col("n")).sum().alias(name) for name, each in (tests | sizes).items())
        self.counts.update(read.select(*wanted).row(0, named=True))

    def _widen(self, sign: str, numbers: pl.Series) -> None:
        low, high = numbers.min(), numbers.max()
        if isinstance(low, float) and isinstance(high, float):
            before = self.ranges.get(sign, (low, high))
            self.ranges[sign] = (min(low, before[0]), max(high, before[1]))

    def _widen_moments(self, moments: pl.Series) -> None:
        plain = moments.cast(pl.Datetime("us"))
        low, high = plain.min(), plain.max()
        if isinstance(low, datetime) and isinstance(high, datetime):
            before = self.moments or (low, high)
            self.moments = (min(low, before[0]), max(high, before[1]))

    def _keep(self, table: pl.DataFrame) -> None:
        """Remember distinct values: with their rows while they are few, else only that they differ."""
        if not table.height:
            return
        self.hashes.append(table["value"].hash().to_numpy())
        if len(self.hashes) > _MANY_BLOCKS:
            self.hashes = [np.unique(np.concatenate(self.hashes))]
        if self.kept is None:
            self.kept = table
        elif self.kept.height <= MAX_KEPT:
            self.kept = pl.concat([self.kept, table]).group_by("value").agg(pl.col("n").sum())


def _kind_of(dtype: pl.DataType) -> Kind:
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_integer():
        return "integer"
    if dtype.is_float() or dtype.is_decimal():
        return "number"
    return "datetime" if dtype in (pl.Date, pl.Datetime) else "other"

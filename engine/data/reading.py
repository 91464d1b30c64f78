"""How all columns of a file are read together: the decimal sign, and which texts mean a missing value.

Both hold for the whole file, so they are decided before any column is: what is null in a column of numbers is
null in every other, and is counted there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from engine.data.dated import Moments, Style
from engine.data.survey import Facts
from engine.data.violation import counted

Sense = Literal["empty", "boolean", "integer", "number", "code", "datetime", "text", "other"]

# Null wherever they stand; the others of `NULL_WORDS` may be values, and are null beside numbers and dates.
_CLEAR = frozenset(
    {
        *("", "?", "??", "na", "n/a", "#n/a", "#na", "<na>", "null", "(null)", "nan", "\\n", "n.a."),
        *("#div/0!", "#value!", "#ref!", "#num!"),
    }
)
_INT64 = 2.0**63
_SHORT_CODE = re.compile("[A-Z]{2,3}")
_WORDS: Mapping[Sense, str] = {
    "integer": "numbers",
    "number": "numbers",
    "datetime": "dates",
    "boolean": "true and false",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What holds for every column of a file.

    Attributes
    ----------
    null_values
        Texts that mean a missing value, beside an empty field.
    why_null
        By text: where it was found out to be null.
    """

    decimal: Literal[".", ","] = "."
    why_decimal: str = ""
    null_values: tuple[str, ...] = ()
    why_null: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """One column under a reading of the file.

    Attributes
    ----------
    sense
        What every value of it can be read as; a `code` is an integer whose text says more than its value.
    values
        Distinct values with their rows, the most frequent first; empty where they are too many to keep.
    """

    facts: Facts
    sense: Sense
    decimal: str
    n_missing: int
    n_present: int
    n_distinct: int
    values: tuple[tuple[object, int], ...]

    @property
    def name(self) -> str:
        """The column's name."""
        return self.facts.name

    @property
    def style(self) -> Style | None:
        """How dates are written, where that is the one way that fits and not ISO 8601."""
        return self.facts.styles[0] if self.sense == "datetime" and self.facts.styles else None

    @property
    def moments(self) -> Moments | None:
        """The range of a column of dates."""
        return self.facts.moments if self.style is None else self.style.moments

    @property
    def is_unique(self) -> bool:
        """Whether no value stands twice."""
        return self.n_distinct == self.n_present > 0

    @property
    def range(self) -> tuple[float, float] | None:
        """The least and the largest of a column of numbers."""
        if self.sense not in {"integer", "number"}:
            return None
        return self.facts.comma if self.facts.from_text and self.decimal == "," else self.facts.dot

    @property
    def is_flag(self) -> bool:
        """Whether the values are the numbers 0 and 1, both of them."""
        return self.range == (0, 1) and self.n_distinct == 2 and self.is_whole  # noqa: PLR2004

    @property
    def is_whole(self) -> bool:
        """Whether the numbers are known to be integers, however they are written."""
        return self.sense == "integer" or (bool(self.values) and all(n % 1 == 0 for n in self.numbers()))

    def numbers(self) -> tuple[float, ...]:
        """Return the distinct values of a column of numbers that are known, rising."""
        if self.sense not in {"integer", "number"}:
            return ()
        texts = (str(value).strip() for value, _ in self.values)
        return tuple(sorted({float(text.replace(self.decimal, ".")) for text in texts}))


def read_together(facts: Sequence[Facts], *, delimiter: str) -> Reading:
    """Decide how the text of a file is read.

    Notes
    -----
    A comma before the fraction is taken where more columns are numbers with it than with a dot. A column of
    `1,234` alone is taken for thousands, unless the delimiter says that the file was written where a comma
    is a decimal sign.
    """
    commaed = [fact for fact in facts if _all(fact, "integer", "commaed") and fact.counts["commaed"]]
    certain = [fact for fact in commaed if fact.counts["commaed"] > fact.counts["thousands"]]
    if not certain and delimiter != ";":
        commaed = []
    dotted = [fact for fact in facts if _all(fact, "integer", "dotted") and fact.counts["dotted"]]
    decimal: Literal[".", ","] = "," if len(commaed) > len(dotted) else "."
    example = next((str(value) for value, _ in commaed[0].values if "," in str(value)), "") if commaed else ""
    why = f"numbers such as {example} in '{commaed[0].name}'" if decimal == "," else ""
    why_null: dict[str, str] = {}
    for fact in facts:
        for text, where in _nulls(fact, decimal):
            why_null.setdefault(text, where)
    order = sorted(why_null, key=lambda text: (text.strip().lower(), text))
    return Reading(decimal, why, tuple(order), {text: why_null[text] for text in order})


def see(fact: Facts, reading: Reading) -> Seen:
    """Return a column as it is under a reading."""
    kept = {text: n for text, n in fact.words.items() if text not in reading.null_values}
    n_missing = fact.n_null + sum(fact.words.values()) - sum(kept.values())
    n_present = fact.n_present + sum(kept.values())
    values = fact.values
    if kept and (values or not fact.n_present):
        values = tuple(sorted((*values, *kept.items()), key=lambda pair: (-pair[1], str(pair[0]))))
    sense: Sense = "text" if kept else _sense(fact, reading.decimal)
    n_distinct = fact.n_distinct + len(kept)
    return Seen(fact, sense, reading.decimal, n_missing, n_present, n_distinct, values)


def _nulls(fact: Facts, decimal: str) -> Iterable[tuple[str, str]]:
    """Yield the texts that mean a missing value in this column, and why."""
    sense = _sense(fact, decimal)
    for text, n in fact.words.items():
        plain = text.strip().lower()
        where = f"in '{fact.name}' ({counted(n, 'row')})"
        if sense in _WORDS:
            yield text, f"{where}, among {_WORDS[sense]}"
        elif sense == "code":
            yield text, f"{where}, among codes"
        elif plain in _CLEAR and not (plain == "na" and _is_code_of_letters(fact)):
            yield text, where


def _is_code_of_letters(fact: Facts) -> bool:
    """Tell whether the other values are short codes, as of countries: `NA` is Namibia then."""
    return bool(fact.values) and all(_SHORT_CODE.fullmatch(str(value)) for value, _ in fact.values)


def _sense(fact: Facts, decimal: str) -> Sense:
    if not fact.n_present:
        return "empty" if not fact.n_infinite else "other"
    if fact.kind == "text":
        return _sense_of_text(fact, decimal)
    beyond = fact.kind == "integer" and fact.dot is not None and fact.dot[1] >= _INT64
    return "other" if fact.n_infinite or beyond else fact.kind


def _sense_of_text(fact: Facts, decimal: str) -> Sense:
    """Return what all texts read as; of a typed file, texts stay texts, but for moments."""
    if _all(fact, "iso") or len(fact.styles) == 1:
        return "datetime"
    if not fact.from_text:
        return "text"
    fraction = "commaed" if decimal == "," else "dotted"
    if _all(fact, "boolean"):
        return "boolean"
    if _all(fact, "integer"):
        return "integer"
    if _all(fact, "integer", "beyond", "zero_led"):
        return "code"
    return "number" if _all(fact, "integer", fraction) else "text"


def _all(fact: Facts, *names: str) -> bool:
    return fact.n_present > 0 and sum(fact.counts[name] for name in names) == fact.n_present

"""What each column is taken for: type, role, rules, and the reason in words.

Declares only what tomorrow's rows will keep too: a bound by the meaning of a column, not by the values that
were seen; the values of a category only where they are two or three. What else was seen is left to a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from engine.data import hints
from engine.data.datetimes import parse
from engine.data.formats import fitting
from engine.data.reading import Seen
from engine.data.rewrite import ungrouped_line
from engine.data.violation import counted, show
from engine.recipe.spec_table import ColumnType, Encode, Role
from engine.recipe.strict import Scalar

# Fewer rows than this say little about which values there are.
_ENOUGH_ROWS = 50
_FEW_VALUES = 3
# More levels than this, or fewer rows a level, and a model learns names by heart.
MAX_LEVELS = 1000
_MIN_ROWS_A_LEVEL = 5
_FEW_LEVELS = 30
_MOSTLY_OWN = 0.5
_MIN_UNIQUE = 10
_LONG_TEXT, _MANY_WORDS = 50, 5
_MOSTLY = 0.9
_N_GROUPS, _ROWS_A_GROUP = 10, 2
_N_TIMES = 20
_N_SHOWN = 3
# A flag's sensitive column, or one of few groups, can be audited by group.
_MAX_GROUPS = 20
# What sets thousands apart, and the counts of numbers without it and with it.
_GROUPED = ((".", "commaed", "grouped_by_dot"), (",", "dotted", "grouped_by_comma"))
# Enough distinct values to tell days from months.
_MAX_TRIED = 1000


@dataclass(frozen=True, slots=True)
class Guess:
    """What one column is taken for.

    Attributes
    ----------
    why
        The reason in words, for the table that `engine init` prints.
    seen
        What stands in the column, for the comment beside it.
    look
        What a person should look at before trusting the guess; empty where there is nothing.
    candidate
        `time` or `group`, where the column may be what the split must respect.
    strong
        Whether the rows themselves bear that out, so that the split may follow it unasked.
    told
        Whether the reason belongs beside the column in the recipe: it says more than the type does.
    encode
        How it is prepared, where no default says so.
    format
        How its dates are written, where that is not ISO 8601.
    """

    name: str
    type: ColumnType
    why: str
    seen: str
    role: Role | None = None
    nullable: bool = False
    min: float | None = None
    max: float | None = None
    values: tuple[Scalar, ...] | None = None
    sensitive: bool = False
    pii: bool = False
    look: str = ""
    candidate: Role | None = None
    strong: bool = False
    told: bool = False
    encode: Encode | None = None
    format: str | None = None

    @property
    def is_feature(self) -> bool:
        """Whether a model sees it."""
        return self.role in {None, "feature"}


def infer(column: Seen) -> Guess:
    """Say what a column that is not the target is taken for."""
    guess = _with_rules(_guess(column), column)
    nullable = guess.role != "ignore" and column.n_missing > 0
    return replace(guess, nullable=nullable, seen=", ".join(_seen(column, guess)))


def _guess(column: Seen) -> Guess:
    """Return the first guess that fits, from the surest to the least."""
    for maker in (_without_use, _personal, _grouped, _broken, _identity, _by_type):
        guess = maker(column)
        if guess is not None:
            return guess
    return _text(column)


def _ignored(column: Seen, why: str, *, look: str = "", pii: bool = False) -> Guess:
    kind: ColumnType = "text" if column.sense in {"text", "code", "empty", "other"} else column.sense  # type: ignore[assignment]
    return Guess(column.name, kind, why, "", role="ignore", look=look, pii=pii)


def _without_use(column: Seen) -> Guess | None:
    if column.sense == "empty":
        return _ignored(column, "no row has a value")
    if column.sense == "other":
        infinite = column.facts.n_infinite
        if infinite:
            what = f"{counted(infinite, 'row')} infinite, which no model takes"
            return _ignored(column, what, look=f"{what}; mend the data to use it")
        return _ignored(column, f"{column.facts.dtype} is no type that a model takes")
    if column.n_distinct == 1 and not column.n_missing:
        return _ignored(column, "one value in all rows: nothing to learn from")
    return None


def _broken(column: Seen) -> Guess | None:
    """Return a guess for text that is nearly something else, and must be mended to be used as that."""
    counts, n = column.facts.counts, column.n_present
    if column.sense != "text" or column.n_distinct <= _FEW_LEVELS:
        return None
    numbers = counts["integer"] + counts["dotted" if column.decimal == "." else "commaed"]
    if column.facts.styles or counts["iso"] + counts["dated"] >= _MOSTLY * n:
        what = f"dates as {_example(column, but=_is_moment)}"
        return _ignored(column, what, look=f"{what}; {_dates_cure(column)}")
    if numbers >= _MOSTLY * n and column.facts.from_text:
        odd = n - numbers
        example = _example(column, but=_is_number)
        what = f"numbers, but {counted(odd, 'row')} such as {example}"
        return _ignored(column, what, look=f"{what}; {_mend(column)}, to use it")
    plain = numbers + counts["zero_led"] + counts["beyond"]
    if counts["decorated"] >= _MOSTLY * n and counts["decorated"] > plain and column.facts.from_text:
        what = f"numbers written as {_example(column, but=_is_number)}"
        return _ignored(column, what, look=f"{what} are not read; {_plain_number(column)}, to use it")
    if numbers == n:
        what = "numbers held as text"
        return _ignored(column, what, look=f"{what}; cast the column in the file to use it as a number")
    return None


def _grouped(column: Seen) -> Guess | None:
    """Return a guess for numbers of which some have a thousands separator; the others say what it is."""
    counts = column.facts.counts
    if column.sense != "text" or column.n_distinct <= _FEW_LEVELS or not column.facts.from_text:
        return None
    for separator, plain, grouped in _GROUPED:
        n = counts["integer"] + counts[plain] + counts[grouped]
        if counts[grouped] and n >= _MOSTLY * column.n_present:
            what = f"numbers with a thousands separator, as {_example(column, but=_is_number)}"
            line = ungrouped_line(column.name, separator=separator)
            return _ignored(column, what, look=f"{what}, are not read yet; in polars: {line}")
    return None


def _dates_cure(column: Seen) -> str:
    """Say what would have dates read: a format that all of them fit, if there is one."""
    others = [str(value).strip() for value, _ in column.values if not _is_moment(value)]
    ways = [style.format for style in column.facts.styles] or fitting(others[:_MAX_TRIED])
    if not ways:
        return "dates are read as 2020-01-31, or as one format says: mend those that are written otherwise"
    written = " or ".join(f'"{way}"' for way in ways)
    which = ", as days or months stand first" if len(ways) > 1 else ""
    return f"type: datetime with format: {written} reads them{which}"


def _mend(column: Seen) -> str:
    """Say what to do about the few texts among numbers: what has digits is a value, and no null."""
    odd = [str(value) for value, _ in column.values if not _is_number(value)]
    if not odd or any(letter.isdigit() for text in odd for letter in text):
        return "mend them"
    return "mend them, or name them in data.null_values if they mean a missing value"


def _plain_number(column: Seen) -> str:
    return f"write plain numbers, as 1234{column.decimal}5"


def _personal(column: Seen) -> Guess | None:
    counts, n = column.facts.counts, column.n_present
    if _is_email(column):
        return _ignored(column, "e-mail addresses: personal data", pii=True)
    if not hints.is_personal(column.name):
        return None
    if column.sense in {"text", "code"} and column.n_distinct > _MOSTLY_OWN * n:
        return _ignored(column, "by its name and its many values: personal data", pii=True)
    if column.is_unique and column.sense == "integer" and counts["phone"] >= _MOSTLY * n:
        return _ignored(column, "by its name: personal data", pii=True)
    return None


def leads_to_a_person(column: Seen) -> bool:
    """Tell whether a column's values look personal, so that none of them is shown."""
    return _is_email(column) or hints.is_personal(column.name)


def _is_email(column: Seen) -> bool:
    return 0 < column.n_present * _MOSTLY <= column.facts.counts["email"]


def _identity(column: Seen) -> Guess | None:
    if column.sense not in {"integer", "code", "text"}:
        return None
    kind: ColumnType = "integer" if column.sense == "integer" else "category"
    n = column.n_present
    counts_up = column.sense == "integer" and column.facts.is_sequence
    if counts_up and n >= _MIN_UNIQUE and not hints.is_time(column.name):
        return Guess(column.name, "integer", "counts the rows, one by one", "", role="id")
    is_code = column.sense == "integer" or _is_code_like(column)
    named = hints.is_id(column.name) or (is_code and hints.is_person(column.name))
    if column.is_unique and n >= _MIN_UNIQUE and (named or _is_code_like(column)):
        why = "no value twice" + (", and its name says so" if named else ", all of one word")
        return Guess(column.name, kind, why, "", role="id")
    if not named or column.is_flag or (column.sense == "integer" and hints.is_count(column.name)):
        return None
    repeats = column.n_distinct >= _N_GROUPS and n >= _ROWS_A_GROUP * column.n_distinct
    candidate: Role | None = "group" if repeats and hints.is_person_id(column.name) else None
    guess = _levels(column, "its name says that its values are names of something")
    return replace(guess, candidate=candidate, strong=candidate is not None, told=True)


def _by_type(column: Seen) -> Guess | None:
    written = (
        f"every value reads as {column.sense}" if column.facts.kind == "text" else "typed so in the file"
    )
    if column.sense == "boolean":
        return Guess(column.name, "boolean", written, "")
    if column.sense == "code" or (column.sense == "integer" and hints.is_code(column.name)):
        digits = "leading zeros" if column.facts.counts["zero_led"] else "more digits than a number holds"
        why = digits if column.sense == "code" else "its name says that its numbers are labels"
        return replace(_levels(column, why), told=True)
    if column.sense in {"integer", "number"}:
        kind: ColumnType = "integer" if column.sense == "integer" or column.is_flag else "number"
        is_clock = hints.is_time(column.name) and column.facts.is_sorted and column.n_distinct >= _N_TIMES
        # Of times that stand twice, such as years of several countries, a person says what they are.
        strong = is_clock and column.is_unique
        return Guess(column.name, kind, written, "", candidate="time" if is_clock else None, strong=strong)
    if column.sense == "datetime":
        candidate: Role | None = "time" if column.n_distinct >= _N_TIMES and not column.n_missing else None
        style = column.style
        is_sorted = column.facts.is_sorted if style is None else style.is_sorted
        strong = candidate is not None and is_sorted
        if style is not None:
            written = f"every value is written as {_example(column)}"
        form = None if style is None else style.format
        return Guess(column.name, "datetime", written, "", candidate=candidate, strong=strong, format=form)
    return None


def _text(column: Seen) -> Guess:
    facts = column.facts
    is_long = facts.mean_length >= _LONG_TEXT or facts.mean_words >= _MANY_WORDS
    if is_long and column.n_distinct > _FEW_LEVELS:
        why = "free text: tfidf weighs its most frequent words"
        return Guess(column.name, "text", why, "", told=True, encode="tfidf")
    return _levels(column, f"text of {counted(column.n_distinct, 'value')}")


def _levels(column: Seen, why: str) -> Guess:
    """Return a category, or what it is instead where its values are too many to learn from."""
    n, n_levels = column.n_present, column.n_distinct
    if n_levels > _MIN_UNIQUE and n_levels > _MOSTLY_OWN * n:
        what = f"{n_levels} values in {counted(n, 'row')}: nearly every row has its own"
        return _ignored(column, what)
    if n_levels > MAX_LEVELS or (n_levels > _FEW_LEVELS and n < _MIN_ROWS_A_LEVEL * n_levels):
        what = f"{n_levels} values, {n / n_levels:.0f} rows each: too many for a first model"
        how = "give it role: feature to use it, or group its values in the data"
        return replace(_ignored(column, what, look=f"{what}; {how}"), type="category")
    return Guess(column.name, "category", why, "")


def _with_rules(guess: Guess, column: Seen) -> Guess:
    """Add bounds and values that will hold tomorrow, and whom the column is about."""
    sensitive = hints.is_sensitive(guess.name) and column.n_distinct <= _MAX_GROUPS and guess.is_feature
    look = guess.look
    if not sensitive and guess.is_feature and hints.may_be_sensitive(guess.name):
        look = "may stand for a protected group: sensitive: true audits the model by its groups"
    low, high = _bounds(guess, column)
    return replace(guess, min=low, max=high, values=_closed(guess, column), sensitive=sensitive, look=look)


def _bounds(guess: Guess, column: Seen) -> tuple[float | None, float | None]:
    """Return bounds that follow from what the column means."""
    seen = column.range
    if seen is None or guess.type not in {"integer", "number"} or guess.role == "ignore":
        return None, None
    if guess.role == "id":
        return None, None
    if column.is_flag:
        return 0, 1
    low, high = seen
    around = hints.cycle(guess.name)
    if around and around[0] <= low and high <= around[1]:
        return around
    return (0, None) if low >= 0 and hints.is_amount(guess.name) else (None, None)


def _closed(guess: Guess, column: Seen) -> tuple[Scalar, ...] | None:
    """Return the values of a category that has so few that no other is to be expected."""
    few = 1 < column.n_distinct <= _FEW_VALUES and column.n_present >= _ENOUGH_ROWS
    if guess.type != "category" or guess.role is not None or not few or not column.values:
        return None
    return as_categories(column)


def as_categories(column: Seen) -> tuple[Scalar, ...]:
    """Return the distinct values as the engine holds a category of them: all integers, or all text."""
    values = [value for value, _ in column.values]
    if column.sense == "boolean":
        return tuple(sorted({str(value).lower() == "true" for value in values}))
    if column.sense in {"integer", "number"}:
        return tuple(int(number) for number in column.numbers())
    return tuple(sorted(str(value) for value in values))


def _is_code_like(column: Seen) -> bool:
    """Tell whether unique texts are single words of digits and letters, as codes and hashes are."""
    facts = column.facts
    return column.sense == "code" or (
        column.sense == "text"
        and facts.mean_words == 1
        and not facts.counts["decorated"]
        and _has_digits(column)
    )


def _has_digits(column: Seen) -> bool:
    texts = [str(value) for value, _ in column.values[:100]]
    return not texts or sum(any(map(str.isdigit, text)) for text in texts) >= _MOSTLY * len(texts)


def _is_number(value: object) -> bool:
    try:
        float(str(value).strip().replace(",", "."))
    except ValueError:
        return False
    return True


def _is_moment(value: object) -> bool:
    return parse(str(value).strip()) is not None


def _example(column: Seen, *, but: object = None) -> str:
    """Return one of a column's values, as a message shows it; none of what leads to a person."""
    for value, _ in () if leads_to_a_person(column) else column.values:
        if not (callable(but) and but(value)):
            return f"'{show(value)}'"
    return "some"


def _seen(column: Seen, guess: Guess) -> Iterator[str]:
    """Yield what stands in a column; of what leads to persons or groups of them, no value."""
    if column.sense in {"empty", "other"}:
        return
    if column.range is not None:
        low, high = column.range
        yield span(low, high)
    elif column.sense == "datetime" and (moments := column.moments):
        yield " to ".join(str(moment).removesuffix(" 00:00:00") for moment in moments)
    else:
        is_private = guess.pii or guess.sensitive or leads_to_a_person(column) or guess.encode is not None
        shown = "" if is_private else _most_frequent(column)
        # Why a text is left out tells how many values it has.
        told = guess.role == "ignore" and guess.type != "datetime"
        if shown or not told:
            yield ": ".join(filter(None, ("" if told else counted(column.n_distinct, "value"), shown)))
    if column.n_missing:
        yield f"{column.n_missing} missing"
    if column.facts.counts["edged"] and column.sense == "text":
        yield f"blanks at the edge of {counted(column.facts.counts['edged'], 'value')}"


def span(low: float, high: float) -> str:
    """Return a range of numbers in few digits.

    Examples
    --------
    >>> span(17, 90), span(0.0105505, 1484705.5)
    ('17 to 90', '0.01055 to 1.485e+06')
    """
    return " to ".join(str(int(end)) if end == int(end) else f"{end:.4g}" for end in (low, high))


def _most_frequent(column: Seen) -> str:
    if not column.values or column.is_unique:
        return ""
    shown = ", ".join(show(value) for value, _ in column.values[:_N_SHOWN])
    return shown + (", …" if column.n_distinct > _N_SHOWN else "")

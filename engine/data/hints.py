"""What a column's name hints at, told by its words: an id, a price, an hour of the day, a person's sex.

A hint alone decides nothing that the values do not bear out; `infer` holds the two together.
"""

from __future__ import annotations

import re


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_PEOPLE = _set(
    "user customer client patient subject participant respondent person member student employee account "
    "household session player family"
)
# Those that alone say who a row belongs to; the others may be counted, or described.
_WHOLE_PEOPLE = _set("user customer client patient subject participant respondent")
_IDS = _set("id ids uuid guid pk rowid identifier unnamed")
_NAMED = "|".join(sorted(_PEOPLE | _set("order product item row case doc obs seq town")))
_JOINED_ID = re.compile(rf"(?:{_NAMED})(?:id|nr|no)")
# As R calls the names that it gives to rows.
_ROW_NAMES = frozenset({"rownames", "rowname"})
_WHOLE_IDS = _set("index idx key row nr no number record")
_COUNTS = _set("no number")
_CODES = _set("code zip zipcode postcode postal plz fips isbn ean sku")
_TIMES = _set("year yr month week day date hour time t period step jahr")
# What can't be below zero, by the word that says what is counted or measured.
_AMOUNTS = _set(
    "count cnt num number qty quantity amount price cost fare fee income salary wage wages age duration "
    "minutes hours seconds days weeks months years tenure distance length width height depth weight mass "
    "size area volume population rooms bedrooms bathrooms charge charges visits clicks views orders items "
    "units passengers children dependents siblings sibsp parch speed windspeed humidity carat km kg cm mm "
    "miles sqft seats registered casual rent usage consumption loan premium calories dose"
)
_SIGNED = _set(
    "delay balance change diff difference delta profit temp temperature score growth return returns net "
    "margin log z error residual elevation gap"
)
_CYCLES = {
    "month": (1, 12),
    "mnth": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "hr": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
    "weekday": (0, 7),
    "latitude": (-90, 90),
    "lat": (-90, 90),
    "longitude": (-180, 180),
    "lon": (-180, 180),
    "lng": (-180, 180),
    "probability": (0, 1),
}
_SENSITIVE = _set(
    "sex gender race ethnicity ethnic religion disability disabled female male caste geschlecht"
)
_MAYBE_SENSITIVE = _set(
    "age birth birthday birthdate nationality citizenship country marital married pregnant pregnancy senior "
    "language orientation veteran relationship religious"
)
_PERSONAL = _set(
    "email mail phone telephone mobile ssn passport iban surname firstname lastname fullname forename "
    "address street creditcard"
)
_PERSON_NAMES = frozenset(
    {("name",), ("first", "name"), ("last", "name"), ("full", "name"), ("customer", "name")}
)


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a column's name, in small letters.

    Examples
    --------
    >>> words_of("customerID"), words_of("hours-per-week"), words_of("Größe (cm)")
    (('customer', 'id'), ('hours', 'per', 'week'), ('größe', 'cm'))
    """
    return tuple(word.lower() for part in re.split(r"[\W_]+", name) for word in _split(part))


def _split(part: str) -> list[str]:
    return _WORD.findall(part) if part.isascii() else [part] if part else []


def is_id(name: str) -> bool:
    """Tell whether a name says that the column names a row, or something that a row belongs to."""
    words = words_of(name)
    if not words:
        return False
    return (
        words[-1] in _IDS
        or words[0] == "unnamed"
        or (len(words) == 1 and words[0] in _WHOLE_IDS)
        or "".join(words) in _ROW_NAMES
        or bool(_JOINED_ID.fullmatch(name.lower()))
    )


def is_person(name: str) -> bool:
    """Tell whether a name alone says who a row belongs to, where the values are no words."""
    words = words_of(name)
    return len(words) == 1 and words[0] in _WHOLE_PEOPLE


def is_person_id(name: str) -> bool:
    """Tell whether a name says that rows belong to someone, or a visit of someone, who may have several.

    An id of nothing that is named is of whom, or what, the table is about.
    """
    words = words_of(name)
    return words == ("id",) or any(word.startswith(person) for word in words for person in _PEOPLE)


def is_count(name: str) -> bool:
    """Tell whether a name may say how many, as well as which one."""
    words = words_of(name)
    return len(words) == 1 and words[0] in _COUNTS


def is_time(name: str) -> bool:
    """Tell whether a name says that numbers count time."""
    return bool(_TIMES.intersection(words_of(name)))


def is_code(name: str) -> bool:
    """Tell whether a name says that numbers are labels, such as postal codes."""
    return bool(_CODES.intersection(words_of(name)))


def is_amount(name: str) -> bool:
    """Tell whether a name says that the numbers count or measure what can't be below zero."""
    words = set(words_of(name))
    return bool(words & _AMOUNTS) and not words & _SIGNED


def cycle(name: str) -> tuple[int, int] | None:
    """Return the bounds that a name gives by its meaning alone, such as those of an hour."""
    words = words_of(name)
    return _CYCLES.get(words[-1]) if words else None


def is_sensitive(name: str) -> bool:
    """Tell whether a name says, beyond doubt, what no one may be treated differently for."""
    return bool(_SENSITIVE.intersection(words_of(name)))


def may_be_sensitive(name: str) -> bool:
    """Tell whether a name says what often stands for such a thing."""
    return bool(_MAYBE_SENSITIVE.intersection(words_of(name)))


def is_personal(name: str) -> bool:
    """Tell whether a name says that the values lead to one person."""
    words = words_of(name)
    return bool(_PERSONAL.intersection(words)) or words in _PERSON_NAMES

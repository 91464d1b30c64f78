"""What the environment gave, kept out of everything that is printed.

A value is a secret wherever in the process its text turns up: in a path that the system complains of, in a
library's words, in a traceback. So it is told once, where it is read, and taken out at every sink.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache

# A shorter value may be an ordinary word; it counts only where it is a whole part of a path or in quotes.
_WORD_LENGTH = 8
_held: dict[str, str] = {}


def keep_secret(value: str, *, shown: str) -> None:
    """Have `redact` put `shown` in the place of `value` from now on.

    A folder that holds the working directory is no secret: every path that is printed begins with it.
    """
    here = os.getcwd()
    is_above = here == value.rstrip("/") or here.startswith(value.rstrip("/") + "/")
    if value and not is_above and _held.get(value) != shown:
        _held[value] = shown
        _patterns.cache_clear()


def forget_secrets() -> None:
    """Begin anew, as a new command does."""
    _held.clear()
    _patterns.cache_clear()


def redact(text: str) -> str:
    """Return the text without any value that is kept secret.

    Examples
    --------
    >>> keep_secret("correct-horse", shown="${oc.env:WORD}")
    >>> redact("/data/correct-horse/a.csv")
    '/data/${oc.env:WORD}/a.csv'
    """
    for pattern, shown in _patterns():
        text = pattern.sub(lambda _, shown=shown: shown, text)  # type: ignore[misc]
    return text


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    patterns = []
    for value in sorted(_held, key=len, reverse=True):
        # As it is, as Python shows it in an error, and as JSON writes it.
        forms = {
            value,
            repr(value)[1:-1],
            json.dumps(value)[1:-1],
            json.dumps(value, ensure_ascii=False)[1:-1],
        }
        words = "|".join(map(re.escape, sorted(forms, key=len, reverse=True)))
        if len(value) < _WORD_LENGTH:
            words = rf"(?<=[/'\"=])(?:{words})(?=[/'\"]|$)|^(?:{words})(?=/)"
        patterns.append((re.compile(words), _held[value]))
    return tuple(patterns)

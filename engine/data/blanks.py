"""Fields of nothing but blanks, which polars' reader takes for null in a column of numbers, in silence."""

from __future__ import annotations

import re
from functools import cache

_BLANKS = (b" ", b"\t")


def has_blank_field(content: bytes | bytearray, *, delimiter: str) -> bool:
    r"""Tell whether a field of a text holds blanks and nothing else, in quotes or not.

    Of a part that is cut out of a text the two ends count as the ends of fields: better asked once too often.

    Examples
    --------
    >>> has_blank_field(b"a, ,b\n", delimiter=","), has_blank_field(b"a, b\n", delimiter=",")
    (True, False)
    """
    starts, field = _patterns(delimiter)
    # Few texts have a field that so much as begins with a blank, and to look for that costs next to nothing.
    may_be = content.startswith(_BLANKS) or any(start in content for start in starts)
    return may_be and field.search(content) is not None


@cache
def _patterns(delimiter: str) -> tuple[tuple[bytes, ...], re.Pattern[bytes]]:
    """Return how a field begins that may be blank, and what is one."""
    mark = delimiter.encode()
    blanks = [blank for blank in _BLANKS if blank != mark]
    starts = tuple(before + blank for before in (mark, b"\n", b'"') for blank in blanks)
    blank, edge = b"[" + b"".join(blanks) + b"]+", re.escape(mark)
    return starts, re.compile(
        rb"(?:\A|[\n" + edge + rb"])(?:" + blank + rb'|"' + blank + rb'")(?=[\r\n' + edge + rb"]|\Z)"
    )

"""Fields of nothing but blanks, which polars' reader takes for null in a column of numbers, in silence."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

_BLANKS = (b" ", b"\t")
_EDGES = b'\n"'


def has_blank_field(content: bytes | bytearray, *, delimiter: str) -> bool:
    r"""Tell whether a field of a text holds blanks and nothing else, in quotes or not.

    Of a part that is cut out of a text the two ends count as the ends of fields: better asked once too often.

    Examples
    --------
    >>> has_blank_field(b"a, ,b\n", delimiter=","), has_blank_field(b"a, b\n", delimiter=",")
    (True, False)
    """
    # Few texts have a field that so much as begins with a blank, and to look for that costs next to nothing.
    return _may_begin(content, delimiter) and _pattern(delimiter).search(content) is not None


def _may_begin(content: bytes | bytearray, delimiter: str) -> bool:
    """Tell whether a blank stands where a field may begin."""
    mark = delimiter.encode()
    if content.startswith(_BLANKS):
        return True
    octets = np.frombuffer(content, np.uint8)
    for blank in _BLANKS:
        # One octet is found at the speed of memory; most texts of numbers have none.
        if blank == mark or content.find(blank) < 0:
            continue
        before = octets[np.flatnonzero(octets == blank[0]) - 1]
        if any((before == edge).any() for edge in (mark[0], *_EDGES)):
            return True
    return False


@cache
def _pattern(delimiter: str) -> re.Pattern[bytes]:
    """Return what a blank field is."""
    mark = delimiter.encode()
    blanks = [blank for blank in _BLANKS if blank != mark]
    blank, edge = b"[" + b"".join(blanks) + b"]+", re.escape(mark)
    return re.compile(
        rb"(?:\A|[\n" + edge + rb"])(?:" + blank + rb'|"' + blank + rb'")(?=[\r\n' + edge + rb"]|\Z)"
    )

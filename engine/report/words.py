"""How values are said: escaped for the place they go to, numbers short enough to read.

Every string that comes from a recipe or from data passes through `escape`, `inline_code` or `prose` before it
is written; nothing else in this room knows about markup characters.
"""

from __future__ import annotations

import math
import re
import unicodedata

MISSING = "MISSING"

# Where numbers change how they are written.
_TINY, _TEN, _THOUSAND, _TEN_THOUSAND, _UNWIELDY = 1e-3, 10, 1e3, 1e4, 1e9
# What rounding leaves of equal scores that are taken from each other.
_NOISE = 1e-14
_MINUTE_S, _STEP = 60, 1024

# XML 1.0, section 2.2: characters that no document may hold, written or escaped. Directional overrides
# are legal but would let a column's name rewrite the look of the text beside it.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"})
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#])")
_TAG = re.compile(r"<[A-Za-z/!?]")
# What GitHub turns into links by itself: `scheme://`, `www.`, addresses with an at sign.
_LINK = re.compile(r"(?i)(:)(?=//)|(@)|(?<=www)(\.)")
_LEADING = re.compile(r"^(\s*)([-+=]|\d+(?=[.)]))")


def clean(text: str) -> str:
    """Replace characters that no document may hold, or that turn text around, by U+FFFD."""
    return _UNSAFE.sub("\ufffd", text)


def escape(text: str) -> str:
    """Return `text` as literal HTML or XML, in an element or in a quoted attribute.

    Examples
    --------
    >>> escape('<img src=x onerror="alert(1)">')
    '&lt;img src=x onerror=&quot;alert(1)&quot;&gt;'
    """
    return clean(text).translate(_ENTITIES)


def inline_code(text: str) -> str:
    r"""Return `text` as a Markdown code span that also holds in a table's cell.

    What looks like a tag is escaped and set in `<code>`, so that no renderer, however simple, can take it
    for one.

    Examples
    --------
    >>> inline_code("hours-per-week")
    '`hours-per-week`'
    >>> inline_code("a`b|c")
    '``a`b\\|c``'
    >>> inline_code("<img src=x>")
    '<code>&lt;img src=x&gt;</code>'
    """
    if _TAG.search(text):
        return f"<code>{prose(text)}</code>"
    line = " ".join(clean(text).split()).replace("|", "\\|")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") or not line else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def prose(text: str) -> str:
    r"""Return `text` as one line of Markdown in which nothing is markup, a link or HTML.

    Examples
    --------
    >>> prose("*buy* <b>now</b> at http://x.y")
    '\\*buy\\* &lt;b&gt;now&lt;/b&gt; at http\\://x.y'
    """
    return _LEADING.sub(_escaped_start, phrase(text))


def phrase(text: str) -> str:
    r"""Return `text` as `prose` does, for the middle of a line: what begins no line begins no list.

    Examples
    --------
    >>> phrase("0.5 *or* less")
    '0.5 \\*or\\* less'
    """
    line = " ".join(clean(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _LINK.sub(r"\\\g<0>", _MARKDOWN.sub(r"\\\1", line))


def _escaped_start(match: re.Match[str]) -> str:
    mark = match.group(2)
    return f"{match.group(1)}\\{mark}" if not mark.isdigit() else f"{match.group(1)}{mark}\u200b"


def quantity(value: float | None, *, absent: str = "not defined") -> str:
    """Return a number to four figures, thousands apart by commas.

    Examples
    --------
    >>> [quantity(v) for v in (0.92714, 547.25, 45222, -0.0, 12345.6, 1e-7, 3.2e9, None)]
    ['0.9271', '547.2', '45,222', '0', '12,346', '1e-07', '3.2e+09', 'not defined']
    """
    if value is None or not math.isfinite(value):
        return absent
    large = abs(value) >= _THOUSAND
    if abs(value) >= _UNWIELDY or (value != int(value) and not large):
        return f"{value:.4g}"
    return f"{value + 0.0:,.0f}" if value == int(value) or abs(value) >= _TEN_THOUSAND else f"{value:,.1f}"


def metric(value: float | None) -> str:
    """Return a metric's value: four places below ten, so that a column of scores lines up.

    Examples
    --------
    >>> [metric(v) for v in (0.92, 1, 0.00001, -5.6e-17, 547.251, None)]
    ['0.9200', '1.0000', '1e-05', '0.0000', '547.3', 'not defined']
    """
    if value is not None and abs(value) < _NOISE:
        value = 0.0
    if value is not None and (value == 0 or _TINY <= abs(value) < _TEN):
        return f"{value:.4f}"
    return quantity(value)


def share(value: float | None) -> str:
    """Return a fraction as a percentage with one place.

    Examples
    --------
    >>> share(0.2408), share(-0.0001)
    ('24.1%', '0.0%')
    """
    return "not defined" if value is None else f"{round(100 * value, 1) + 0.0:.1f}%"


def duration(seconds: float | None) -> str:
    """Return seconds as a person says them.

    Examples
    --------
    >>> [duration(s) for s in (0.0042, 3.14159, 75.0, None)]
    ['4 ms', '3.14 s', '1 min 15 s', 'MISSING']
    """
    if seconds is None:
        return MISSING
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < _MINUTE_S:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), _MINUTE_S)
    return f"{minutes} min {rest} s"


def size(n_bytes: float | None) -> str:
    """Return a number of bytes in binary units.

    Examples
    --------
    >>> [size(n) for n in (512, 3974305, None)]
    ['512 B', '3.8 MiB', 'MISSING']
    """
    if n_bytes is None:
        return MISSING
    for unit in ("B", "KiB", "MiB"):
        if n_bytes < _STEP:
            return f"{n_bytes:.0f} B" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= _STEP
    return f"{n_bytes:.1f} GiB"


def counted(n: float | None, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> counted(1, "group"), counted(6512, "row")
    ('1 group', '6,512 rows')
    """
    return f"{quantity(n)} {noun}" + ("" if n == 1 else "s")


def title(name: str) -> str:
    """Return a name of ours as words.

    Examples
    --------
    >>> title("demographic_parity_ratio")
    'Demographic parity ratio'
    """
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


# Advances of DejaVu Sans, the widest of the usual faces, in ems.
_ADVANCES = (("ijl.,:;'|!() []ft/", 0.4), ("mMW@%", 1.0), ("w<>=+~#", 0.85))


def width(text: str, size_px: float) -> float:
    """Return about how wide `text` is in a sans-serif face, in pixels, never much too small."""
    return size_px * sum(_advance(character) for character in text)


def _advance(character: str) -> float:
    if unicodedata.east_asian_width(character) in "WF":
        return 1.05
    if unicodedata.combining(character):
        return 0.0
    return next(
        (advance for group, advance in _ADVANCES if character in group), 0.75 if character.isupper() else 0.62
    )


def shortened(text: str, size_px: float, limit_px: float) -> str:
    """Return `text` with an ellipsis in its middle where it is wider than `limit_px`: ends tell names apart.

    Examples
    --------
    >>> shortened("education-num", 12, 60)
    'edu…num'
    """
    text = " ".join(clean(text).split())
    if width(text, size_px) <= limit_px:
        return text
    head, tail, room = "", "", limit_px - width("…", size_px)
    for first, last in zip(text, reversed(text), strict=True):
        if width(head + first + tail, size_px) > room:
            break
        head += first
        if width(head + last + tail, size_px) > room:
            break
        tail = last + tail
    return f"{head}…{tail}"

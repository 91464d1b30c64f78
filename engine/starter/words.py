"""A recipe as text with comments: what is written reads back as the same values.

Knows YAML's quoting and nothing of what the keys mean.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from engine.recipe.text import KeyPath, Plain

# Words that some readers of YAML take for something else than text.
_TAKEN = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf"})
_PLAIN = re.compile(r"[^\W\d]\w*(?:[-. ]?\w+)*")
_PAIR = re.compile(r"\{\w+: \w+\}")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_MAX_KEY = 900
_MAX_ALIGNED = 64
_INDENT = "  "


def scalar(value: Plain) -> str:
    """Return a single value as YAML, on one line.

    Examples
    --------
    >>> scalar("Very Good"), scalar("yes"), scalar("2019"), scalar("a: b"), scalar(0.5), scalar(None)
    ('Very Good', '"yes"', '"2019"', '"a: b"', '0.5', 'null')
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    assert isinstance(value, str)
    if _PLAIN.fullmatch(value) and value.isprintable() and value.lower() not in _TAKEN:
        return value
    return '"' + "".join(_ESCAPES.get(letter, _letter(letter)) for letter in value) + '"'


def flow(value: Plain) -> str:
    """Return any value as YAML on one line.

    Examples
    --------
    >>> flow({"type": "category", "values": ["No", "Yes"]})
    '{type: category, values: ["No", "Yes"]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_item, value)) + "]"
    return scalar(value)


def _item(value: Plain) -> str:
    """Return an item of a list; one pair of words needs no braces there."""
    written = flow(value)
    is_pair = isinstance(value, dict) and len(value) == 1 and _PAIR.fullmatch(written)
    return written[1:-1] if is_pair else written


def comment(words: str) -> str:
    r"""Return words that may stand behind a `#`: one line, whatever a cell of the data holds.

    Examples
    --------
    >>> comment("seen: a\nb")
    'seen: a·b'
    """
    return "".join(letter if letter.isprintable() else "·" for letter in words)


def render(
    plain: Mapping[str, Plain],
    *,
    opened: Collection[KeyPath],
    beside: Mapping[KeyPath, str],
    above: Mapping[KeyPath, tuple[str, ...]],
) -> str:
    """Return a mapping as YAML text.

    Parameters
    ----------
    opened
        Paths whose mapping stands one key a line; every other value stands on its key's line.
    beside, above
        Comments by path.
    """
    return "".join(f"{line}\n" for line in _lines(plain, (), opened, beside, above))


def _lines(
    plain: Mapping[str, Plain],
    path: KeyPath,
    opened: Collection[KeyPath],
    beside: Mapping[KeyPath, str],
    above: Mapping[KeyPath, tuple[str, ...]],
) -> Iterator[str]:
    indent = _INDENT * len(path)
    written = {
        key: _entry(key, value, indent=indent, is_open=(*path, key) in opened) for key, value in plain.items()
    }
    lengths = [len(entry) for key, entry in written.items() if (*path, key) in beside]
    width = max((length for length in lengths if length <= _MAX_ALIGNED), default=0)
    for key, value in plain.items():
        here = (*path, key)
        yield from (f"{indent}# {comment(line)}" for line in above.get(here, ()))
        entry = written[key]
        yield indent + (f"{entry:<{width}}  # {comment(beside[here])}" if here in beside else entry)
        if here in opened and isinstance(value, dict) and value:
            yield from _lines(value, here, opened, beside, above)


def _entry(key: str, value: Plain, *, indent: str, is_open: bool) -> str:
    name = _key(key)
    mark = f"{name}\n{indent}:" if name.startswith("?") else f"{name}:"
    return mark if is_open and isinstance(value, dict) and value else f"{mark} {flow(value)}"


def _key(key: str) -> str:
    """Return a key; YAML takes no longer text for one without being told."""
    name = scalar(key)
    return name if len(name) <= _MAX_KEY else f"? {name} "


def _letter(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"  # noqa: PLR2004

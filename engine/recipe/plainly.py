"""Types in people's words, and values as a recipe writes them on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from engine.errors import RecipeError
from engine.recipe.known import Node
from engine.recipe.text import Plain, parse

_MAX_WORDS = 12
_WORDS = {
    "boolean": "true or false",
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "null": "null",
    "array": "list",
    "object": "mapping",
}
# The least and the most, as JSON Schema says them, and as people do.
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
# What stands in a flow collection without quotes, whatever stands beside it.
_BARE = re.compile(r"[A-Za-z_<>=][A-Za-z0-9_<>=.+/()-]*(?: [A-Za-z0-9_<>=.+/()-]+)*")


def type_words(node: Node) -> str:
    """Say what a value may be, from its JSON Schema.

    Examples
    --------
    >>> type_words({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]})
    'whole number, at least 1; or null'
    >>> type_words({"enum": ["error", "drop"]})
    'error, drop'
    >>> type_words({})
    'anything'
    """
    kinds = node.get("anyOf")
    if not isinstance(kinds, list):
        return _one(node)
    words = list(dict.fromkeys(_one(kind) for kind in kinds if isinstance(kind, dict)))
    if "number" in words and "whole number" in words:
        words.remove("whole number")
    *first, last = words
    joint = "; " if any("," in word for word in words) else ", "
    return f"{joint.join(first)}{';' if ';' in joint else ''} or {last}" if first else last


def choices(node: Node) -> tuple[str, ...]:
    """Return the words that a value may be, if some of what it may be are words."""
    kinds = node.get("anyOf")
    nodes = [kind for kind in kinds if isinstance(kind, dict)] if isinstance(kinds, list) else [node]
    listed = (kind.get("enum") for kind in nodes)
    return tuple(str(word) for words in listed if isinstance(words, list) for word in words)


def in_yaml(value: Plain) -> str:
    """Return a value as one line of YAML, which reads back as the same value.

    Examples
    --------
    >>> in_yaml({"roc_auc": {"min": 0.92}, "by": ["sex", "1", ""]})
    '{roc_auc: {min: 0.92}, by: [sex, "1", ""]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)}: {in_yaml(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(in_yaml(inner) for inner in value) + "]"
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _one(node: Node) -> str:
    if isinstance(listed := node.get("enum"), list):
        return ", ".join(map(in_yaml, listed)) if len(listed) <= _MAX_WORDS else f"one of {len(listed)} words"
    kind = node.get("type")
    if kind is None:
        return "anything"
    if isinstance(kind, list):
        return _listed([_WORDS[str(one)] for one in kind])
    words = _WORDS[str(kind)]
    inner = node.get("items" if kind == "array" else "additionalProperties")
    if isinstance(inner, dict) and inner:
        noun = type_words(inner)
        is_one_word = noun in ("text", "number", "whole number")
        words += f" of {noun}s" if is_one_word else f" of: {noun}" if ";" not in noun else ""
    if node.get("maxLength") == 1:
        words = "one character"
    bounds = [
        f"{say} {bound:.12g}"
        for name, say in _BOUNDS.items()
        if isinstance(bound := node.get(name), int | float)
    ]
    return words + (f", {' and '.join(bounds)}" if bounds else "")


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _text(text: str) -> str:
    if _BARE.fullmatch(text) and _reads_as(text, text):
        return text
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    """Escape what YAML's double quotes need to; JSON's pairs of surrogates are none of YAML's escapes."""
    if character in '"\\':
        return f"\\{character}"
    code = ord(character)
    wide = f"\\U{code:08x}" if code > 0xFFFF else f"\\u{code:04x}"  # noqa: PLR2004 (four digits)
    return character if character.isprintable() else wide


def _reads_as(written: str, text: str) -> bool:
    try:
        return parse(f"[{written}]", file="").value == [text]
    except RecipeError:
        return False

"""Types in people's words, and values on one line of YAML."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.recipe.known import Node
from engine.recipe.plainly import choices, in_yaml, type_words
from engine.recipe.text import Plain, parse

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1)
# A surrogate has no UTF-8, and a file can't hold it.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@given(VALUES)
def test_a_value_reads_back_as_itself(value: Plain) -> None:
    """Whatever the value, the line that is shown can be pasted into a recipe and means the same."""
    line = in_yaml({"key": value})
    assert "\n" not in line
    merged = "<<" in repr(value)
    assert merged or parse(line, file="").value == {"key": value}


@pytest.mark.parametrize("text", ["no", "null", "true", "010", "12:30", "1e3", "-", "?", "a: b", "#x", "a #b", " a", "", "~", "a,b", "[x", "ünï", "\t", "0x1F", "1_000"])  # fmt: skip
def test_texts_that_look_like_something_else_are_quoted(text: str) -> None:
    """A text that YAML could take for another thing comes back as the text."""
    assert parse(in_yaml([text]), file="").value == [text]


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"type": "boolean"}, "true or false"),
        ({"type": "integer", "minimum": 0, "exclusiveMaximum": 4294967296}, "whole number, at least 0 and below 4294967296"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1}, "number, above 0 and at most 1"),
        ({"type": "string", "minLength": 1, "maxLength": 1}, "one character"),
        ({"enum": [".", ","]}, '".", ","'),
        ({"enum": [str(n) for n in range(20)]}, "one of 20 words"),
        ({"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]}, "number, text or null"),
        ({"anyOf": [{"type": "integer"}, {"type": "number"}]}, "number"),
        ({"anyOf": [{"enum": ["auto", "f1"]}, {"type": "number"}]}, "auto, f1; or number"),
        ({"type": "array", "items": {"type": "string"}}, "list of texts"),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "mapping of texts"),
        ({"type": ["object", "null"]}, "mapping or null"),
        ({}, "anything"),
    ],
)  # fmt: skip
def test_types_in_words(node: Node, words: str) -> None:
    """Each kind of JSON Schema that keys and parameters have is said in words, with its bounds."""
    assert type_words(node) == words


def test_words_to_choose_from() -> None:
    """The legal words of a value are told apart from its other types."""
    assert choices({"anyOf": [{"enum": ["auto", "f1"]}, {"type": "number"}]}) == ("auto", "f1")
    assert choices({"type": "string"}) == ()

from __future__ import annotations

import pytest

from engine.errors import RecipeError
from engine.recipe import text
from engine.recipe.syntax import explain_bytes


@pytest.mark.parametrize(
    ("written", "line", "what"),
    [
        ("a:\n\tb: 1", 2, "a tab: YAML is indented with blanks"),
        ("a: %b", 1, "'%' can't begin a text: write it in quotes"),
        ("a: @b", 1, "'@' can't begin a text: write it in quotes"),
        ("a: 1\nb: 'x\nc: 2\n", 2, "the ' that opens here is never closed"),
        ('a: 1\nb: "x\nc: 2\n', 2, 'the " that opens here is never closed'),
        ("a: 1\nb: [x\nc: 2\n", 2, "the [ that opens here is not closed, or a ',' is missing after it"),
        ("a: 1\nb: {x: 1\nc: 2\n", 2, "the { that opens here is not closed, or a ',' is missing after it"),
        ("a: 1\nb: [\n", 2, "the [ that opens here is not closed, or a ',' is missing after it"),
        ("a: {x: 1 y: 2}", 1, "the { that opens here is not closed, or a ',' is missing after it"),
        ("a:1\nb: 2", 1, "a blank is missing after the colon of 'a:1'"),
        ("a: one: two", 1, "a text that holds ': ' is written in quotes"),
        ("a: 1\n b: 2", 2, "this line is indented otherwise than those it belongs to"),
        ("a:\n   b: 1\n  c: 2", 3, "this line is indented otherwise than those it belongs to, or is no 'key: value'"),
        ("a: 1\nword\nb: 2", 2, "'word' is no 'key: value'"),
    ],
)  # fmt: skip
def test_yaml_that_is_none(written: str, line: int, what: str) -> None:
    """Each mistake of YAML is said in plain words, on the line where it was made."""
    with pytest.raises(RecipeError) as error:
        text.parse(written, file="f")
    assert str(error.value) == f"f:{line}\n  not valid YAML: {what}"


def test_bytes_that_are_no_utf8() -> None:
    """The line and the word before a wrong byte are told, and which encoding the file seems to be of."""
    latin = explain_bytes("a: 1\nb: für".encode("latin-1"), file="f")
    assert str(latin) == "f:2\n  byte 9 is not UTF-8 after 'f': save the file as UTF-8"
    wide = explain_bytes("a: 1".encode("utf-16"), file="f")
    assert str(wide) == "f\n  the file is UTF-16, and a recipe is UTF-8: save it as that"

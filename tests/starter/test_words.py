"""A recipe as text with comments."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recipe.text import Plain, parse
from engine.starter.words import render, scalar

# Names and values that YAML, or an older YAML, takes for something else.
ODD = (
    "yes", "no", "on", "y", "null", "~", "true", "2019", "010", "1e5", ".5", "12:30", "a: b", "a #b", "#", "- a", "[a]",
    "{a: b}", " a", "a ", "", "é", "größe", "=", "?", "!x", "&a", "*a", "%", "@", "`", "|", ">", "'", '"', "\\", "a\nb",
    "\t", "\x00", "\x85", "\u2028", "\ufeff", "\U0001f600", "x" * 1200,
)  # fmt: skip
TEXTS = st.sampled_from(ODD) | st.text(max_size=12).filter(lambda text: text != "<<")
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS
SCALARS |= st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None, max_examples=400)
@given(value=st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5), words=TEXTS, opened=st.booleans())
def test_what_is_written_reads_back(value: dict[str, Plain], words: str, *, opened: bool) -> None:
    """Whatever a name, a value or a comment holds, our own parser reads the same values back."""
    paths = [(key,) for key in value]
    comments = dict.fromkeys(paths, words)
    above = dict.fromkeys(paths, (words, words))
    text = render(value, opened=paths if opened else [], beside=comments, above=above)
    assert parse(text, file="f").value == value


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_stay_text(text: str) -> None:
    """A text that looks like something else is quoted, as a key and as a value."""
    written = (
        f"{scalar(text)}: {scalar(text)}\n" if len(text) < 1000 else f"? {scalar(text)}\n: {scalar(text)}\n"
    )
    assert parse(written, file="f").value == {text: text}


def test_the_text_whole() -> None:
    """Opened mappings stand one key a line, comments are aligned, a pair in a list needs no braces."""
    text = render(
        {
            "defaults": ["base", {"task": "regression"}, "_self_"],
            "schema": {"columns": {"a b": {"type": "number", "min": 0}, "c": {"values": ["No"]}}},
            "seed": 0,
        },
        opened=[("schema",), ("schema", "columns")],
        beside={("schema", "columns", "a b"): "1 to 9", ("schema", "columns", "c"): "one\nvalue"},
        above={("schema", "columns"): ("seen",)},
    )
    assert text == (
        "defaults: [base, task: regression, _self_]\n"
        "schema:\n"
        "  # seen\n"
        "  columns:\n"
        "    a b: {type: number, min: 0}  # 1 to 9\n"
        '    c: {values: ["No"]}          # one·value\n'
        "seed: 0\n"
    )

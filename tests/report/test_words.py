"""Words are literal wherever they go."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

import html
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report import words


@given(st.text())
def test_escape_is_literal(text: str) -> None:
    """Escaped text reads back as itself, in HTML and in XML, as text and as an attribute."""
    escaped = words.escape(text)
    expected = words.clean(text).replace("\r\n", "\n").replace("\r", "\n")
    assert html.unescape(escaped) == words.clean(text)
    element = ET.fromstring(f'<a b="{escaped}">{escaped}</a>')
    assert (element.text or "") == expected
    assert not set(escaped) & set("<>\"'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\ud800", "\ufffd"),
        ("tab\there", "tab\there"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    """Characters that no document may hold, or that turn text around, become a visible mark."""
    assert words.clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain-name_1", "`plain-name_1`"),
        ("a|b", "`a\\|b`"),
        ("a`b", "``a`b``"),
        ("`", "`` ` ``"),
        ("", "`  `"),
        ("two\nlines", "`two lines`"),
        ("<img src=x>", "<code>&lt;img src=x&gt;</code>"),
        ("<=50K", "`<=50K`"),
        ("a&b < c", "`a&b < c`"),
    ],
)
def test_inline_code(text: str, expected: str) -> None:
    """A code span holds any text on one line, in a table too."""
    assert words.inline_code(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Say it (10.64%) plainly", "Say it (10.64%) plainly"),
        ("[x](http://a.b) ![y](z)", "\\[x\\](http\\://a.b) !\\[y\\](z)"),
        ("<script>&amp;", "&lt;script&gt;&amp;amp;"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\u200b. no list"),
        ("www.a.b and me@a.b", "www\\.a.b and me\\@a.b"),
        ("a | b\n\n# c", "a \\| b \\# c"),
        ("`code` *and* _so_ ~on~", "\\`code\\` \\*and\\* \\_so\\_ \\~on\\~"),
    ],
)
def test_prose(text: str, expected: str) -> None:
    """Words in Markdown make no heading, list, table, link or HTML."""
    assert words.prose(text) == expected


@given(st.text(min_size=1), st.floats(20, 200))
def test_shortened_fits(text: str, limit: float) -> None:
    """Shortened text is as wide as it may be at most, and says that it was cut."""
    found = words.shortened(text, 12, limit)
    assert words.width(found, 12) <= limit
    assert found == " ".join(words.clean(text).split()) or "…" in found


def test_width_of_wide_letters() -> None:
    """Ideographs are counted wider than Latin letters."""
    assert words.width("日本", 12) > words.width("it", 12) > 0

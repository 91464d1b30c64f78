from __future__ import annotations

import re
import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.rules import rules_of
from engine.data.schema import Column

PATTERNS = (
    "[a-z]+", "a|bc", "[A-Z]{2}[0-9]{3}", "(a|b)+", "(a+)+", "a*b*", "[^@]+@[^@]+", "(?:ab)*c", "(x{1,3}){2,4}", "a{2,}b{1,}", ".*", "é?",
)  # fmt: skip


@given(st.sampled_from(PATTERNS), st.text(st.sampled_from("abcxAZ09@é\n"), max_size=8))
def test_one_value_is_judged_as_a_column_is(pattern: str, value: str) -> None:
    """Whichever way a pattern is judged, a text matches it as a whole or it does not."""
    (rule,) = [rule for rule in rules_of(column(pattern)) if rule.name == "pattern"]
    assert rule.accepts is not None
    fails = pl.select(rule.fails(pl.lit(value))).item()
    assert rule.accepts(value) is not fails
    assert rule.accepts(value) is (re.fullmatch(pattern, value) is not None)


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|a)*b", "(?:a{1,9}){1,9}", "a*a*a*a*a*b", "a{1,}a{1,}a{1,}a{1,}b", "(.*)(.*)(.*)(.*)x"],
)
def test_no_text_keeps_a_pattern_busy(pattern: str) -> None:
    """A pattern that could share a text in very many ways is judged in linear time."""
    (rule,) = [rule for rule in rules_of(column(pattern)) if rule.name == "pattern"]
    assert rule.accepts is not None
    start = time.process_time()
    assert not rule.accepts("a" * 5000 + "!")
    assert time.process_time() - start < 0.5


def column(pattern: str) -> Column:
    """Return a column of texts with a pattern."""
    return Column("t", "text", "feature", "string", nullable=True, pattern=pattern)

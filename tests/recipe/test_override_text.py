from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.recipe.override_text import MAX_LENGTH, refuse_text, shown
from engine.recipe.text import parse

SECRET = (
    "a secret is refused, as it would be stored\n  try: ${oc.env:NAME}, with the secret in the environment"  # noqa: S105 (words)
)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seed=1_000", "command line: seed\n  '1_000' is a number on the command line and a text in a file\n  try: 1000, or '1_000' in quotes for the text"),
        ("a.b=[1, 2_0.5]", "command line: a.b\n  '2_0.5' is a number on the command line and a text in a file\n  try: 20.5, or '2_0.5' in quotes for the text"),
        ("a={b: tRue}", "command line: a\n  'tRue' is true on the command line and a text in a file\n  try: true, or 'tRue' in quotes for the text"),
        ("a=nULL,1", "command line: a\n  'nULL' is null on the command line and a text in a file\n  try: null, or 'nULL' in quotes for the text"),
        ("+a=range(1_0,20)", "command line: a\n  '1_0' is a number on the command line and a text in a file\n  try: 10, or '1_0' in quotes for the text"),
        ("seed=99999999999999999999", "command line: seed\n  99999999999999999999 is beyond 64 bits"),
        ("seed=1e999", "command line: seed\n  1e999 is too large a number"),
        (f"seed={'9' * 5000}", "command line: seed\n  a number of 5000 digits"),
        (f"a={'[' * 41}", "command line: a\n  nested deeper than 40"),
        (f"a={'{b: ' * 41}", "command line: a\n  nested deeper than 40"),
        (f"a={'x' * 10**7}", "command line: a\n  an override is longer than 20000 characters"),
        ("data.password=hunter2", f"command line: data.password\n  {SECRET}"),
        ("+data.apiKey='hunter 2'", f"command line: data.apiKey\n  {SECRET}"),
        ("data.path=postgresql://ann:hunter2@db/x", f"command line: data.path\n  {SECRET}"),
    ],
)  # fmt: skip
def test_refused_before_it_is_read(line: str, message: str) -> None:
    """What would change its meaning, is a bomb or a secret is refused with its whole message, at once."""
    start = time.process_time()
    refused = str(refuse_text(line))
    assert refused == message
    assert time.process_time() - start < 0.5
    assert "hunter" not in refused


@pytest.mark.parametrize(
    "line",
    [
        "seed=1000", "a='1_000'", 'a="tRue"', "a=TRUE", "a=Null", "a=no", "a=12:30", "a=010", "a=0x10", "a=0o7", "a=on", "a=1__0", "a=v1_0",
        "a=inf", "a=+5", "a=1.", "a=1e3", "~a", "a=", "data.password=${oc.env:PASSWORD}", "schema.columns.token.type=text",
        "schema.columns.password={type: text}", "data.path=https://ann@host/x", "data.path=a:b@c", "a=[[1, 2], [3]]",
        "data.path=postgresql://ann:${oc.env:PW}@db/x",
    ],
)  # fmt: skip
def test_taken_as_it_is(line: str) -> None:
    """What means the same in a file is no business of this check; a column may have any name."""
    assert refuse_text(line) is None


WORDS = st.from_regex(r"[+-]?[0-9_.eExob]{1,6}|(?i:true|false|null|nan|inf|yes|no|on|off|~)", fullmatch=True)


@given(WORDS)
def test_a_word_means_the_same_on_the_command_line_and_in_a_file(word: str) -> None:
    """Every word that both accept has one value; the finite numbers, that is, as no other is accepted."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    if refuse_text(f"x={word}") is not None:
        return
    try:
        typed = OverridesParser.create().parse_override(f"x={word}").value()
    except HydraException:
        return
    written = parse(f"x: {word}", file="f").mapping()["x"]
    if typed != typed or typed in (float("inf"), float("-inf")):  # noqa: PLR0124 (not a number)
        return
    assert (typed, type(typed)) == (written, type(written))


@pytest.mark.parametrize(
    "line",
    ["x=" + "'" * 19_000, "x=" + "\\" * 19_000, "x=" + "a:" * 9_000, "x=" + "1_" * 9_000 + "x", "x=" + "://" * 6_000, "a" * 19_000],
    ids=lambda line: line[:5],
)  # fmt: skip
def test_reading_is_linear(line: str) -> None:
    """A text that is made to be slow is judged at once."""
    assert len(line) <= MAX_LENGTH
    start = time.process_time()
    refuse_text(line)
    shown(line)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a=b", "a=b"),
        ("a=" + "x" * 300, "a=" + "x" * 198 + "…"),
        ("a={password: hunter 2#}", "a=…"),
        ("a.token=hunter#2", "a.token=…"),
        ("a=x://ann:hunter2@h#", "a=…"),
        ("schema.columns.token.type=#", "schema.columns.token.type=#"),
    ],
)
def test_messages_repeat_no_secret(line: str, words: str) -> None:
    """An override that can't be read is shown cut, and without what may be a secret."""
    assert shown(line) == words

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RecipeError
from engine.recipe import text

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=12)
SCALARS |= st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=8).filter(lambda key: key != "<<"), VALUES, max_size=5))
def test_what_is_written_reads_back(value: dict[str, text.Plain]) -> None:
    """`write` and `parse` are inverse for every plain value, whatever its strings look like."""
    if "<<" in repr(value):
        return
    assert text.parse(text.write(value), file="f").value == value


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"), ("yes", "yes"), ("on", "on"), ("010", "010"), ("12:30", "12:30"), ("2020-01-01", "2020-01-01"),
        ("1_000", "1_000"), ("0x1F", "0x1F"), (".nan", ".nan"), ("-.inf", "-.inf"), ("=", "="),
        ("true", True), ("FALSE", False), ("~", None), ("", None), ("null", None),
        ("10", 10), ("-3", -3), ("1e-3", 1e-3), ("1.", 1.0), (".5", 0.5), ("1E5", 1e5), ('"1"', "1"), ("'true'", "true"),
    ],
)  # fmt: skip
def test_scalars_keep_their_meaning(written: str, read: object) -> None:
    """Plain scalars follow YAML 1.2: nothing changes its meaning in silence."""
    document = text.parse(f"key: {written}", file="f")
    assert document.mapping()["key"] == read
    assert type(document.mapping()["key"]) is type(read)


def test_lines_are_known() -> None:
    """Each key has the line on which it stands, also in flow style and inside lists."""
    lines = text.parse("a:\n  b: {c: 1}\n\nd:\n  - x\n  - y\n", file="f").lines
    assert lines == {("a",): 1, ("a", "b"): 2, ("a", "b", "c"): 2, ("d",): 4, ("d", "0"): 5, ("d", "1"): 6}


ALIAS_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("a: !!python/object/apply:os.system [x]", "f:1: a\n  the tag '!!python/object/apply:os.system' is refused: a recipe is data, not code"),
        ("a: !env X", "f:1: a\n  the tag '!env' is refused: a recipe is data, not code"),
        ("a: 1\nb: 2\na: 3", "f:3: a\n  'a' stands twice; the first is on line 1"),
        ("a: [1, 2", "f:1\n  not valid YAML: the [ that opens here is not closed, or a ',' is missing after it"),
        ("a: 1e400", "f:1: a\n  1e400 is too large a number"),
        ("a: 9223372036854775808", "f:1: a\n  9223372036854775808 is beyond 64 bits"),
        ("a: *b", "f:1\n  '*b' stands for nothing; a text that begins with * is written in quotes"),
        ("---\na: 1\n---\nb: 2", "f:3\n  a recipe is one YAML document, and another begins here"),
        ("[" * 3000, "f:1\n  nested deeper than 40"),
        ("? [a]\n: b", "f:1\n  a key is a single word or text"),
        (ALIAS_BOMB, "f:4\n  aliases expand to more than 5000 values"),
    ],
)  # fmt: skip
def test_refused(written: str, message: str) -> None:
    """What a recipe may not be is refused in well under a second, with its line."""
    start = time.process_time()
    with pytest.raises(RecipeError) as error:
        text.parse(written, file="f")
    assert str(error.value) == message
    assert time.process_time() - start < 1


def test_a_list_is_no_recipe() -> None:
    """A file that is not a mapping is refused; an empty one is an empty mapping."""
    assert text.parse("# nothing\n", file="f").mapping() == {}
    with pytest.raises(RecipeError, match="a mapping of keys to values"):
        text.parse("[1]", file="f").mapping()

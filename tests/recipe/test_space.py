from __future__ import annotations

import pytest

from engine.recipe.space import Choices, NotASpaceError, Span, read_space


@pytest.mark.parametrize(
    ("text", "space"),
    [
        ("interval(0.5, 1)", Span(0.5, 1.0, is_log=False)),
        ("int(interval(4, 64))", Span(4, 64, is_log=False)),
        ("tag(log, int(interval(8, 256)))", Span(8, 256, is_log=True)),
        ("choice(sqrt, log2, 0.3)", Choices(("sqrt", "log2", 0.3))),
        ("choice([128], [128, 64])", Choices(([128], [128, 64]))),
        ("1,2,3", Choices((1, 2, 3))),
        ("range(1, 10, 4)", Choices((1, 5, 9))),
    ],
)
def test_spaces(text: str, space: Span | Choices) -> None:
    """Intervals, choices and ranges of Hydra's grammar are spaces."""
    assert read_space(text) == space


def test_whole_numbers() -> None:
    """Only what is written with int(…) holds whole numbers alone."""
    assert Span(4, 64, is_log=False).is_whole
    assert not Span(4.0, 64.0, is_log=False).is_whole


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("31", "'31' is one value, and a space holds several, as int(interval(4, 64)) or choice(15, 31) do"),
        ("glob(*)", "'glob(*)' is one value, and a space holds several, as int(interval(4, 64)) or choice(15, 31) do"),
        ("interval(1, 0.5)", "'interval(1, 0.5)' holds no number: 1 is not below 0.5"),
        ("interval(0, inf)", "'interval(0, inf)' holds no number: 0 is not below inf"),
        ("tag(log, interval(0, 1))", "'tag(log, interval(0, 1))' has no logarithm at 0: log is of numbers above 0"),
        ("tag(lgo, interval(0, 1))", "'lgo' is not a tag of a space, which may be log; did you mean 'log'?"),
        ("range(1, 5, 0)", "'range(1, 5, 0)' has no values, or more than 10000"),
        ("range(5, 1)", "'range(5, 1)' has no values, or more than 10000"),
        ("range(0, 1, 1e-9)", "'range(0, 1, 1e-9)' has no values, or more than 10000"),
        ("interval(a, b)", "'interval(a, b)' can't be read: TypeError while evaluating 'interval(a, b)': mismatch type argument start: "
         "str is incompatible with Union[int, float]"),
        ("choice(", "'choice(' can't be read: its ( is never closed"),
    ],
)  # fmt: skip
def test_what_is_no_space(text: str, words: str) -> None:
    """A text that says no space is refused with the reason."""
    with pytest.raises(NotASpaceError) as error:
        read_space(text)
    assert str(error.value) == words

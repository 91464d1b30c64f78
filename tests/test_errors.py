from __future__ import annotations

import pickle

import pytest

from engine.errors import DataError, EngineError, GateError, Message, RecipeError, nearest


def test_message_says_five_facts_in_order() -> None:
    """A message is place, what, nearest, allowed, next command, and nothing else."""
    message = Message(
        "'n_estimator' is not a parameter of random_forest",
        "model.params.n_estimator",
        "recipes/churn.yaml",
        14,
        "n_estimators",
        ("max_depth", "min_samples_leaf", "n_estimators"),
        "engine options model/random_forest",
    )
    assert str(message) == (
        "recipes/churn.yaml:14: model.params.n_estimator\n"
        "  'n_estimator' is not a parameter of random_forest\n"
        "  did you mean 'n_estimators'?\n"
        "  allowed: max_depth, min_samples_leaf, n_estimators\n"
        "  try: engine options model/random_forest"
    )


def test_message_without_a_place_is_one_line() -> None:
    """What is not known is left out."""
    assert str(Message("no space left")) == "no space left"


def test_message_shows_ten_allowed_at_most() -> None:
    """A long list of what is allowed is cut, and says how many more there are."""
    message = Message("x", allowed=tuple(f"a{i}" for i in range(12)))
    assert str(message).splitlines()[-1] == "  allowed: a0, a1, a2, a3, a4, a5, a6, a7, a8, a9 and 2 more"


@pytest.mark.parametrize(
    ("kind", "code"), [(EngineError, 1), (RecipeError, 2), (DataError, 3), (GateError, 4)]
)
def test_exit_codes(kind: type[EngineError], code: int) -> None:
    """Each kind of error has the exit code of the contract, also as JSON."""
    error = kind.of("wrong", key="a.b", file="f.yaml", line=3, allowed=["x"])
    assert error.to_json() == {
        "error": {
            "code": code,
            "messages": [
                {
                    "file": "f.yaml",
                    "line": 3,
                    "key": "a.b",
                    "what": "wrong",
                    "suggestion": "",
                    "allowed": ["x"],
                }
            ],
        }
    }


def test_errors_travel_between_processes() -> None:
    """An error that was raised in a worker arrives with every message."""
    error = DataError([Message("one"), Message("two")])
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.messages) == (DataError, error.messages)


def test_nearest_is_empty_when_nothing_is_near() -> None:
    """A wild guess is not suggested."""
    assert nearest("lightgmb", ["lightgbm", "logistic"]) == "lightgbm"
    assert nearest("qqq", ["lightgbm", "logistic"]) == ""


def test_a_list_that_the_next_command_shows_is_not_shown() -> None:
    """Of many names none is shown where a command lists them all; the JSON has them."""
    names = tuple(f"a{i}" for i in range(25))
    message = Message("x", allowed=names, try_="engine options model/lightgbm")
    assert str(message) == "x\n  allowed: 25 names\n  try: engine options model/lightgbm"
    assert message.to_json()["allowed"] == list(names)


def test_a_report_says_what_is_allowed_once() -> None:
    """A list of more than three is not repeated in one report; a short one is."""
    long, short = ("a", "b", "c", "d"), ("a", "b")
    said = RecipeError([Message("1", allowed=long), Message("2", allowed=long), Message("3", allowed=short)])
    assert str(said) == "1\n  allowed: a, b, c, d\n\n2\n\n3\n  allowed: a, b"
    assert [message.allowed for message in said.messages] == [long, long, short]


def test_initials_are_a_name() -> None:
    """`lr` is the one name whose parts begin so; where two do, neither is meant."""
    assert nearest("lr", ["learning_rate", "max_depth"]) == "learning_rate"
    assert nearest("lr", ["learning_rate", "l1_ratio"]) == ""


def test_what_a_stranger_wrote_is_seen_as_it_is() -> None:
    """A key or value neither steers the terminal nor forges a line; programs get it as it is."""
    message = Message(
        "got '\x1b[2J\x07'", "a\nb.yaml:1: x", allowed=("\u202etxt", "caf\u00e9"), try_="\x9b0m"
    )
    assert str(message) == (
        "a\\nb.yaml:1: x\n  got '\\x1b[2J\\x07'\n  allowed: \\u202etxt, caf\u00e9\n  try: \\x9b0m"
    )
    assert message.to_json()["key"] == "a\nb.yaml:1: x"


def test_an_error_says_no_more_than_anyone_reads() -> None:
    """Of ten thousand mistakes the first fifty are said, to people and to programs, and that there are more."""
    error = RecipeError([Message(str(number), allowed=("x",) * 1000) for number in range(10_000)])
    assert str(error).splitlines()[-1] == "more than 50 mistakes: these are the first"
    assert [message.what for message in error.messages[:-1]] == [str(number) for number in range(50)]
    assert len(str(error.to_json())) < 100_000
    again = pickle.loads(pickle.dumps(error))
    assert again.messages == error.messages

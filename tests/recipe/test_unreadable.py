from __future__ import annotations

import pytest

from engine.recipe.unreadable import explain, join_blanks


@pytest.mark.parametrize(
    ("line", "why", "meant", "try_"),
    [
        ("seed", "it has no '='", "", "key=value, +key=value or ~key"),
        ("split.test: 0.2", "it has no '='", "split.test=0.2", "key=value, +key=value or ~key"),
        ("=x", "no key stands before its '='", "", "key=value, +key=value or ~key"),
        ("a b=x", "'a b' is not a key", "", "key=value, +key=value or ~key"),
        ("schema.columns.a b.min=1", "'schema.columns.a b.min' is not a key", "",
         "key=value, +key=value or ~key; a column's name in quotes: schema.columns.\"a name\".min=0"),
        ("a=[1", "its [ is never closed", "", "a=…, all of it in quotes for the shell"),
        ("a={x: [1}", "its } closes nothing", "", "a=…, all of it in quotes for the shell"),
        ("a=1]", "its ] closes nothing", "", "a=…, all of it in quotes for the shell"),
        ("a='x", "its ' is never closed", "", "a=…, all of it in quotes for the shell"),
        ("a='[' b='", "its ' is never closed", "", "a=…, all of it in quotes for the shell"),
        ("a=b=c", "a value that holds '=' is written in quotes", "", "'a=\"b=c\"'"),
        ("a={'b': 1}", "it can't be read from '#'", "",
         "'a={name: value}', in quotes for the shell, the names without"),
        ("a=#", "it can't be read from '#'", "", "'a=\"#\"', in quotes for the shell and in quotes for a text"),
    ],
)  # fmt: skip
def test_unreadable_overrides(line: str, why: str, meant: str, try_: str) -> None:
    """What Hydra's grammar does not take is explained by what was typed."""
    found = explain(line, "token recognition error at: '#'")
    assert found.message.what == f"'{line}' is not an override: {why}"
    assert (found.meant, found.message.suggestion, found.message.try_) == (meant, meant, try_)


def test_blanks_around_the_sign() -> None:
    """Three arguments of which the middle one is `=` were one override."""
    rest, found = join_blanks(["a=1", "seed", "=", "2", "b=3"])
    assert rest == ["a=1", "b=3"]
    assert [one.meant for one in found] == ["seed=2"]
    assert str(found[0].message) == (
        "command line: seed\n  'seed = 2': no blanks stand around '='\n  did you mean 'seed=2'?"
    )


def test_a_secret_is_not_repeated() -> None:
    """An override that holds a secret is named by its key alone."""
    assert "hunter" not in str(explain("data={password: hunter 2#}", "").message)

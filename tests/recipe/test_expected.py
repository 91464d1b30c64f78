from __future__ import annotations

import pytest

from engine.recipe.expected import allows_null, expected_at, keys_elsewhere, meant_at, nearest_word
from engine.recipe.shape import clashes
from engine.recipe.spec import Spec
from engine.recipe.text import Plain


@pytest.mark.parametrize(
    ("key", "given", "words"),
    [
        ("seed", "x", "a whole number"),
        ("seed", -1, "a whole number of at least 0 and below 4294967296"),
        ("split.test", 2.0, "a number of at least 0 and below 1"),
        ("evaluation.confidence", 95, "a number above 0 and below 1"),
        ("compute.threads", 0, "a whole number of at least 1 or null"),
        ("compute.threads", "all", "a whole number or null"),
        ("evaluation.pictures", 1, "true or false"),
        ("data.delimiter", "||", "one character"),
        ("data.null_values", "?", "a list of texts"),
        ("goal.gates.roc_auc", 0.9, "a mapping such as {min: 0.92}"),
        ("schema.columns.age", "integer", "a mapping such as {type: number}"),
        ("schema.columns.age.min", [], "a number, a text or null"),
        ("schema.positive", [], "true or false, a number, a text or null"),
        ("model.space.C", 3, "a sweep such as int(interval(4, 64)) or choice(15, 31)"),
        ("no.such.key", 3, ""),
    ],
)
def test_what_is_expected(key: str, given: Plain, words: str) -> None:
    """What a key takes is said in words; its bounds where what is given is of the right type."""
    assert expected_at(Spec, tuple(key.split(".")), given) == words


@pytest.mark.parametrize(
    ("key", "given", "meant", "remark"),
    [
        ("split.test", 20, 0.2, ""),
        ("split.test", "20%", 0.2, ""),
        ("split.test", "0,2", 0.2, ""),
        ("split.test", "0.2", 0.2, ": without quotes, 0.2 is a number"),
        ("split.test", 200, None, ""),
        ("split.test", "a fifth", None, ""),
        ("seed", "1_000", 1000, ""),
        ("seed", "007", 7, ""),
        ("seed", 1.0, 1, ""),
        ("seed", 1.5, None, ""),
        ("seed", -1, None, ""),
        ("seed", "12:30", None, ""),
        ("name", 2024, "2024", ": in quotes, '2024' is a text"),
        ("name", "my loans!", "my-loans", ""),
        ("name", "!", None, ""),
        ("evaluation.pictures", "Yes", True, ""),
        ("evaluation.pictures", 0, False, ""),
        ("evaluation.pictures", "maybe", None, ""),
        ("data.null_values", "?", ["?"], ""),
        ("model.space.C", 3, "choice(3)", ""),
    ],
)
def test_what_was_meant(key: str, given: Plain, meant: Plain, remark: str) -> None:
    """A value that a tired hand writes is read as the one that is near and allowed, or as none."""
    found = meant_at(Spec, tuple(key.split(".")), given)
    assert found == (meant, remark)
    assert type(found[0]) is type(meant)


@pytest.mark.parametrize(
    ("word", "choices", "near"),
    [
        ("float64", ("integer", "number"), "number"),
        ("Gpu", ("cpu", "cuda"), "cuda"),
        ("label", ("columns", "target"), "target"),
        ("regex", ("min", "max"), ""),
        ("trget", ("columns", "target"), "target"),
    ],
)
def test_words_of_other_tools(word: str, choices: tuple[str, ...], near: str) -> None:
    """A word that other tools have is read as ours where ours is allowed; a typo as the nearest."""
    assert nearest_word(word, choices) == near


def test_a_key_is_found_where_it_belongs() -> None:
    """A key's name alone says where in a recipe it stands, unless the name is the user's own."""
    assert keys_elsewhere(Spec, "target") == ("schema.target",)
    assert keys_elsewhere(Spec, "metric") == ("goal.metric", "task.metric")
    assert keys_elsewhere(Spec, "nullable") == ()


def test_lists_for_mappings() -> None:
    """A list where a mapping belongs is found at any depth, and so is the reverse; all else is left alone."""
    recipe: Plain = {
        "goal": [1],
        "data": {"null_values": {"a": 1}, "path": ["x"]},
        "model": {"params": ["a"]},
        "schema": {"columns": {"x": {"values": ["a"], "min": [1]}}},
        "zzz": [1],
    }
    assert dict(clashes(Spec, recipe)) == {
        ("goal",): "expected a mapping such as "
        "{statement: Offer the premium plan to people who can afford it}, got a list",
        ("data", "null_values"): "expected a list of texts, got a mapping",
        ("model", "params"): "expected a mapping such as {num_leaves: 63}, got a list",
    }


def test_null() -> None:
    """Which keys may be null is known."""
    assert allows_null(Spec, ("goal", "value"))
    assert not allows_null(Spec, ("goal", "metric"))

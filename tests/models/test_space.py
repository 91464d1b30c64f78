from __future__ import annotations

from typing import cast

import pytest

from engine.models.family import Family
from engine.models.space import check_space
from engine.names import FAMILIES
from engine.recipe.load import load_model
from engine.recipe.spec_model import ModelSpec


def messages(space: dict[str, str], *, name: str = "lightgbm", task: str = "classification") -> list[str]:
    """Return what is wrong with a space of a family."""
    family = cast("Family", FAMILIES.load(name))
    model = ModelSpec(family=name, params={}, space=space)
    known = family.parameters(estimator=None, task=task)
    return [str(message) for message in check_space(model, known, family=name)]


TRY = "\n  try: engine options model/lightgbm"


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("num_leafs", "choice(3)", "'num_leafs' is not a parameter of lightgbm\n  did you mean 'num_leaves'?\n  allowed: 99 names"),
        ("num_leaves", "31", "'31' is one value, and a space holds several, as int(interval(4, 64)) or choice(15, 31) do"),
        ("num_leaves", "interval(4, 64)", "'num_leaves' takes whole numbers, and 'interval(4, 64)' has fractions\n  did you mean 'int(interval(4, 64))'?"),
        ("num_leaves", "int(interval(1, 64))", "'num_leaves' must be an integer of at least 2 and at most 131072, not 1"),
        ("min_data_in_leaf", "choice(1, x)", "'min_data_in_leaf' must be an integer of at least 0, not 'x'"),
        ("subsample", "interval(0.5, 2)", "'subsample' must be a number above 0 and at most 1 or null, not 2.0"),
    ],
)  # fmt: skip
def test_wrong_spaces(name: str, text: str, what: str) -> None:
    """A space is held against the parameter: its name, its type, and both ends of its range."""
    assert messages({name: text}) == [f"model.space.{name}\n  {what}{TRY}"]


def test_spaces_of_lists_and_words() -> None:
    """Lists and words are values like any other."""
    assert messages({"hidden_sizes": "choice([128], [128, 64])"}, name="mlp") == []
    assert messages({"max_features": "choice(sqrt, log2, 0.3)"}, name="random_forest") == []
    (wrong,) = messages({"max_features": "choice(sqr)"}, name="random_forest")
    assert "did you mean 'sqrt'?" in wrong


@pytest.mark.parametrize("name", sorted(set(FAMILIES.names()) - {"sklearn"}))
def test_our_own_spaces_are_right(name: str) -> None:
    """The space that each family comes with is one that it takes."""
    task = "regression" if name == "ridge" else "classification"
    space = load_model(name).space
    assert space
    assert messages(space, name=name, task=task) == []


def test_nothing_is_said_of_what_is_not_known() -> None:
    """Where the estimator is not known, its parameters are not either."""
    model = ModelSpec(family="sklearn", estimator="Nope", params={}, space={"x": "3"})
    assert list(check_space(model, {}, family="sklearn")) == []

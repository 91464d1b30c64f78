from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RecipeError
from engine.recipe.compose import expand_overrides
from engine.recipe.load import load_spec

RECIPE = """\
defaults: [base, model: logistic, _self_]
name: small
data: {path: table.csv}
schema:
  target: y
  columns:
    x: {type: number}
    y: {type: category}
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a recipe."""
    path = tmp_path_factory.mktemp("sweep") / "small.yaml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize(
    ("override", "values"),
    [
        ("seed=1,2", ["1", "2"]),
        ("seed=7", ["7"]),
        ("seed=choice(3,1)", ["3", "1"]),
        ("seed=sort(3,1,2)", ["1", "2", "3"]),
        ("seed=range(3)", ["0", "1", "2"]),
        ("seed=range(2,8,3)", ["2", "5"]),
        ("seed=range(3,0,-1)", ["3", "2", "1"]),
        ("split.test=range(0.1,0.4,0.1)", ["0.1", "0.2", "0.3"]),
        ("split.test=range(0.4,0.1,-0.1)", ["0.4", "0.3", "0.2"]),
        ("split.test=range(0,1,0.5)", ["0.0", "0.5"]),
        ("goal.statement='a, b','c'", ["'a, b'", "'c'"]),
        ("model.params={C: 1},{C: 2}", ["{C:1}", "{C:2}"]),
        ("goal.metric=null,accuracy", ["null", "accuracy"]),
        ("model=glob(l*)", ["lightgbm", "logistic"]),
        ("model=glob(*,exclude=[l*,h*,m*,r*,s*])", ["xgboost"]),
        ("model=ridge,logistic", ["ridge", "logistic"]),
    ],
)
def test_each_form_lists_its_values(recipe: Path, override: str, values: list[str]) -> None:
    """Lists, ranges, choices, globs of a group and quoted texts are the values that Hydra's grammar says."""
    key = override.partition("=")[0]
    assert expand_overrides(recipe, [override]) == tuple((f"{key}={value}",) for value in values)


def test_several_axes_are_a_product_in_order(recipe: Path) -> None:
    """The last axis turns fastest, and an override with one value stands in every combination."""
    assert expand_overrides(recipe, ["seed=1,2", "name=x", "model=ridge,mlp"]) == (
        ("seed=1", "name=x", "model=ridge"),
        ("seed=1", "name=x", "model=mlp"),
        ("seed=2", "name=x", "model=ridge"),
        ("seed=2", "name=x", "model=mlp"),
    )


_LIST = "seed=choice(…)"
_RANGE = "seed=range(start,stop,step)"


@pytest.mark.parametrize(
    ("override", "what", "try_"),
    [
        (
            "seed=interval(0,1)",
            "is a continuous range, and a multirun needs a list of values",
            f"{_LIST} or {_RANGE}",
        ),
        (
            "seed=tag(log,interval(1,9))",
            "is a continuous range, and a multirun needs a list of values",
            f"{_LIST} or {_RANGE}",
        ),
        ("seed=range(0,3,0)", "is not a range: it needs finite numbers and a step that is not 0", _RANGE),
        ("seed=range(0,inf)", "is not a range: it needs finite numbers and a step that is not 0", _RANGE),
        ("seed=range(0,1,nan)", "is not a range: it needs finite numbers and a step that is not 0", _RANGE),
        (
            "seed=range(3,0)",
            "has no value: its step leads away from its stop, or it stops where it starts",
            _RANGE,
        ),
        (
            "seed=shuffle(1,2,3)",
            "has another order each time, and the same command must do the same",
            _LIST,
        ),
        ("seed=range(0,3),7", "lists values inside of a list of values", _LIST),
    ],
)
def test_values_that_can_not_be_listed_are_refused(recipe: Path, override: str, what: str, try_: str) -> None:
    """What only a search can draw from, what has no end and what has no value is refused with what to do."""
    with pytest.raises(RecipeError) as error:
        expand_overrides(recipe, [override])
    assert str(error.value) == f"command line: seed\n  '{override}' {what}\n  try: {try_}"


@pytest.mark.parametrize(
    "overrides", [["seed=range(0,100000000)"], ["seed=range(0,40)", "split.test=range(0,1,0.01)"]]
)
def test_more_runs_than_anyone_waits_for_are_refused(recipe: Path, overrides: list[str]) -> None:
    """A product of more than a thousand runs is refused before it is multiplied out."""
    with pytest.raises(RecipeError) as error:
        expand_overrides(recipe, overrides)
    assert str(error.value) == (
        "command line\n  more than 1000 combinations, and each would be a run\n"
        "  try: fewer values, or a larger step"
    )


def test_a_key_that_lists_values_is_given_once(recipe: Path) -> None:
    """A key that is swept and set, of which only the last would count, is refused."""
    with pytest.raises(RecipeError) as error:
        expand_overrides(recipe, ["seed=1,2", "seed=3"])
    assert str(error.value) == (
        "command line: seed\n  'seed' is given 2 times, and 'seed=1,2' lists values of it\n"
        "  try: one seed=… with every value"
    )


def test_every_mistake_of_a_product_is_said(recipe: Path) -> None:
    """Several overrides that can't be listed are in one report."""
    with pytest.raises(RecipeError) as error:
        expand_overrides(recipe, ["seed=interval(0,1)", "split.test=shuffle(0.1,0.2)"])
    assert [message.key for message in error.value.messages] == ["seed", "split.test"]


@settings(max_examples=30, deadline=None)
@given(
    start=st.decimals("-1", "1", places=2), step=st.decimals("0.01", "0.5", places=2), n=st.integers(1, 30)
)
def test_a_range_of_fractions_is_decimal(recipe: Path, start: Decimal, step: Decimal, n: int) -> None:
    """A range has the n values that a person writes down, and never its stop."""
    values = [start + step * index for index in range(n)]
    override = f"split.test=range({float(start)!r},{float(start + step * n)!r},{float(step)!r})"
    expanded = expand_overrides(recipe, [override])
    assert [Decimal(one.partition("=")[2]) for (one,) in expanded] == values


def test_a_combination_is_an_ordinary_override(recipe: Path) -> None:
    """What a product hands out is read back to the values that were listed."""
    overrides = [r"goal.statement='a, b','it\'s'", "split.test=range(0.1,0.3,0.1)"]
    specs = [load_spec(recipe, combination) for combination in expand_overrides(recipe, overrides)]
    assert [(spec.goal.statement, spec.split.test) for spec in specs] == [
        ("a, b", 0.1),
        ("a, b", 0.2),
        ("it's", 0.1),
        ("it's", 0.2),
    ]

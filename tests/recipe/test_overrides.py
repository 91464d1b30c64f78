from __future__ import annotations

from pathlib import Path

import pytest

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
    a.b: {type: number}
    größe in cm: {type: number, min: 0, max: 9}
    y: {type: category}
"""
MODELS = "hist_gradient_boosting, lightgbm, logistic, mlp, random_forest, ridge, sgd, sklearn, xgboost"
NO_MODEL = f"is not an option of model\n  allowed: {MODELS}\n  try: engine options model"


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a recipe whose columns have odd names, and work beside it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


def refusal(recipe: Path, *overrides: str) -> str:
    """Return the whole report of a recipe that is refused."""
    with pytest.raises(RecipeError) as error:
        load_spec(recipe, overrides)
    return str(error.value)


@pytest.mark.parametrize("option", ["null", "3", "1", "[a]", "true", "{family: ridge}", "''"])
def test_an_option_is_a_name(recipe: Path, option: str) -> None:
    """Whatever is chosen for a group is looked up as a name, and refused with the names there are."""
    shown = "" if option == "''" else option
    assert refusal(recipe, f"model={option}") == f"command line: model\n  '{shown}' {NO_MODEL}"


def test_a_file_may_have_a_number_for_a_name(recipe: Path) -> None:
    """A user's `conf/model/3.yaml` is chosen by `model=3`."""
    (recipe.parent / "conf" / "model").mkdir(parents=True)
    (recipe.parent / "conf" / "model" / "3.yaml").write_text("family: ridge\nparams: {}\nspace: {}\n")
    assert load_spec(recipe, ["model=3"]).model.family == "ridge"


def test_a_quoted_part_of_a_key_is_one_name(recipe: Path) -> None:
    """Columns whose names hold dots, blanks or other letters are overridden in quotes, and only they."""
    given = ['schema.columns."a.b".min=-5', "schema.columns.'größe in cm'={max: 8, units: cm}", "seed=2"]
    spec = load_spec(recipe, given)
    assert spec.schema_.columns["a.b"].min == -5
    changed = spec.schema_.columns["größe in cm"]
    assert (changed.type, changed.min, changed.max, changed.units) == ("number", 0, 8, "cm")
    assert spec.seed == 2
    assert set(spec.schema_.columns) == {"x", "a.b", "größe in cm", "y"}
    assert set(load_spec(recipe, ['~schema.columns."a.b"']).schema_.columns) == {"x", "größe in cm", "y"}
    added = load_spec(recipe, ['schema.columns."new one"={type: text}']).schema_.columns
    assert added["new one"].type == "text"
    assert load_spec(recipe, ["schema.columns={a.b: {min: 1}}"]).schema_.columns["a.b"].min == 1


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "schema.columns.a.b.min=-5",
            "command line: schema.columns.a.b.min\n  'schema.columns.a.b.min' has more parts than a column's key: a name that holds dots is "
            "written in quotes\n  did you mean 'schema.columns.\"a.b\".min'?",
        ),
        (
            "schema.columns.größe.min=1",
            "command line\n  'schema.columns.größe.min=1' is not an override: 'schema.columns.größe.min' is not a key\n"
            "  try: key=value, +key=value or ~key; a column's name in quotes: schema.columns.\"a name\".min=0",
        ),
        (
            'schema.columns."a.b".mim=1',
            "command line: schema.columns.a.b.mim\n  'mim' is not a key of schema.columns.a.b\n  did you mean 'min'?\n"
            "  allowed: changes, description, encode, format, impute, max, max_length, min, nullable, pattern and 11 more\n"
            "  try: engine options schema.columns",
        ),
        (
            '~schema.columns."a.c"',
            "command line: schema.columns.a.c\n  'a.c' is not a key of schema.columns\n  did you mean 'schema.columns.a.b'?\n"
            "  allowed: a.b, größe in cm, x, y\n  try: engine options schema.columns",
        ),
        (
            'goal."statment"=x',
            "command line: goal.statment\n  'statment' is not a key of goal\n  did you mean 'statement'?\n"
            "  allowed: gates, interpretable, metric, statement, value\n  try: engine options goal",
        ),
        ('model."params"._target_=x', "command line: model.params._target_\n  '_target_' is refused: a recipe is data, not code"),
        ('"hydra".run.dir=x', "command line: hydra.run.dir\n  Hydra's own settings are not part of a recipe"),
        ("model.params.C=nan", "command line: model.params.C\n  expected a finite number, got nan"),
        ("model.params.C=-inf", "command line: model.params.C\n  expected a finite number, got -inf"),
        ("model.params.C=1e999", "command line: model.params.C\n  1e999 is too large a number"),
        ("model.params={C: [1, nan]}", "command line: model.params\n  expected a finite number, got nan"),
        (
            "model.params.C={a: {b: 1}}",
            "command line: model.params.C.a\n  expected true or false, a number or a text, got a mapping\n"
            "  try: engine options model.params",
        ),
        ("recipe_version=true", "command line: recipe_version\n  expected a whole number, got true\n  try: engine options recipe_version"),
        ("recipe_version=1.0", "command line: recipe_version\n  expected a whole number, got 1.0\n  did you mean '1'?\n  try: engine options recipe_version"),
        ("recipe_version=2", "command line: recipe_version\n  the version stands in the recipe's own file, and is 1 there\n  try: engine options recipe_version"),
    ],
)  # fmt: skip
def test_whole_messages(recipe: Path, override: str, message: str) -> None:
    """Each mistake on the command line is refused with its whole message."""
    assert refusal(recipe, override) == message


def test_a_glob_chooses_among_a_groups_options(recipe: Path) -> None:
    """`glob` takes the options that match, in order, of a group and of nothing else."""
    expected = (("model=lightgbm", "seed=1"), ("model=logistic", "seed=1"))
    assert expand_overrides(recipe, ["model=glob(l*)", "seed=1"]) == expected
    with pytest.raises(RecipeError) as error:
        expand_overrides(recipe, ["seed=glob(l*)"])
    assert str(error.value) == (
        "command line: seed\n  'seed=glob(l*)': a glob chooses among the options of a group, and 'seed' is not a group\n"
        "  try: seed=choice(…)"
    )
    with pytest.raises(RecipeError) as error:
        expand_overrides(recipe, ["model=glob(zz*)"])
    assert str(error.value) == (
        f"command line: model\n  'model=glob(zz*)' matches no option of model\n  allowed: {MODELS}\n"
        "  try: engine options model"
    )


def test_a_quoted_key_is_multiplied_out(recipe: Path) -> None:
    """A multirun keeps the quotes, so that each run reads the same key."""
    assert expand_overrides(recipe, ['schema.columns."a.b".min=1,2']) == (
        ('schema.columns."a.b".min=1',),
        ('schema.columns."a.b".min=2',),
    )

"""Every recipe and every option that we ship is sound, and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import RecipeError
from engine.machine import has_cuda
from engine.names import FAMILIES
from engine.plan import load_checked, make_plan
from engine.recipe import text
from engine.recipe.find import shipped

RECIPES = sorted(shipped("recipes").rglob("*.yaml"))
CONF = sorted(shipped("conf").rglob("*.yaml"))
MODELS = sorted(path.stem for path in (shipped("conf") / "model").glob("*.yaml"))


def test_the_walks_find_everything() -> None:
    """The walks below look at every file, and every family has its YAML."""
    assert len(RECIPES) == 4
    assert len(CONF) == 37
    assert list(FAMILIES.names()) == MODELS


@pytest.mark.parametrize("path", [*RECIPES, *CONF], ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_each_file_opens_with_what_it_is_and_a_command(path: Path) -> None:
    """Every file says in its first lines what it is, the command that uses it, and one override to try."""
    lines = path.read_text().splitlines()
    comments = lines[: next(index for index, line in enumerate(lines) if not line.startswith("#"))]
    assert len(comments) >= 3
    assert any("engine " in line or "defaults:" in line for line in comments)
    assert text.read(path).mapping()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_plans_with_every_family_that_does_its_task(recipe: Path, model: str) -> None:
    """A recipe and a family fit, or the refusal names the families that would."""
    task = load_checked(recipe).task.kind
    estimator = {"classification": "GaussianNB", "regression": "Lasso"}[task]
    overrides = [f"model={model}", *([f"model.estimator={estimator}"] if model == "sklearn" else [])]
    wrong = {"classification": "ridge", "regression": "logistic"}[task]
    if model == wrong:
        with pytest.raises(RecipeError, match=f"{model} does not do {task}") as error:
            load_checked(recipe, overrides)
        assert len(error.value.messages[0].allowed) == len(MODELS) - 1
        return
    plan = make_plan(load_checked(recipe, overrides))
    assert plan.n_fits == 3
    assert plan.steps[0].name == "read and check"


@pytest.mark.parametrize("group", sorted(path.name for path in shipped("conf").iterdir() if path.is_dir()))
def test_every_option_composes(group: str) -> None:
    """Each option of each group can be chosen on the command line."""
    options = sorted(path.stem for path in (shipped("conf") / group).glob("*.yaml"))
    recipes = {"regression": "diamonds", "ridge": "diamonds"}
    dated = "schema.columns.age={type: datetime, role: time, min: null, max: null}"
    grouped = "schema.columns.race={type: category, role: group}"
    needs = {
        "sklearn": ["model.estimator=GaussianNB"],
        "time": [dated],
        "purged": [dated],
        "group": [grouped],
        "stratified_group": [grouped],
        "predefined": ["schema.columns.race={type: category, role: part}"],
        "grid": ["tune.space={num_leaves: '7,15'}"],
        "pbt": ["model=mlp"],
    }
    for option in options:
        if option == "gpu" and not has_cuda():
            with pytest.raises(RecipeError, match="no CUDA device on this machine"):
                load_checked("adult", ["compute=gpu"])
            continue
        spec = load_checked(recipes.get(option, "adult"), [f"{group}={option}", *needs.get(option, [])])
        assert getattr(spec, group) is not None

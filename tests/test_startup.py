"""A plan is what people wait for before every run: it starts within a second of CPU time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from engine.names import FAMILIES
from engine.recipe.find import shipped

RECIPES = sorted(path.stem for path in shipped("recipes").glob("*.yaml"))
WRONG = {"adult": "ridge", "penguins": "ridge", "diamonds": "logistic"}
PLANS = [(recipe, family) for recipe in RECIPES for family in FAMILIES.names() if WRONG[recipe] != family]
BOUND_S = 1.0


# What the fixture gives: the least CPU seconds of some tries, and what was said.
LeastCpu = Callable[..., tuple[float, subprocess.CompletedProcess[str]]]


def test_every_recipe_and_family_is_here() -> None:
    """The table below has all of them."""
    assert len(PLANS) == 3 * 9 - 3


@pytest.mark.parametrize(("recipe", "family"), PLANS)
def test_a_plan_takes_less_than_a_second_of_cpu(
    recipe: str, family: str, least_cpu_seconds: LeastCpu
) -> None:
    """Each recipe with each family."""
    estimator = {"diamonds": "Lasso"}.get(recipe, "GaussianNB")
    named = [f"model.estimator={estimator}"] if family == "sklearn" else []
    seconds, done = least_cpu_seconds(
        "-m", "engine", "plan", recipe, f"model={family}", *named, bound=BOUND_S
    )
    assert done.returncode == 0
    assert seconds < BOUND_S


@pytest.mark.parametrize(
    "arguments", [["plan", "adult"], ["plan", "diamonds", "model=mlp"], ["runs"], ["options"]]
)
def test_light_verbs_load_neither_numpy_nor_polars(arguments: list[str]) -> None:
    """What asks and prints computes nothing: neither library is loaded behind its stand-in."""
    script = (
        "import sys\nfrom engine.cli import main\n"
        f"assert main({arguments!r}) == 0\n"
        "print([name for name in ('numpy._core', 'polars.dataframe') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

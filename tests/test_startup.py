"""A plan is what people wait for before every run: it starts within a second of CPU time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from engine.names import FAMILIES
from engine.recipe.find import shipped

RECIPES = sorted(path.stem for path in shipped("recipes").glob("*.yaml"))
# What a recipe takes and what a family takes add up, so that not each is planned with each.
PLANS = [(recipe, "") for recipe in RECIPES]
PLANS += [("diamonds" if family == "ridge" else "adult", family) for family in FAMILIES.names()]
BOUND_S = 1.0


# What the fixture gives: the least CPU seconds of some tries, and what was said.
LeastCpu = Callable[..., tuple[float, subprocess.CompletedProcess[str]]]


def test_every_recipe_and_family_is_here() -> None:
    """The table above has all of them."""
    assert len(RECIPES) >= 3
    assert len(PLANS) == len(RECIPES) + 9


@pytest.mark.parametrize(("recipe", "family"), PLANS)
def test_a_plan_takes_less_than_a_second_of_cpu(
    recipe: str, family: str, least_cpu_seconds: LeastCpu
) -> None:
    """Each recipe, and each family."""
    chosen = [f"model={family}"] if family else []
    chosen += ["model.estimator=GaussianNB"] if family == "sklearn" else []
    seconds, done = least_cpu_seconds("-m", "engine", "plan", recipe, *chosen, bound=BOUND_S)
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

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import ModuleType

import pytest

import engine
from engine.estimate.before import find_took
from engine.estimate.costs import shipped
from engine.estimate.drivers import drivers


@pytest.fixture(scope="module")
def finished(mixed: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the mixed recipe twice, with two seeds; return the folder that holds all."""
    folder = tmp_path_factory.mktemp("finished")
    recipe = mixed.write(folder)
    for seed in (0, 1):
        engine.run(engine.load(recipe, [f"runs={folder / 'runs'}", f"seed={seed}"]))
    return folder


def found(folder: Path, *overrides: str, device: str = "cpu") -> str | None:
    """Return the run that an estimate of a recipe is based on."""
    spec = engine.load(folder / "mixed.yaml", [f"runs={folder / 'runs'}", *overrides])
    # Loaded, a recipe for a device that this machine lacks would be refused.
    spec = spec.model_copy(update={"compute": spec.compute.model_copy(update={"device": device})})
    took = find_took(spec, costs=shipped())
    return None if took is None else took.run


def runs(folder: Path) -> list[str]:
    """Return the ids of the finished runs, by seed."""
    return sorted(path.name for path in (folder / "runs" / "mixed").glob("*-????????"))


def test_the_run_of_this_very_recipe_is_preferred_to_a_later_one(finished: Path) -> None:
    """Where the recipe has had a run that one is told, else the latest of its family."""
    first, second = runs(finished)
    assert found(finished) == first
    assert found(finished, "seed=1") == second
    assert found(finished, "seed=2") == second
    assert found(finished, "evaluation=standard") == second


def test_another_family_device_or_name_has_had_no_run(finished: Path) -> None:
    """What another family took says nothing of this one."""
    assert found(finished, "model=lightgbm") is None
    assert found(finished, device="cuda") is None
    assert found(finished, "name=other") is None


def test_what_it_took_is_what_its_facts_say(finished: Path) -> None:
    """Seconds and peaks are those of `facts.json`, and the sizes are those of the recipe's run."""
    spec = engine.load(finished / "mixed.yaml", [f"runs={finished / 'runs'}"])
    took = find_took(spec, costs=shipped())
    assert took is not None
    facts = json.loads((finished / "runs" / "mixed" / took.run / "facts.json").read_text())
    assert took.seconds == {step["name"]: step["seconds"] for step in facts["steps"]}
    assert took.peak_mib == {step["name"]: step["peak_mib"] for step in facts["steps"]}
    assert took.n_rows == 600
    assert took.work is not None
    assert took.work.rows.train == pytest.approx(420)
    assert took.work.n_classes == 2
    assert took.work.threads == facts["threads"]
    # All that was timed has a law; the report comes after the facts are written.
    assert set(drivers(took.work)) - set(took.seconds) == {"start", "report"}


def test_a_recipe_that_can_t_be_read_any_more_leaves_the_seconds(finished: Path, tmp_path: Path) -> None:
    """Without its sizes a run still says what its steps took; without its facts it says nothing."""
    copy = Path(shutil.copytree(finished, tmp_path / "copy"))
    first, second = runs(copy)
    (copy / "runs" / "mixed" / first / "recipe.yaml").write_text("name: [")
    spec = engine.load(copy / "mixed.yaml", [f"runs={copy / 'runs'}"])
    took = find_took(spec, costs=shipped())
    assert took is not None
    assert (took.run, took.work) == (first, None)
    (copy / "runs" / "mixed" / first / "facts.json").write_text("{")
    assert found(copy) == second

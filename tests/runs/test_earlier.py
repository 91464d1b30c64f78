from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import engine
from engine import durable
from engine.data.header import read_header
from engine.data.schema import declare
from engine.recipe.spec import Spec
from engine.runs.earlier import Earlier, find_earlier
from engine.runs.folder import PARTIAL


@pytest.fixture(scope="module")
def finished(mixed: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the mixed recipe once; return the folder that holds it."""
    folder = tmp_path_factory.mktemp("finished")
    recipe = mixed.write(folder)
    engine.run(engine.load(recipe, [f"runs={folder / 'runs'}"]))
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """Copy the folder of the run, times of modification with it."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def load(folder: Path, *overrides: str) -> Spec:
    """Load the copied recipe with its own runs."""
    return engine.load(folder / "mixed.yaml", [f"runs={folder / 'runs'}", *overrides])


def find(folder: Path, *overrides: str) -> tuple[Earlier, ...]:
    """Return the earlier runs of the copied recipe."""
    spec = load(folder, *overrides)
    return find_earlier(spec, read_header(spec.data, declare(spec)))


def run_of(folder: Path) -> Path:
    """Return the folder of the finished run."""
    (run,) = (folder / "runs" / "mixed").glob("*-????????")
    return run


def edit(file: Path, **changes: object) -> None:
    """Change keys of a JSON file."""
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_finished_run_of_the_same_recipe_is_found(folder: Path) -> None:
    """Recipe, data, code and versions are the same: a new run would give the same numbers."""
    assert find(folder) == (Earlier(run_of(folder).name, "finished", same_code=True, same_data=True),)


@pytest.mark.parametrize("override", ["seed=1", "model.params.C=0.5", "evaluation.bootstrap=10"])
def test_another_recipe_has_had_no_run(override: str, folder: Path) -> None:
    """One key that differs makes it another recipe."""
    assert find(folder, override) == ()


def test_how_many_runs_go_side_by_side_makes_no_other_recipe(folder: Path) -> None:
    """What the recipe's identity leaves out is left out here too."""
    assert len(find(folder, "compute.parallel_runs=2")) == 1


def _touched(folder: Path) -> None:
    later = time.time() + 10
    os.utime(folder / "mixed.csv", (later, later))


def _longer(folder: Path) -> None:
    data = folder / "mixed.csv"
    before = data.stat()
    data.write_bytes(data.read_bytes() + data.read_bytes().splitlines(keepends=True)[-1])
    os.utime(data, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [_touched, _longer])
def test_data_that_was_changed_is_said(change: Callable[[Path], None], folder: Path) -> None:
    """A later time of modification or another size: the data is not the same any more."""
    change(folder)
    (earlier,) = find(folder)
    assert (earlier.same_code, earlier.same_data) == (True, False)


def test_other_code_is_said(folder: Path) -> None:
    """A run of other code or versions may differ in its numbers."""
    edit(run_of(folder) / "facts.json", code_sha256="0" * 64)
    (earlier,) = find(folder)
    assert (earlier.same_code, earlier.same_data) == (False, True)


def test_of_several_finished_runs_the_latest_that_is_the_same_is_told(folder: Path) -> None:
    """A run that would come out the same is told before a later one that would not."""
    run = run_of(folder)
    later = run.with_name(f"29990101-000000-{run.name[-8:]}")
    shutil.copytree(run, later)
    assert [earlier.run for earlier in find(folder)] == [later.name]
    edit(later / "facts.json", packages={})
    assert [earlier.run for earlier in find(folder)] == [run.name]


def interrupt(folder: Path, *files: str) -> Path:
    """Leave a run of the same recipe behind as an interruption does, with some of its files."""
    run = run_of(folder)
    partial = run.with_name(f"29990101-000000-{run.name[-8:]}{PARTIAL}")
    partial.mkdir()
    for file in files:
        shutil.copy2(run / file, partial / file)
    shutil.rmtree(run)
    return partial


def test_an_interrupted_run_is_found_with_what_it_wrote(folder: Path) -> None:
    """With its data's hash it can be told that it can be resumed; before that only that it is this recipe's."""
    partial = interrupt(folder, "recipe.json", "recipe.yaml")
    run = partial.name.removesuffix(PARTIAL)
    assert find(folder) == (Earlier(run, "interrupted", None, None, ("recipe.json", "recipe.yaml")),)
    assert find(folder, "seed=5") == ()


@pytest.mark.parametrize(("digits", "same"), [(None, True), ("00000000", False)])
def test_an_interrupted_run_tells_by_its_id_whether_it_can_be_resumed(
    digits: str | None, same: bool, folder: Path
) -> None:
    """The id ends in what recipe, data, code and versions come to."""
    partial = interrupt(folder, "recipe.json", "recipe.yaml", "data.json")
    if digits is not None:
        partial = partial.rename(partial.with_name(f"29990101-000000-{digits}{PARTIAL}"))
    (earlier,) = find(folder)
    assert (earlier.state, earlier.same_code, earlier.same_data) == ("interrupted", same, True)


def test_a_run_at_work_is_not_taken_for_an_interrupted_one(folder: Path) -> None:
    """Whoever holds the lock is alive."""
    partial = interrupt(folder, "recipe.json")
    with durable.locked(partial.with_name(f".{partial.name.removesuffix(PARTIAL)}.lock")):
        (earlier,) = find(folder)
    assert earlier.state == "at work"


@pytest.mark.parametrize("file", ["facts.json", "data.json", "recipe.json"])
def test_damaged_files_are_no_fault(file: str, folder: Path) -> None:
    """A run whose files can't be read is left out or told with what is known."""
    (run_of(folder) / file).write_text("{")
    assert {earlier.same_data for earlier in find(folder)} <= {True, None}
    interrupt(folder, file)
    find(folder)


def test_without_runs_there_is_nothing(folder: Path) -> None:
    """No folder of runs, no earlier run, and none is made."""
    shutil.rmtree(folder / "runs")
    assert find(folder) == ()
    assert not (folder / "runs").exists()

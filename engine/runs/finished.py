"""Finding finished runs: the one that a recipe has already had, and one whose search was stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from engine.errors import EngineError
from engine.recipe.spec import Spec
from engine.runs import facts
from engine.runs.folder import PARTIAL, is_interrupted
from engine.runs.run import Json, Run, list_runs

# Of what decides a run, at the end of its id.
_DIGITS = 8


def find_finished(specs: Mapping[int, Spec]) -> dict[int, Run]:
    """Return the latest finished run of each recipe that has one which would come out the same.

    Parameters
    ----------
    specs
        Recipes by any number; those without such a run are not in the answer.

    Notes
    -----
    The data is read, for its hash, only where the recipe has had a run.
    """
    known: dict[tuple[str, str], dict[str, Run]] = {}
    digests: dict[Path, str] = {}
    found = {}
    for index, spec in specs.items():
        place, data = (spec.runs, spec.name), spec.data_path()
        if place not in known:
            known[place] = _known(Path(spec.runs), spec.name)
        run = known[place].get(spec.sha256())
        if run is None:
            continue
        if data not in digests:
            digests[data] = _sha256(data)
        if run.facts["data_sha256"] == digests[data]:
            found[index] = run
    return found


def find_stopped(given: str, *, root: Path) -> Run | None:
    """Return the finished run whose search was stopped, given as an id, a folder or `NAME@latest`; or None.

    `NAME@latest` is the latest one that was not gone on with, if no run of that name was interrupted since.
    """
    name, at, word = given.partition("@")
    if at and word == "latest":
        return _latest_stopped(list_runs(root, name=name))
    folders = [Path(given), *sorted(root.glob(f"*/{given}"))]
    found = next((folder for folder in folders if (folder / "facts.json").is_file()), None)
    if found is None or found.name.endswith(PARTIAL):
        return None
    run = Run(found.resolve())
    return None if run.stopped_by is None else run


def _latest_stopped(folders: list[Path]) -> Run | None:
    later: set[str] = set()
    for folder in reversed(folders):
        if folder.name.endswith(PARTIAL):
            if is_interrupted(folder):
                return None
            continue
        made, digest = Run(folder.resolve()), folder.name[-_DIGITS:]
        if digest not in later and _facts(made).get("search") and made.stopped_by is not None:
            return made
        later.add(digest)
    return None


def _known(root: Path, name: str) -> dict[str, Run]:
    """Return the finished runs made by this code and these versions, the latest of each recipe's hash."""
    runs = [Run(path.resolve()) for path in list_runs(root, name=name) if not path.name.endswith(PARTIAL)]
    known = {}
    for run in runs:
        made_with = _facts(run)
        here = (facts.code_sha256(), facts.packages())
        is_same = (made_with.get("code_sha256"), made_with.get("packages")) == here
        # What the user stopped is not what the recipe asks for.
        if is_same and not run.is_stopped:
            known[str(made_with["recipe_sha256"])] = run
    return known


def _facts(run: Run) -> Json:
    """Return a run's facts, none of a damaged run."""
    try:
        return run.facts if run.gates and run.metrics else {}
    except EngineError:
        return {}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""

"""Finding the run that a recipe has already had: same recipe, data, code and versions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from engine.errors import EngineError
from engine.recipe.spec import Spec
from engine.runs import facts
from engine.runs.folder import PARTIAL
from engine.runs.run import Json, Run, list_runs


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


def _known(root: Path, name: str) -> dict[str, Run]:
    """Return the finished runs made by this code and these versions, the latest of each recipe's hash."""
    runs = [Run(path.resolve()) for path in list_runs(root, name=name) if not path.name.endswith(PARTIAL)]
    known = {}
    for run in runs:
        made_with = _facts(run)
        here = (facts.code_sha256(), facts.packages())
        if (made_with.get("code_sha256"), made_with.get("packages")) == here:
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

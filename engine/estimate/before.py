"""What an earlier run of the same recipe and family took, read from its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from engine.data.schema import declare
from engine.errors import EngineError
from engine.estimate.costs import Costs
from engine.estimate.estimate import Took
from engine.estimate.workload import Size, Workload, workload
from engine.recipe import text
from engine.recipe.spec import Spec
from engine.runs.earlier import MOST_LOOKED_AT
from engine.runs.folder import PARTIAL, RECIPE
from engine.runs.run import Json, Run, list_runs


def find_took(spec: Spec, *, costs: Costs) -> Took | None:
    """Return what a run took: of this very recipe if there is one, else the latest of its family."""
    latest = list_runs(Path(spec.runs), name=spec.name)[-MOST_LOOKED_AT:][::-1]
    runs = [Run(path) for path in latest if not path.name.endswith(PARTIAL)]
    known = [(run, made_with) for run in runs for made_with in _facts(run, spec)]
    sha256 = spec.sha256()
    known.sort(key=lambda pair: pair[1].get("recipe_sha256") != sha256)
    for run, made_with in known:
        took = _took(run, made_with, costs=costs, device=spec.compute.device)
        if took is not None:
            return took
    return None


def _facts(run: Run, spec: Spec) -> Iterator[Json]:
    """Yield the facts of a run, if it is of the same family and estimator."""
    try:
        made_with = run.facts
    except EngineError:
        return
    model = made_with.get("model")
    if isinstance(model, dict) and (model.get("family"), model.get("estimator")) == (
        spec.model.family,
        spec.model.estimator,
    ):
        yield made_with


def _took(run: Run, made_with: Json, *, costs: Costs, device: str) -> Took | None:
    steps, threads = made_with.get("steps"), made_with.get("threads")
    data = _read(run, "data.json")
    n_rows = data.get("n_rows")
    if not isinstance(steps, list) or not isinstance(n_rows, int) or not isinstance(threads, int):
        return None
    named = {str(step["name"]): step for step in steps}
    before = _spec(run)
    if before is not None and before.compute.device != device:
        return None
    return Took(
        run=run.id,
        n_rows=n_rows,
        work=None if before is None else _workload(before, made_with, data, costs=costs, threads=threads),
        seconds={name: float(step["seconds"]) for name, step in named.items()},
        peak_mib={name: float(step["peak_mib"]) for name, step in named.items()},
    )


def _workload(before: Spec, made_with: Json, data: Json, *, costs: Costs, threads: int) -> Workload:
    source, target = data["source"], made_with["target"]
    assert isinstance(source, dict)
    assert isinstance(target, dict)
    size = Size(
        n_rows=int(str(data["n_rows"])),
        n_bytes=int(source["n_bytes"]),
        is_text=source["format"] == "csv",
        n_classes=len(target["classes"]),
    )
    return workload(before, declare(before), size, assumed=costs.assumed(), cores=threads)


def _spec(run: Run) -> Spec | None:
    """Return a run's own recipe; one of an older engine may not be readable as it is."""
    try:
        value = text.read(run.path / RECIPE).mapping()
        plain = {key: inner for key, inner in value.items() if key != "defaults"}
        return Spec.model_validate_json(json.dumps(plain))
    except (EngineError, OSError, ValidationError):
        return None


def _read(run: Run, file: str) -> Json:
    try:
        return run.read(file)
    except EngineError:
        return {}

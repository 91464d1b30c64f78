"""Writes what a run found into its folder: each file once, each number from where it was computed."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from engine import durable
from engine.data.profile import Profile, profile
from engine.data.source import Table
from engine.evaluation.judge import Judgement
from engine.machine import n_threads
from engine.recipe import references, text
from engine.recipe.spec import Spec
from engine.runs import facts
from engine.runs.bundle import reference, write_bundle
from engine.runs.folder import Draft
from engine.runs.golden import without_pii
from engine.runs.steps import Steps
from engine.tasks.task import Task
from engine.training.fit import Model, importances
from engine.training.parts import Divided
from engine.tuning.tune import Tuned

_HEADER = "# The recipe of run {run}, composed: every key, no default left out.\n# run: engine run {name}\n"


def write_recipe(made: Draft, spec: Spec) -> None:
    """Write `recipe.yaml`, which runs again as it is, and `recipe.json`, which is its identity."""
    plain = spec.to_plain()
    data = plain["data"]
    assert isinstance(data, dict)
    # A path that came from the environment keeps its name; any other must be found from this folder too.
    if ("data", "path") not in spec.from_environment:
        data["path"] = references.write([spec.data.path])
    header = _HEADER.format(run=made.run, name="recipe.yaml")
    durable.write_text(made.folder / "recipe.yaml", header + text.write({"defaults": ["_self_"], **plain}))
    durable.write_json(made.folder / "recipe.json", json.loads(spec.canonical()))


def write_data(folder: Path, *, table: Table, divided: Divided, spec: Spec) -> Profile:
    """Write `data.json`: the source and its hash, a profile of each column, the split and its hashes."""
    found = profile(table, parts=divided.parts)
    parts = divided.parts
    data = spec.to_plain()["data"]
    assert isinstance(data, dict)
    content = {
        # As the recipe says it: a path may come from the environment, whose values are never written out.
        "source": {**table.source.to_json(), "path": data["path"]},
        "n_rows": table.n_rows,
        "n_rows_read": table.n_rows_read,
        "n_rows_dropped": {"missing_target": table.n_missing_target},
        "split": {
            "kind": spec.split.kind,
            "sizes": parts.sizes,
            "sha256": parts.sha256(places=table.kept),
            "n_folds": len(parts.folds),
        },
        **found.to_json(),
    }
    durable.write_json(folder / "data.json", content)
    return found


def write_predictions(
    folder: Path, *, divided: Divided, judgement: Judgement, table: Table, task: Task
) -> None:
    """Write `predictions.parquet`: of each test row its place in the data, ids, target and prediction."""
    kept = [*(column.name for column in table.schema.ids), table.schema.target.name]
    places = table.places(divided.parts.test)
    rows = pl.Series("row_number" if "row" in kept else "row", places, dtype=pl.Int64)
    frame = pl.concat(
        [rows.to_frame(), divided.test.frame.select(kept), task.to_frame(judgement.test, divided.target)],
        how="horizontal",
    )
    with durable.writing_path(folder / "predictions.parquet") as aside:
        frame.write_parquet(aside)


def write_trials(folder: Path, tuned: Tuned) -> None:
    """Write `trials.parquet`: every trial of the search, a row each."""
    with durable.writing_path(folder / "trials.parquet") as aside:
        tuned.frame().write_parquet(aside)


def write_judgement(
    folder: Path,
    judgement: Judgement,
    *,
    validation: Mapping[str, object] | None,
    baselines: Mapping[str, object] | None,
) -> None:
    """Write `metrics.json` and `gates.json`; `validation` replaces that part's scores where folds did it."""
    content: dict[str, object] = {part: {} for part in ("train", "validation", "test")}
    content |= judgement.evaluation.to_json()
    if validation is not None:
        content["validation"] = validation
    if baselines is not None:
        content["baselines"] = baselines
    if judgement.evaluation.fairness:
        audits = judgement.evaluation.fairness
        content["fairness"] = {", ".join(audit.by): audit.to_json() for audit in audits}
    durable.write_json(folder / "metrics.json", content)
    durable.write_json(folder / "gates.json", judgement.verdict.to_json())


def write_run_bundle(
    made: Draft,
    *,
    model: Model,
    divided: Divided,
    judgement: Judgement,
    table: Table,
    task: Task,
    spec: Spec,
) -> None:
    """Write the bundle; its golden rows are test rows spread evenly, with the graph's own answers."""
    test, schema = divided.test, table.schema
    rows = np.unique(np.linspace(0, test.n_rows - 1, num=spec.deploy.golden_rows).astype(np.int64))
    raw = without_pii(test.frame[rows], schema.features)
    answers = task.to_frame(model.scorer.score(raw), divided.target)
    verdict = judgement.verdict
    write_bundle(
        made.folder / "bundle",
        artifact=model.artifact,
        schema=schema,
        target=divided.target,
        task_name=spec.task.kind,
        threshold=model.threshold,
        name=spec.name,
        model_version=made.run,
        recipe_sha256=spec.sha256(),
        passed=verdict.passed,
        missed=[gate.name for gate in verdict.gates if not gate.passed],
        golden=pl.concat([raw, answers], how="horizontal"),
        reference=reference(divided.train.frame, schema),
        # The format that was read: whether an empty text is a missing value depends on it.
        data=spec.data.model_copy(update={"format": table.source.format}),
        deploy=spec.deploy,
        tolerance=max(1e-9, model.candidate.family.tolerance),
    )


def write_facts(
    made: Draft,
    *,
    spec: Spec,
    table: Table,
    divided: Divided,
    model: Model,
    judgement: Judgement,
    tuned: Tuned | None,
    steps: Steps,
) -> None:
    """Write `facts.json`: versions, code, hardware, seed, the model, and what each step took."""
    candidate, parity = model.candidate, model.parity
    content = {
        "run": made.run,
        "name": spec.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine_version": facts.engine_version(),
        "python": platform.python_version(),
        "packages": facts.packages(),
        "code_sha256": facts.code_sha256(),
        "git": facts.git_state(),
        "hardware": facts.hardware(),
        "threads": n_threads(spec.compute),
        "seed": spec.seed,
        "recipe_sha256": spec.sha256(),
        "data_sha256": table.source.sha256,
        "target": {
            "name": divided.target.name,
            "kind": divided.target.kind,
            "classes": list(divided.target.classes),
        },
        "threshold": model.threshold,
        "model": {
            "family": spec.model.family,
            "estimator": spec.model.estimator,
            "params": spec.model.model_dump(mode="json")["params"],
            "n_iterations": candidate.fitted.n_iterations,
            "n_features": len(candidate.preparation.feature_names),
            "importances": importances(candidate),
            "deployed_as": candidate.family.deployed_as(spec.model),
            "parity": {"largest": parity.largest, "n_rows": parity.n_rows, "n_beyond": parity.n_beyond},
        },
        "search": None if tuned is None else {"strategy": spec.tune.kind, **tuned.to_json()},
        "latency": judgement.latency.measured(),
        "train_rows_scored": min(divided.train.n_rows, spec.evaluation.train_rows),
        "notes": steps.notes,
        "steps": [step.to_json() for step in steps.done],
    }
    durable.write_json(made.folder / "facts.json", content)

"""Writes what a run found into its folder: each file once, each number from where it was computed."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from engine import durable
from engine.data.fingerprint import content_sha256
from engine.data.levels import settled
from engine.data.pointers import Pointer, differing
from engine.data.quality.finding import Quality
from engine.data.table import Source, Table
from engine.evaluation.gates import Verdict
from engine.evaluation.judge import Judgement
from engine.machine import n_threads
from engine.recipe import references, text
from engine.recipe.spec import Spec
from engine.recipe.text import Plain
from engine.redaction import redact
from engine.runs import facts
from engine.runs.bundling import write_bundle
from engine.runs.folder import Draft
from engine.runs.golden import without_pii
from engine.runs.reference import reference
from engine.runs.steps import Steps
from engine.studies import Subject
from engine.training.fit import importances, margin_bytes
from engine.training.parts import Divided
from engine.training.quality import look_over, tracked
from engine.tuning.tuned import Tuned

DIFF = "uncommitted.diff"
# A larger diff is of something else than code, and only its hash is kept.
_MAX_DIFF_BYTES = 2**20
_HEADER = "# The recipe of run {run}, composed: every key, no default left out.\n# run: engine run {name}\n"


def write_recipe(made: Draft, spec: Spec, *, source: Source) -> None:
    """Write `recipe.yaml`, which runs again as it is, and `recipe.json`, which is its identity.

    Of a table that keeps its past the version is written that was read.
    """
    plain = spec.to_plain()
    data = plain["data"]
    assert isinstance(data, dict)
    # A path that came from the environment keeps its name; any other must be found from this folder too.
    if ("data", "path") not in spec.from_environment:
        data["path"] = references.write([spec.data.path])
    if source.version is not None:
        data["version"] = source.version
    _write_joins(data, spec, source)
    header = _HEADER.format(run=made.run, name="recipe.yaml")
    durable.write_text(made.folder / "recipe.yaml", header + text.write({"defaults": ["_self_"], **plain}))
    durable.write_json(made.folder / "recipe.json", json.loads(spec.canonical()))


def _write_joins(data: dict[str, Plain], spec: Spec, source: Source) -> None:
    """Say where joined tables lie, and which version of each was read."""
    plain = data.get("join")
    for at, (join, joined) in enumerate(zip(spec.data.join or (), source.joined, strict=True)):
        table = plain[at] if isinstance(plain, list) else None
        assert isinstance(table, dict)
        if ("data", "join", str(at), "path") not in spec.from_environment:
            table["path"] = references.write([join.path])
        if joined.version is not None:
            table["version"] = joined.version


def write_data(
    folder: Path, *, table: Table, divided: Divided, spec: Spec
) -> tuple[Quality, tuple[str, ...]]:
    """Write `data.json`: the source and its hash, the split and its hashes, profile and quality.

    Returns what the quality is, and a sentence where DVC knows another file than was read.
    """
    parts, streamed = divided.parts, divided.streamed
    found, quality = look_over(table, divided, spec=spec)
    pointer = tracked(table, spec=spec)
    data = spec.to_plain()["data"]
    assert isinstance(data, dict)
    content = {
        # As the recipe says it: a path may come from the environment, whose values are never written out.
        "source": {**table.source.to_json(), "path": data["path"]},
        "n_rows": table.n_rows if streamed is None else streamed.n_rows,
        "n_rows_read": table.n_rows_read,
        "n_rows_dropped": {"missing_target": table.n_missing_target},
        "sample": _sample(table, spec),
        "streamed": None if streamed is None else streamed.to_json(),
        "split": {
            "kind": spec.split.kind,
            "sizes": parts.sizes if streamed is None else streamed.sizes,
            # With a key the order of the file's rows counts for nothing, nor do their places.
            "sha256": parts.sha256(places=None if table.schema.key else table.kept)
            if streamed is None
            else dict(streamed.sha256),
            "n_folds": len(parts.folds),
            "n_left_out": table.n_rows - sum(parts.sizes.values())
            if streamed is None
            else streamed.n_between,
        },
        # Of the values alone: a copy in another format, or with a key in another order, has the same.
        "content": {
            "sha256": content_sha256(table.frame, table.schema) if streamed is None else None,
            "ordered_by": list(table.schema.key) or None,
        },
        "dvc": None if pointer is None else pointer.to_json(),
        **found.to_json(),
        "quality": quality.to_json(),
        "warnings": _warnings(table, pointer, quality),
    }
    durable.write_json(folder / "data.json", content)
    return quality, differing(pointer)


def _sample(table: Table, spec: Spec) -> dict[str, object] | None:
    """Return what a sample was asked for, and of how many rows it is."""
    if spec.data.sample is None:
        return None
    n_drawn = table.n_rows + table.n_missing_target
    return {"asked": spec.data.sample, "n_rows": n_drawn, "n_rows_read": table.n_rows_read}


def _warnings(table: Table, pointer: Pointer | None, quality: Quality) -> list[dict[str, str]]:
    """Return what a reader of the card must know of the data, a sentence each."""
    left_out = [{"column": table.schema.target.name, "what": table.left_out}] if table.left_out else []
    if table.sampled:
        left_out.insert(0, {"column": "", "what": table.sampled})
    left_out += [{"column": "", "what": what} for what in differing(pointer)]
    grave = [finding for finding in quality.findings if finding.severity != "note"]
    return left_out + [{"column": ", ".join(finding.columns), "what": finding.what} for finding in grave]


def write_predictions(folder: Path, subject: Subject, *, table: Table) -> None:
    """Write `predictions.parquet`: of each test row its place in the data, ids, target and prediction."""
    value = subject.spec.goal.value
    kept = [*(column.name for column in table.schema.ids), table.schema.target.name]
    # What each row is worth, so that whoever reads the file can reckon as the run did.
    kept += [] if value is None else [name for name in value.columns if name not in kept]
    divided, scores = subject.divided, subject.judgement.test
    places = table.places(divided.parts.test)
    rows = pl.Series("row_number" if "row" in kept else "row", places, dtype=pl.Int64)
    frame = pl.concat(
        [rows.to_frame(), divided.test.frame.select(kept), subject.task.to_frame(scores, divided.target)],
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
    verdict: Verdict,
    validation: Mapping[str, object] | None,
    studied: Mapping[str, Mapping[str, object]],
) -> None:
    """Write `metrics.json`, what each study found among it, and `gates.json`.

    `validation` replaces that part's scores where folds did it.
    """
    content: dict[str, object] = {part: {} for part in ("train", "validation", "test")}
    content |= judgement.evaluation.to_json()
    if validation is not None:
        content["validation"] = validation
    if judgement.evaluation.fairness:
        audits = judgement.evaluation.fairness
        content["fairness"] = {", ".join(audit.by): audit.to_json() for audit in audits}
    if judgement.evaluation.slices:
        sliced = judgement.evaluation.slices
        content["slices"] = {", ".join(slicing.by): slicing.to_json() for slicing in sliced}
    durable.write_json(folder / "metrics.json", content | dict(studied))
    durable.write_json(folder / "gates.json", verdict.to_json())


def write_run_bundle(made: Draft, subject: Subject, *, verdict: Verdict, table: Table) -> None:
    """Write the bundle; its golden rows are test rows spread evenly, with the graph's own answers."""
    spec, task, model, divided = subject.spec, subject.task, subject.model, subject.divided
    test, schema = divided.test, settled(table.schema, divided.train.frame)
    rows = np.unique(np.linspace(0, test.n_rows - 1, num=spec.deploy.golden_rows).astype(np.int64))
    if model.groups is not None:
        schema = schema.reading(model.groups.by)
    raw = without_pii(test.frame[rows], schema.features)
    answers = task.to_frame(model.scorer.score(raw), divided.target)
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
        margin=margin_bytes(model),
        tolerance=max(1e-9, model.candidate.tolerance),
        groups=model.groups,
    )


def _code_state(folder: Path) -> dict[str, object] | None:
    """Return commit and dirty state, and write what was not committed to `uncommitted.diff`."""
    state = facts.git_state()
    if state is None:
        return None
    told = {"commit": state.commit, "dirty": state.dirty, "changed": list(state.changed)}
    if not state.diff:
        return told
    is_kept = len(state.diff) <= _MAX_DIFF_BYTES
    if is_kept:
        durable.write_text(folder / DIFF, redact(state.diff.decode("utf-8", "replace")))
    digest = hashlib.sha256(state.diff).hexdigest()
    return told | {"diff_sha256": digest, "diff": DIFF if is_kept else None}


def write_facts(made: Draft, subject: Subject, *, table: Table, tuned: Tuned | None, steps: Steps) -> None:
    """Write `facts.json`: versions, code, hardware, seed, the model, and what each step took."""
    spec, model, divided = subject.spec, subject.model, subject.divided
    candidate, parity = model.candidate, model.parity
    content = {
        "run": made.run,
        "name": spec.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "engine_version": facts.engine_version(),
        "python": platform.python_version(),
        "packages": facts.packages(),
        "code_sha256": facts.code_sha256(),
        "git": _code_state(made.folder),
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
        "thresholds": None if model.groups is None else model.groups.to_json(),
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
        "latency": subject.judgement.latency.measured(),
        "train_rows_scored": min(divided.train.n_rows, spec.evaluation.train_rows),
        "notes": steps.notes,
        "steps": [step.to_json() for step in steps.done],
    }
    durable.write_json(made.folder / "facts.json", content)

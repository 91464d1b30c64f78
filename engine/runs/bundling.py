"""Writes a bundle: whole or not at all, each file with its hash in the manifest."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import polars as pl

from engine.data.schema import Schema, to_json
from engine.durable import publish_folder, write_bytes, write_json
from engine.models.assemble import Artifact
from engine.models.thresholds import GroupThresholds
from engine.recipe.spec import DeploySpec
from engine.recipe.spec_table import DataSpec
from engine.runs.bundle import MARGIN, TOLERANCE
from engine.runs.contract import (
    FORMAT,
    CacheFacts,
    Contract,
    Limits,
    LogFacts,
    TargetFacts,
    TextFacts,
    ThresholdFacts,
)
from engine.runs.facts import engine_version
from engine.runs.manifest import Manifest, write_manifest
from engine.tasks.task import Target


def write_bundle(
    folder: Path,
    *,
    artifact: Artifact,
    schema: Schema,
    target: Target,
    task_name: str,
    threshold: float | None,
    name: str,
    model_version: str,
    recipe_sha256: str,
    passed: bool,
    missed: Sequence[str],
    golden: pl.DataFrame,
    reference: Mapping[str, object],
    data: DataSpec,
    deploy: DeploySpec,
    tolerance: float = TOLERANCE,
    groups: GroupThresholds | None = None,
    margin: bytes | None = None,
) -> Manifest:
    """Write a bundle to `folder`, whole or not at all.

    Parameters
    ----------
    folder
        Must not exist; its parent must.
    golden
        Shape (n_rows, n_features + n_prediction_columns): raw feature rows with what the artifact predicts of
        them, as `Task.to_frame` gives it.
    missed
        Names of the gates that were not met, empty when `passed`.
    tolerance
        Largest difference of a number when the golden rows are replayed: 1e-9 for a graph in double.
    groups
        The thresholds of groups that the graph decides by, if any; it says so, and reads their columns.
    margin
        The model's sums, as `engine.models.margin_file` writes them, where it has such.

    Raises
    ------
    EngineError
        If `folder` exists.
    """
    contract = Contract(
        format=FORMAT,
        task=task_name,
        target=TargetFacts(target.name, target.kind, target.classes),
        threshold=threshold,
        tolerance=tolerance,
        limits=Limits(
            max_records=deploy.max_records,
            max_body_mib=deploy.max_body_mib,
            timeout_s=deploy.timeout_s,
            max_concurrent=deploy.max_concurrent,
            abstain_below=deploy.abstain_below,
            pipeline=deploy.pipeline,
            batching=deploy.batching,
            cache=None if deploy.cache is None else CacheFacts(**deploy.cache.model_dump()),
            log=None if deploy.log is None else LogFacts(**deploy.log.model_dump()),
        ),
        data=TextFacts(data.format, data.delimiter, data.decimal, data.encoding, data.null_values),
        schema=to_json(schema),
        thresholds=None if groups is None else msgspec.convert(groups.to_json(), ThresholdFacts),
    )
    staged = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    staged.mkdir()
    try:
        for file, content in _model_files(artifact).items():
            write_bytes(staged / file, content)
        if margin is not None:
            write_bytes(staged / MARGIN, margin)
        write_json(staged / "schema.json", msgspec.to_builtins(contract))
        write_json(staged / "reference.json", reference)
        golden.write_parquet(staged / "golden.parquet")
        manifest = write_manifest(
            staged,
            name=name,
            model_version=model_version,
            engine_version=engine_version(),
            recipe_sha256=recipe_sha256,
            passed=passed,
            missed=missed,
        )
        publish_folder(staged, folder)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return manifest


def _model_files(artifact: Artifact) -> dict[str, bytes]:
    files = {
        "model.onnx": artifact.graph,
        "model.skops": artifact.estimator,
        "decision.onnx": artifact.decision,
    }
    return {name: content for name, content in files.items() if content is not None}

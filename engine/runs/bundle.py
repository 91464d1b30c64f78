"""The bundle: one graph, the contract of its input, and rows with the answers they must give.

The only thing that is ever deployed. Nothing in it is a pickle, and every byte is checked against the
manifest before it is parsed. It knows nothing of how it is served.
"""

from __future__ import annotations

import io
import json
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from engine.data.records import Decoder
from engine.data.schema import Schema, from_json, to_json
from engine.data.source import conform
from engine.data.text import null_texts
from engine.durable import publish_folder, write_bytes, write_json
from engine.errors import BundleError, DataError, GateError
from engine.models.assemble import Artifact
from engine.models.scorer import Scorer
from engine.names import TASKS
from engine.recipe.spec import DeploySpec
from engine.recipe.spec_table import DataSpec
from engine.runs.contract import FORMAT, Contract, Limits, TargetFacts, TextFacts, read_contract
from engine.runs.facts import engine_version
from engine.runs.manifest import Manifest, read_verified, write_manifest
from engine.runs.reference import reference
from engine.tasks.task import Scores, Target, Task

__all__ = ["Bundle", "Limits", "load_bundle", "load_deployable", "reference", "write_bundle"]

# The graph computes in double; only the order of its sums may differ between two machines.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, ready to score.

    `golden` holds raw feature columns followed by the prediction columns that these rows must give;
    `threshold` is what the graph decides with, None where the task has none.
    """

    folder: Path
    manifest: Manifest
    schema: Schema
    target: Target
    task_name: str
    threshold: float | None
    tolerance: float
    limits: Limits
    data: DataSpec
    golden: pl.DataFrame
    reference: Mapping[str, object]
    _task: Task
    _scorer: Scorer
    _decoder: Decoder

    @property
    def model_version(self) -> str:
        """What the service answers as `model_version`."""
        return self.manifest.model_version

    @property
    def prediction_columns(self) -> tuple[str, ...]:
        """The columns of what users are told of a row, in order."""
        return tuple(self.answers(self.score(self.golden.clear())).columns)

    def score(self, frame: pl.DataFrame) -> Scores:
        """Score checked rows, shape (n_rows, n_columns), that hold every feature in the dtype of its storage.

        Raises
        ------
        EngineError
            If the graph gives a value that is not finite.
        """
        return self._scorer.score(frame.select(self._features))

    def score_records(self, records: Sequence[Mapping[str, object]]) -> Scores:
        """Score records as JSON gives them, after checking each of them against the schema.

        Raises
        ------
        DataError
            With every mistake of every record, keyed `records[0].age`.
        EngineError
            If the graph gives a value that is not finite.
        """
        decoded = self._decoder.decode_all(records)
        return self._scorer.score_records(decoded)

    def score_columns(self, n_rows: int, columns: Mapping[str, Sequence[object]]) -> Scores:
        """Score checked values by column, as `engine.data.compiled.Compiled` gives them.

        Raises
        ------
        EngineError
            If the graph gives a value that is not finite.
        """
        return self._scorer.score_columns(n_rows, columns)

    def to_frame(self, scores: Scores) -> pl.DataFrame:
        """Return scores as the prediction columns."""
        return self._task.to_frame(scores, self.target)

    def is_unsure(self, scores: Scores) -> pl.Series | None:
        """Tell of each row whether it is abstained from; None where the recipe never abstains."""
        lowest = self.limits.abstain_below
        if lowest is None or not self.target.classes:
            return None
        return pl.Series("abstained", scores.values.max(axis=1) < lowest)

    def answers(self, scores: Scores) -> pl.DataFrame:
        """Return scores as users are told them: `to_frame`, but no prediction where a row is abstained from.

        Where the recipe abstains, a last column `abstained` tells which.
        """
        frame, is_unsure = self.to_frame(scores), self.is_unsure(scores)
        if is_unsure is None:
            return frame
        prediction = pl.when(~is_unsure).then(pl.col("prediction"))
        return frame.with_columns(prediction.alias("prediction"), is_unsure)

    def predict(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the prediction columns of a frame of typed columns, in its order, after checking it.

        Raises
        ------
        DataError
            If columns are missing or extra, or values break the contract.
        EngineError
            If the graph gives a value that is not finite.
        """
        return self.to_frame(self.score(conform(frame, schema=self.schema)))

    def predict_records(self, records: Sequence[Mapping[str, object]]) -> pl.DataFrame:
        """Return the prediction columns of records; see `score_records`."""
        return self.to_frame(self.score_records(records))

    def replay_golden(self) -> None:
        """Score the golden rows again and compare with what is stored.

        Raises
        ------
        BundleError
            If a prediction differs: numbers by more than `tolerance`, others at all.
        """
        rows = self.golden.select(self._features)
        _agree(self.to_frame(self.score(rows)), self.golden.drop(self._features), self)

    def require_passed(self) -> None:
        """Refuse a bundle whose gates were missed.

        Raises
        ------
        GateError
            If the verdict in the manifest is no.
        """
        if self.manifest.passed:
            return
        missed = ", ".join(self.manifest.missed) or "not recorded"
        raise GateError.of(
            f"the gates of {self.model_version} were missed ({missed}): it can't be packaged or served",
            file=str(self.folder),
        )

    @property
    def _features(self) -> list[str]:
        return [column.name for column in self.schema.features]


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
        ),
        data=TextFacts(data.format, data.delimiter, data.decimal, data.encoding, data.null_values),
        schema=to_json(schema),
    )
    staged = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    staged.mkdir()
    try:
        for file, content in _model_files(artifact).items():
            write_bytes(staged / file, content)
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


def load_bundle(folder: Path, *, threads: int = 1) -> Bundle:
    """Verify the bundle in `folder`, then read it from the very bytes that were verified.

    Parameters
    ----------
    threads
        How many threads one call of the graph may use.

    Raises
    ------
    BundleError
        If a file is not what the manifest says, or its content is no part of a bundle.
    """
    manifest, files = read_verified(folder)
    _require(folder, files)
    contract = read_contract(folder, files["schema.json"])
    schema = _read_schema(folder, contract)
    golden = _read_golden(folder, files["golden.parquet"], schema)
    target = Target(contract.target.name, contract.target.kind, contract.target.classes)
    task: Task = TASKS.load(contract.task)  # type: ignore[assignment]
    artifact = _artifact(files)
    data = DataSpec(path="", **msgspec.structs.asdict(contract.data))
    return Bundle(
        folder=folder,
        manifest=manifest,
        schema=schema,
        target=target,
        task_name=contract.task,
        threshold=contract.threshold,
        tolerance=contract.tolerance,
        limits=contract.limits,
        data=data,
        golden=golden,
        reference=json.loads(files["reference.json"]),
        _task=task,
        _scorer=Scorer(artifact, schema_columns=schema.features, kind=target.kind, threads=threads),
        _decoder=Decoder(schema, null_texts=null_texts(data)),
    )


def load_deployable(folder: Path, *, threads: int = 1) -> Bundle:
    """Load a bundle that may be packaged and served: verified, its gates met, its golden rows as stored.

    Raises
    ------
    BundleError
        If a file was changed, or a golden row is not predicted as stored.
    GateError
        If its gates were missed.
    """
    bundle = load_bundle(folder, threads=threads)
    bundle.require_passed()
    bundle.replay_golden()
    return bundle


def _model_files(artifact: Artifact) -> dict[str, bytes]:
    files = {
        "model.onnx": artifact.graph,
        "model.skops": artifact.estimator,
        "decision.onnx": artifact.decision,
    }
    return {name: content for name, content in files.items() if content is not None}


def _artifact(files: Mapping[str, bytes]) -> Artifact:
    return Artifact(
        graph=files["model.onnx"], estimator=files.get("model.skops"), decision=files.get("decision.onnx")
    )


def _require(folder: Path, files: Mapping[str, bytes]) -> None:
    for name in ("model.onnx", "schema.json", "golden.parquet", "reference.json"):
        if name not in files:
            raise BundleError.of(
                "a bundle needs this file, and its manifest lists none", file=str(folder / name)
            )
    if ("model.skops" in files) != ("decision.onnx" in files):
        raise BundleError.of(
            "model.skops and decision.onnx belong together, and one is missing", file=str(folder)
        )


def _read_schema(folder: Path, contract: Contract) -> Schema:
    try:
        return from_json(contract.schema)
    except DataError as error:
        raise BundleError.of(error.messages[0].what, file=str(folder / "schema.json")) from None


def _read_golden(folder: Path, content: bytes, schema: Schema) -> pl.DataFrame:
    path = str(folder / "golden.parquet")
    try:
        golden = pl.read_parquet(io.BytesIO(content))
    except pl.exceptions.PolarsError as exc:
        raise BundleError.of(f"this file is no Parquet: {exc}", file=path) from None
    for column in schema.features:
        if column.name not in golden.columns:
            raise BundleError.of("the golden rows lack this feature", key=column.name, file=path)
    return golden


def _agree(given: pl.DataFrame, stored: pl.DataFrame, bundle: Bundle) -> None:
    path = str(bundle.folder / "golden.parquet")
    if given.columns != stored.columns:
        raise BundleError.of(
            f"the model gives the columns {given.columns}, stored are {stored.columns}", file=path
        )
    for name in stored.columns:
        if given[name].dtype.is_float():
            # By the column's scale, as the graph was held against the library: float32 sums have that error.
            allowed = bundle.tolerance * max(1.0, float(np.abs(stored[name].to_numpy()).max(initial=0.0)))
            differs = ((given[name] - stored[name]).abs() <= allowed).not_().fill_null(value=True)
        else:
            differs = given[name].ne_missing(stored[name].cast(given[name].dtype))
        rows = differs.arg_true().to_list()
        if rows:
            counted = f"{len(rows)} of {stored.height} golden rows"
            raise BundleError.of(
                f"{counted} are not predicted as stored, first row {rows[0] + 1}", key=name, file=path
            )

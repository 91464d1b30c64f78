"""The bundle: one graph, the contract of its input, and rows with the answers they must give.

The only thing that is ever deployed. Nothing in it is a pickle, and every byte is checked against the
manifest before it is parsed. It knows nothing of how it is served.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import polars as pl
from pydantic import ValidationError

from engine.data.bodies import swells
from engine.data.records import Decoder
from engine.data.schema import Schema, from_json
from engine.data.source import conform
from engine.data.storage import dtypes
from engine.data.text import null_texts
from engine.errors import BundleError, DataError, GateError
from engine.models.assemble import Artifact
from engine.models.scorer import Scorer
from engine.models.thresholds import GroupThresholds
from engine.names import TASKS
from engine.recipe.spec_table import DataSpec
from engine.runs.contract import (
    Contract,
    Limits,
    read_contract,
    read_groups,
)
from engine.runs.manifest import Manifest, read_verified
from engine.tasks.task import Array, Scores, Target, Task

__all__ = ["Bundle", "Limits", "load_bundle", "load_deployable"]

# What the columns add up to, read when somebody asks why.
MARGIN = "margin.parquet"
# The graph computes in double; only the order of its sums may differ between two machines.
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle, ready to score.

    `golden` holds raw feature columns followed by the prediction columns that these rows must give;
    `threshold` is what the graph decides with, None where the task has none, `groups` what it decides some
    groups with instead, None where all are decided for alike.
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
    groups: GroupThresholds | None = None

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
        return self.score_columns(len(records), self.check_records(records))

    def check_records(self, records: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
        """Return the checked values of records by column, as `score_columns` takes them.

        Raises
        ------
        DataError
            With every mistake of every record, keyed `records[0].age`.
        """
        decoded = self._decoder.decode_all(records)
        return {name: [record[name] for record in decoded] for name in self._features}

    def score_columns(self, n_rows: int, columns: Mapping[str, Sequence[object]]) -> Scores:
        """Score checked values by column, as `check_records` or `engine.data.compiled.Compiled` gives them.

        Raises
        ------
        EngineError
            If the graph gives a value that is not finite.
        """
        return self._scorer.score_columns(n_rows, columns)

    def edges(self, frame: pl.DataFrame) -> Array | float | None:
        """Return what each of n checked rows is decided with: one number for all, or shape (n,)."""
        return self.threshold if self.groups is None else self.groups.of(frame)

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
    scorer = Scorer(artifact, schema_columns=schema.features, kind=target.kind, threads=threads)
    if scorer.n_outputs != target.n_outputs:
        what = f"the model has {scorer.n_outputs} answers a row, and its target {target.n_outputs}"
        raise BundleError.of(what, file=str(folder / "schema.json"))
    data = _read_data(folder, contract)
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
        reference=_read_reference(folder, files["reference.json"]),
        _task=task,
        _scorer=scorer,
        _decoder=Decoder(schema, null_texts=null_texts(data)),
        groups=read_groups(contract, schema, folder),
    )


def load_deployable(folder: Path, *, threads: int = 1, within_s: float = math.inf) -> Bundle:
    """Load a bundle that may be packaged and served: verified, its gates met, its golden rows as stored.

    Parameters
    ----------
    within_s
        How long a request may take, and so its golden rows.

    Raises
    ------
    BundleError
        If a file was changed, or a golden row is not predicted as stored, or all of them not in time.
    GateError
        If its gates were missed.
    """
    bundle = load_bundle(folder, threads=threads)
    bundle.require_passed()
    started = perf_counter()
    if not bundle.golden.height:
        raise BundleError.of(
            "there is no golden row to prove the bundle by", file=str(folder / "golden.parquet")
        )
    bundle.replay_golden()
    seconds = perf_counter() - started
    if seconds > within_s:
        what = f"its golden rows take {seconds:.1f} s, more than the {within_s:g} s of a request"
        raise BundleError.of(what, file=str(folder))
    return bundle


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
    if swells(content):
        raise BundleError.of("this file unpacks to far more than it is", file=path)
    try:
        golden = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as exc:
        raise BundleError.of(f"this file is no Parquet: {exc}", file=path) from None
    for column in schema.features:
        if column.name not in golden.columns:
            raise BundleError.of("the golden rows lack this feature", key=column.name, file=path)
        if (dtype := golden[column.name].dtype) != dtypes()[column.storage]:
            what = f"the golden rows hold {dtype}, and the feature is {column.storage}"
            raise BundleError.of(what, key=column.name, file=path)
    return golden


def _read_reference(folder: Path, content: bytes) -> Mapping[str, object]:
    path = str(folder / "reference.json")
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError) as exc:
        raise BundleError.of(f"this file can't be read: {exc}", file=path) from None
    if not isinstance(found, dict):
        raise BundleError.of("this file is no JSON object", file=path)
    return found


def _read_data(folder: Path, contract: Contract) -> DataSpec:
    try:
        return DataSpec(path="-", **msgspec.structs.asdict(contract.data))
    except ValidationError as exc:
        error = exc.errors()[0]
        what = f"the text of the data is not told in a known way: {error['msg']}"
        raise BundleError.of(what, key=str(error["loc"][0]), file=str(folder / "schema.json")) from None


def _agree(given: pl.DataFrame, stored: pl.DataFrame, bundle: Bundle) -> None:
    path = str(bundle.folder / "golden.parquet")
    if given.columns != stored.columns:
        raise BundleError.of(
            f"the model gives the columns {given.columns}, stored are {stored.columns}", file=path
        )
    for name in stored.columns:
        if stored[name].dtype != given[name].dtype:
            what = f"the golden rows hold {stored[name].dtype}, and the model answers {given[name].dtype}"
            raise BundleError.of(what, key=name, file=path)
        if given[name].dtype.is_float():
            # By the column's scale, as the graph was held against the library: float32 sums have that error.
            allowed = bundle.tolerance * max(1.0, float(np.abs(stored[name].to_numpy()).max(initial=0.0)))
            differs = ((given[name] - stored[name]).abs() <= allowed).not_().fill_null(value=True)
        else:
            differs = given[name].ne_missing(stored[name])
        rows = differs.arg_true().to_list()
        if rows:
            counted = f"{len(rows)} of {stored.height} golden rows"
            raise BundleError.of(
                f"{counted} are not predicted as stored, first row {rows[0] + 1}", key=name, file=path
            )

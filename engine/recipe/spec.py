"""The spec: a composed recipe with types, frozen, every key known.

Says what a recipe may hold and nothing about what is done with it. Defaults are in `conf/`, none here: a
composed recipe is complete.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr
from pydantic_core import PydanticCustomError

from engine.recipe.places import Places
from engine.recipe.text import KeyPath, Plain

Scalar = bool | int | float | str
ColumnType = Literal["integer", "number", "boolean", "category", "text", "datetime", "image"]
Role = Literal["feature", "target", "ignore", "id", "group", "time", "weight"]
SplitKind = Literal["random", "stratified", "group", "time", "kfold"]
Fraction = Annotated[float, Field(ge=0, lt=1)]


def _as_version(value: object) -> object:
    """Refuse what equals 1 without being the number 1."""
    if isinstance(value, bool | float):
        raise PydanticCustomError("literal_error", "Input should be 1", {"expected": "1"})
    return value


def _as_tuple(value: object) -> object:
    """Take one name or a list of them."""
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


class Gate(_Strict):
    """A bound on one metric; `by` names the columns whose groups are compared."""

    min: float | None = None
    max: float | None = None
    by: Annotated[tuple[str, ...], BeforeValidator(_as_tuple)] = ()


class Value(_Strict):
    """What each outcome of a binary decision is worth, in `currency` a case."""

    true_positive: float = 0.0
    false_positive: float = 0.0
    true_negative: float = 0.0
    false_negative: float = 0.0
    currency: str


class Goal(_Strict):
    """What the model is for and what it must reach."""

    statement: str
    metric: str
    gates: dict[str, Gate] | None
    value: Value | None


class TaskSpec(_Strict):
    """The kind of task; further keys belong to the task's own module, which checks them."""

    model_config = ConfigDict(extra="allow")

    kind: str
    metric: str


class DataSpec(_Strict):
    """Where the table is and how its text is read; all but `path` and `format` matters for CSV only."""

    path: str
    format: Literal["auto", "csv", "parquet"]
    delimiter: Annotated[str, Field(min_length=1, max_length=1)]
    decimal: Literal[".", ","]
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"]
    null_values: tuple[str, ...]


class ColumnSpec(_Strict):
    """One column of the table: its type, its role, and what its values may be."""

    type: ColumnType
    role: Role | None = None
    nullable: bool = False
    min: float | str | None = None
    max: float | str | None = None
    values: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    unique: bool = False
    max_length: int | None = None
    sensitive: bool = False
    pii: bool = False
    units: str = ""
    description: str = ""


class SchemaSpec(_Strict):
    """The table's contract: its target and all its columns."""

    target: str
    positive: Scalar | None
    missing_target: Literal["error", "drop"]
    extra: Literal["error", "ignore"]
    columns: dict[str, ColumnSpec]


class SplitSpec(_Strict):
    """How rows become train, validation and test; fractions are of all rows."""

    kind: SplitKind
    test: Fraction
    validation: Fraction
    folds: Annotated[int, Field(ge=2)] | None
    ignore_structure: bool


class ModelSpec(_Strict):
    """A family and its parameters, named as the library names them."""

    family: str
    estimator: str | None = None
    params: dict[str, Scalar | tuple[Scalar, ...] | dict[str, Scalar] | None]
    space: dict[str, str]


class TuneSpec(_Strict):
    """How parameters are searched."""

    kind: Literal["none"]


class EvaluationSpec(_Strict):
    """How deep the judgement goes."""

    depth: str
    baselines: bool
    bootstrap: Annotated[int, Field(ge=0)]
    confidence: Annotated[float, Field(gt=0, lt=1)]
    pictures: bool
    latency_rows: Annotated[int, Field(ge=1)]
    train_rows: Annotated[int, Field(ge=1)]


class DeploySpec(_Strict):
    """Where a bundle goes."""

    kind: str
    golden_rows: Annotated[int, Field(ge=1)]
    max_records: Annotated[int, Field(ge=1)]
    max_body_mib: Annotated[float, Field(gt=0)]
    timeout_s: Annotated[float, Field(gt=0)]


class ComputeSpec(_Strict):
    """What the run may use; `max_iterations` caps trees and epochs, for a fast look."""

    device: Literal["cpu", "cuda"]
    threads: Annotated[int, Field(ge=1)] | None
    max_iterations: Annotated[int, Field(ge=1)] | None
    parallel_runs: Annotated[int, Field(ge=1)] | None


class TrackingSpec(_Strict):
    """Where metrics are reported besides the run folder."""

    kind: Literal["none"]


class Spec(_Strict):
    """A whole recipe, typed and frozen."""

    recipe_version: Annotated[Literal[1], BeforeValidator(_as_version)]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    goal: Goal
    task: TaskSpec
    data: DataSpec
    schema_: SchemaSpec = Field(alias="schema")
    split: SplitSpec
    model: ModelSpec
    tune: TuneSpec
    evaluation: EvaluationSpec
    deploy: DeploySpec
    compute: ComputeSpec
    tracking: TrackingSpec
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    runs: str

    _stored: dict[str, Plain] | None = PrivateAttr(default=None)
    _from_environment: frozenset[KeyPath] = PrivateAttr(default=frozenset())
    _places: Places = PrivateAttr(default=Places(()))
    _path: Path | None = PrivateAttr(default=None)

    def remember(
        self,
        *,
        stored: dict[str, Plain],
        from_environment: frozenset[KeyPath],
        places: Places,
        path: Path,
    ) -> None:
        """Keep what composition knows: the form that may be stored, and where each key stands."""
        self._stored, self._from_environment = stored, from_environment
        self._places, self._path = places, path

    @property
    def from_environment(self) -> frozenset[KeyPath]:
        """The keys whose values, whole or in part, the environment gave."""
        return self._from_environment

    @property
    def places(self) -> Places:
        """Where each key was written."""
        return self._places

    def to_plain(self) -> dict[str, Plain]:
        """Return the composed recipe as plain values that read back to this recipe.

        Each `${oc.env:…}` is left standing, and a `${` that is plain text is escaped.
        """
        if self._stored is not None:
            return copy.deepcopy(self._stored)
        plain: dict[str, Plain] = json.loads(self.model_dump_json(by_alias=True, exclude_unset=True))
        return plain

    def canonical(self) -> str:
        """Return the one JSON text that stands for this recipe, wherever its files lie.

        The data's place and the runs' place are left out: what was read has a hash of its own. How many
        runs go side by side changes none of them.
        """
        plain = self.to_plain()
        plain.pop("runs", None)
        data = plain.get("data")
        if isinstance(data, dict):
            data.pop("path", None)
        compute = plain.get("compute")
        if isinstance(compute, dict):
            compute.pop("parallel_runs", None)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        """Return the recipe's identity: the SHA-256 of its canonical JSON, in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def data_path(self) -> Path:
        """Return where the table is; composition has made the path absolute."""
        return Path(self.data.path)

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

from pydantic import BeforeValidator, ConfigDict, Field, PrivateAttr

from engine.recipe.places import Places
from engine.recipe.spec_governance import GovernanceSpec
from engine.recipe.spec_kubernetes import KubernetesSpec
from engine.recipe.spec_model import ModelSpec, TuneSpec
from engine.recipe.spec_table import (
    DataSpec,
    SchemaSpec,
    SplitSpec,
)
from engine.recipe.spec_value import Value
from engine.recipe.strict import BELOW, MAX_ROWS_HELD, MAX_S_HELD, SAID, Strict, as_tuple
from engine.recipe.text import KeyPath, Plain

# One column, or several that are crossed.
Slicing = Annotated[tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...])]


class Gate(Strict):
    """A bound on one metric; `by` names the columns whose groups are compared."""

    min: float | None = Field(None, description="the least value that passes", examples=[0.92])
    max: float | None = Field(None, description="the largest value that passes", examples=[5])
    by: Annotated[
        tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...])
    ] = Field(
        (), description="columns whose groups are compared, for the metrics of fairness", examples=["sex"]
    )


class Goal(Strict):
    """What the model is for and what it must reach."""

    statement: str = Field(
        description="what the model is for, in one sentence; it stands in the report and the card",
        examples=["Offer the premium plan to people who can afford it"],
    )
    metric: str = Field(
        description="what tuning and selection optimise; whether high or low is better is the metric's own",
        examples=["roc_auc"],
    )
    gates: dict[str, Gate] | None = Field(
        description="bounds on metrics of the test rows; a run that misses one can't be packaged",
        examples=[{"roc_auc": {"min": 0.92}, "latency_p95_ms": {"max": 5}}],
    )
    value: Value | None = Field(
        description="what each outcome of a yes-or-no decision is worth; gives the metric 'profit'",
        examples=[{"true_positive": 50, "false_positive": -10, "currency": "EUR"}],
    )
    interpretable: bool = Field(
        description="whether only models are allowed that a person can read whole: linear ones, and trees of "
        "at most 5 questions a row",
        examples=[True],
    )


class TaskSpec(Strict):
    """The kind of task; further keys belong to the task's own module, which checks them."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(
        description="what is predicted; `task: NAME` in defaults sets it", examples=["regression"]
    )
    metric: str = Field(
        description="the metric that goal.metric takes when it says none", examples=["log_loss"]
    )


class EvaluationSpec(Strict):
    """How deep the judgement goes."""

    depth: str = Field(description="what this judgement is called in the report", examples=["standard"])
    baselines: bool = Field(
        description="whether a constant and a linear model are fitted, to compare with", examples=[False]
    )
    bootstrap: int = Field(
        ge=0, description="resamples of the test rows behind each interval; 0: no intervals", examples=[1000]
    )
    confidence: float = Field(gt=0, lt=1, description="the confidence of the intervals", examples=[0.9])
    pictures: bool = Field(description="whether figures are drawn", examples=[False])
    latency_rows: int = Field(
        ge=1, description="test rows asked one by one to measure latency", examples=[1000]
    )
    train_rows: int = Field(
        ge=1, description="the most training rows that are scored, drawn at random", examples=[10000]
    )
    importance_rows: int = Field(
        ge=0,
        description="the most test rows on which each column is shuffled, to see what the score loses; "
        "0: none",
        examples=[2000],
    )
    explain_rows: int = Field(
        ge=0,
        description="the most test rows on which is studied what each column adds to the answer, and what "
        "the answer depends on; 0: none",
        examples=[1000],
    )
    learning_curve: Annotated[tuple[Annotated[float, Field(gt=0, lt=1)], ...], BeforeValidator(as_tuple)] = (
        Field(
            description="shares of the training rows on which the model is fitted too, to see whether more "
            "rows would help; none: it is not",
            examples=[[0.1, 0.3]],
        )
    )
    robustness_rows: int = Field(
        ge=0,
        description="the most test rows that are disturbed, to see how far the score falls; 0: none",
        examples=[2000],
    )
    slices: Annotated[
        tuple[Slicing, ...],
        BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str | tuple[str, ...], ...]),
    ] = Field(
        description="columns on whose values the test rows are judged apart, a list of columns being "
        "crossed; numbers are cut at their quartiles",
        examples=[["sex", ["sex", "race"]]],
    )


class CacheSpec(Strict):
    """What the service remembers of the rows that it scored."""

    entries: int = Field(
        ge=1,
        le=MAX_ROWS_HELD,
        description="the most rows whose answers are kept; those asked for last",
        examples=[100000],
    )
    ttl_s: float = Field(
        gt=0, description="seconds after which a row that is asked for again is scored anew", examples=[300]
    )


class LogSpec(Strict):
    """Which requests the service writes down."""

    folder: str = Field(
        pattern=BELOW,
        json_schema_extra={SAID: "a path below the working directory, with no hidden part"},
        description="where, below the folder that the service is started in; engine serve --log DIR says "
        "another place",
        examples=["log"],
    )
    share: float = Field(
        gt=0, le=1, description="which share of the requests, by a hash of their ids", examples=[0.1]
    )
    max_rows: int = Field(ge=1, le=MAX_ROWS_HELD, description="rows that make a file", examples=[100000])
    max_s: float = Field(
        gt=0, le=MAX_S_HELD, description="seconds that a row waits for its file at most", examples=[60]
    )


class DeploySpec(Strict):
    """Where a bundle goes."""

    kind: str = Field(description="how it is served; `deploy: NAME` in defaults sets it", examples=["bento"])
    golden_rows: int = Field(
        ge=1, description="rows kept with the answers that they must give wherever it goes", examples=[128]
    )
    max_records: int = Field(ge=1, description="the most records in one request", examples=[1000])
    max_body_mib: float = Field(gt=0, description="the largest body of a request, in MiB", examples=[4])
    timeout_s: float = Field(gt=0, description="seconds to send a body, and to answer it", examples=[2.5])
    max_concurrent: int = Field(
        ge=1,
        description="large requests scored side by side; those beyond are answered 429 at once",
        examples=[16],
    )
    abstain_below: Annotated[float, Field(gt=0, le=1)] | None = Field(
        description="no prediction is given where the likeliest class has a lower probability than this; "
        "null: one is always given",
        examples=[0.7],
    )
    pipeline: Literal["front", "inside"] = Field(
        description="where POST /predict is answered: front: in front of BentoML's own pipeline, with "
        "safeguards and metrics of our own, at half the cost; inside: within it, by its public API alone",
        examples=["inside"],
    )
    batching: Literal["auto", "always", "never"] = Field(
        description="whether the rows of requests that wait while the model is at work are scored together, "
        "by no timer: auto: where a row takes longer than half a millisecond. Sums in float32 then differ in "
        "their last digits with what else is in the batch",
        examples=["always"],
    )
    cache: CacheSpec | None = Field(
        description="answers kept for rows of small requests that come again, as long as the same bundle "
        "serves; null: none",
        examples=[{"entries": 100000, "ttl_s": 300}],
    )
    log: LogSpec | None = Field(
        description="answered requests, for watching the model: inputs that are neither sensitive nor "
        "personal, answers and seconds, as Parquet; what comes too fast is dropped and counted; null: none",
        examples=[{"folder": "log", "share": 1.0, "max_rows": 100000, "max_s": 60}],
    )
    kubernetes: KubernetesSpec | None = Field(
        description="how the Bento runs on a cluster, which `deploy: kubernetes` writes manifests for; null: "
        "on none",
        examples=[{"registry": "registry.example.com/models", "min_replicas": 2, "max_replicas": 8}],
    )


class ComputeSpec(Strict):
    """What the run may use; `max_iterations` caps trees and epochs, for a fast look."""

    device: Literal["cpu", "cuda"] = Field(
        description="what trains the families that can use more than the processor", examples=["cuda"]
    )
    threads: Annotated[int, Field(ge=1)] | None = Field(
        description="threads of one fit; null: as many as there are cores", examples=[4]
    )
    max_iterations: Annotated[int, Field(ge=1)] | None = Field(
        description="the most trees or epochs, for a fast look; null: as the model says", examples=[20]
    )
    memory_mib: Annotated[int, Field(ge=1)] | None = Field(
        description="the most MiB that a run should take: rows of a table for which that is too little stay "
        "on disk, for the families that learn from blocks of rows; null: all rows are in memory",
        examples=[4096],
    )
    parallel_runs: Annotated[int, Field(ge=1)] | None = Field(
        description="runs of a multirun side by side; null: as many as there are cores", examples=[2]
    )
    executor: Literal["auto", "local", "ray"] = Field(
        description="where the trials of a search run, with the same outcomes: local: one after the other; "
        "ray: side by side; auto: on Ray where that is clearly sooner done, or an address is given. With "
        "ray also Parquet that is larger than memory_mib is read, and its rows are prepared, by Ray Data",
        examples=["ray"],
    )
    address: str | None = Field(
        description="a Ray cluster that runs already, as host:port; null: one for the search, on loopback",
        examples=["10.0.0.7:6379"],
    )


class TrackingSpec(Strict):
    """Where metrics are reported besides the run folder."""

    kind: Literal["none"] = Field(description="none: nowhere but in the run folder", examples=["none"])


class Spec(Strict):
    """A whole recipe, typed and frozen."""

    recipe_version: int = Field(
        ge=1, description="the version of the recipe language in which it is written", examples=[1]
    )
    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        description="the recipe's name, and the folder of its runs: letters, digits, dot, dash, underscore",
        examples=["churn"],
    )
    goal: Goal = Field(description="what the model is for and what it must reach")
    governance: GovernanceSpec | None = Field(
        description="who answers for the model, and its class of risk by the EU's AI Act; null: nobody says",
        examples=[
            {
                "purpose": "choose whom to offer the premium plan",
                "risk_class": "minimal",
                "risk_reason": "sets no price and denies no service",
                "owners": ["growth@example.com"],
            }
        ],
    )
    task: TaskSpec = Field(description="what kind of thing is predicted")
    data: DataSpec = Field(description="where the table is and how it is read")
    schema_: SchemaSpec = Field(
        alias="schema", description="the table's contract: its columns and the one to predict"
    )
    split: SplitSpec = Field(description="which rows train, validate and test")
    model: ModelSpec = Field(description="the kind of model and its parameters")
    tune: TuneSpec = Field(description="how parameters are searched")
    evaluation: EvaluationSpec = Field(description="how deep the judgement goes")
    deploy: DeploySpec = Field(description="how the model is served, and within which limits")
    compute: ComputeSpec = Field(description="what a run may use of the machine")
    tracking: TrackingSpec = Field(description="where metrics are reported besides the run folder")
    seed: int = Field(ge=0, lt=2**32, description="decides every random choice", examples=[7])
    runs: str = Field(
        description="where run folders are written, relative to the working directory", examples=["runs"]
    )

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

    def model_post_init(self, context: object, /) -> None:
        """Tell the data the seed by which a sample of it is drawn."""
        super().model_post_init(context)
        # A draft of a recipe may lack either.
        if isinstance(getattr(self, "data", None), DataSpec):
            self.data._seed = getattr(self, "seed", 0)  # noqa: SLF001 (of this module)

    def with_model(self, model: ModelSpec) -> Spec:
        """Return the same recipe with the model that its search chose; what is stored stays the search."""
        return self.model_copy(update={"model": model})

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

        Where tables lie, their version and the runs' place are left out: what was read has a hash of its own.
        How many runs go side by side changes none of them, nor where the trials of a search run.
        """
        plain = self.to_plain()
        plain.pop("runs", None)
        data = plain.get("data")
        if isinstance(data, dict):
            joins = data.get("join")
            tables = [data, *(joins if isinstance(joins, list) else [])]
            for table in tables:
                if isinstance(table, dict):
                    table.pop("path", None)
                    table.pop("version", None)
        compute = plain.get("compute")
        if isinstance(compute, dict):
            for name in ("parallel_runs", "executor", "address"):
                compute.pop(name, None)
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        """Return the recipe's identity: the SHA-256 of its canonical JSON, in hex."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()

    def data_path(self) -> Path:
        """Return where the table is; composition has made the path absolute."""
        return Path(self.data.path)

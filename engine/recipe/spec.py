"""The spec: a composed recipe with types, frozen, every key known.

Says what a recipe may hold and nothing about what is done with it. Defaults are in `conf/`, none here: a
composed recipe is complete.
"""

from __future__ import annotations

import copy
import hashlib
import json
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr

from engine.recipe.places import Places
from engine.recipe.text import KeyPath, Plain
from engine.recipe.urls import is_remote, password_in, without_password
from engine.redaction import keep_secret

Scalar = bool | int | float | str
ColumnType = Literal["integer", "number", "boolean", "category", "text", "datetime", "image"]
Role = Literal["feature", "target", "ignore", "id", "group", "time", "weight", "part"]
SplitKind = Literal[
    "random", "stratified", "group", "time", "kfold", "stratified_group", "purged", "predefined"
]
DataFormat = Literal["auto", "arrow", "csv", "delta", "ndjson", "parquet", "sql"]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Impute = Literal["median", "mean"] | float
Scale = Literal["none", "standard", "minmax", "robust", "log", "quantile"]
Encode = Literal["codes", "onehot", "target", "cyclic", "tfidf", "hashing"]
Unseen = Literal["other", "error"]
Balance = Literal["weights", "under", "over"]


def _as_tuple(value: object) -> object:
    """Take one name or a list of them."""
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


class Gate(_Strict):
    """A bound on one metric; `by` names the columns whose groups are compared."""

    min: float | None = Field(None, description="the least value that passes", examples=[0.92])
    max: float | None = Field(None, description="the largest value that passes", examples=[5])
    by: Annotated[
        tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])
    ] = Field(
        (), description="columns whose groups are compared, for the metrics of fairness", examples=["sex"]
    )


class Value(_Strict):
    """What each outcome of a binary decision is worth, in `currency` a case."""

    true_positive: float = Field(0.0, description="worth of a positive case decided positive", examples=[50])
    false_positive: float = Field(0.0, description="worth of a negative case decided positive", examples=[-9])
    true_negative: float = Field(0.0, description="worth of a negative case decided negative", examples=[0])
    false_negative: float = Field(0.0, description="worth of a positive case decided negative", examples=[-5])
    currency: str = Field(description="what the values are counted in", examples=["EUR"])


class Goal(_Strict):
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


class TaskSpec(_Strict):
    """The kind of task; further keys belong to the task's own module, which checks them."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(
        description="what is predicted; `task: NAME` in defaults sets it", examples=["regression"]
    )
    metric: str = Field(
        description="the metric that goal.metric takes when it says none", examples=["log_loss"]
    )


class _Placed(_Strict):
    """A table that has a place, which the environment may have given."""

    path: str

    _reference: tuple[str, str] | None = PrivateAttr(default=None)

    def at(self, path: str | Path, *, reference: str | None) -> Self:
        """Return the same with its path absolute; `reference` stands for a path that the environment gave."""
        placed = self.model_copy(update={"path": str(path)})
        placed._reference = (placed.path, reference) if reference is not None else None  # noqa: SLF001 (its own)
        return placed

    @property
    def reference(self) -> str | None:
        """What messages and files show in the place of a path that the environment gave; else None."""
        return self._reference[1] if self._reference is not None and self._reference[0] == self.path else None

    @property
    def shown(self) -> str:
        """The path as it may be shown."""
        return self.path if self.reference is None else self.reference


class JoinTimeSpec(_Strict):
    """Which columns say when: of the rows of the joined table the latest counts that is not later."""

    left: str = Field(
        description="the column of the table's own rows that says when", examples=["applied_at"]
    )
    right: str = Field(
        description="the column of the joined table that says since when a row of it holds",
        examples=["known_since"],
    )


class JoinSpec(_Placed):
    """A second table of which each row of the first takes the columns of one row, or nulls."""

    path: str = Field(
        description="the joined table, relative to the recipe or the working directory",
        examples=["data/customers.parquet"],
    )
    format: DataFormat = Field("auto", description="how it is read, as data.format says", examples=["csv"])
    table: str | None = Field(
        None, description="sql: the table or view, as data.table says", examples=["customers"]
    )
    version: Annotated[int, Field(ge=0)] | str | None = Field(
        None, description="delta: the version, as data.version says", examples=[3]
    )
    on: Annotated[
        tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])
    ] = Field(
        min_length=1,
        description="columns of both tables that together name a row of the joined one",
        examples=["customer_id"],
    )
    time: JoinTimeSpec | None = Field(
        None,
        description="columns that say when: a row takes what was known then, and nothing later",
        examples=[{"left": "applied_at", "right": "known_since"}],
    )
    tolerance: str | None = Field(
        None,
        description="with time: how old a row of the joined table may be; null: as old as it is",
        examples=["30d"],
    )


class DataSpec(_Placed):
    """Where the table is and how it is read."""

    path: str = Field(
        description="the table, relative to the recipe or the working directory", examples=["data/adult.csv"]
    )
    format: DataFormat = Field(
        description="how the table is read; auto: by its suffix, else by how it begins", examples=["csv"]
    )
    delimiter: str = Field(
        min_length=1, max_length=1, description="csv: the character between two fields", examples=[";"]
    )
    decimal: Literal[".", ","] = Field(
        description="csv: what stands before the fraction of a number", examples=[","]
    )
    encoding: Literal["utf-8", "utf-16", "latin-1", "cp1252"] = Field(
        description="csv: how its bytes stand for characters", examples=["latin-1"]
    )
    null_values: tuple[str, ...] = Field(
        description="csv: texts that mean a missing value, besides an empty field", examples=[["?", "NA"]]
    )
    population: dict[str, dict[str, float]] | None = Field(
        None,
        description="what share of those that the model is for has each value of a column; the training rows "
        "are held against it",
        examples=[{"sex": {"Female": 0.51, "Male": 0.49}}],
    )
    table: str | None = Field(
        None,
        description="sql: the table or view, which may be SCHEMA.NAME; null: the only one there is",
        examples=["public.loans"],
    )
    version: Annotated[int, Field(ge=0)] | str | None = Field(
        None,
        description="delta: a version's number, or a moment, of which the latest version is read; null: the "
        "latest",
        examples=[3, "2026-01-31T12:00:00Z"],
    )
    join: tuple[JoinSpec, ...] | None = Field(
        None,
        description="tables whose columns are added by a key, each row once; null: none",
        examples=[[{"path": "data/customers.csv", "on": ["customer_id"]}]],
    )
    sample: Annotated[float, Field(gt=0, lt=1)] | Annotated[int, Field(ge=1)] | None = Field(
        None,
        description="a fraction of the rows, or a number of them, for a first look: drawn by the seed, by "
        "schema.key where there is one; null: all rows",
        examples=[0.1, 10000],
    )
    max_rows: Annotated[int, Field(ge=1)] | None = Field(
        None, description="the most rows that are read; null: no bound", examples=[1000000]
    )
    max_columns: Annotated[int, Field(ge=1)] | None = Field(
        None, description="the most columns that a table may have; null: no bound", examples=[10000]
    )
    max_mib: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="the most MiB that the rows may take in memory; null: what this machine has",
        examples=[4096],
    )

    _seed: int = PrivateAttr(default=0)

    @property
    def seed(self) -> int:
        """The recipe's seed, by which a sample is drawn."""
        return self._seed

    def elsewhere(self, path: str | Path) -> DataSpec:
        """Return how another table is read that the user names, of which no password is shown."""
        given = str(path)
        if not (is_remote(given) and (password := password_in(given))):
            return self.model_copy(update={"path": given})
        keep_secret(password, shown="…")
        return self.at(given, reference=without_password(given))

    def joined(self, join: JoinSpec) -> DataSpec:
        """Return how a joined table is read: where it says nothing, as this one is."""
        own = {"path": join.path, "format": join.format, "table": join.table, "version": join.version}
        data = self.model_copy(update={**own, "join": None, "sample": None})
        return data.at(join.path, reference=join.reference)


class ColumnSpec(_Strict):
    """One column of the table: its type, its role, and what its values may be."""

    type: ColumnType = Field(
        description="integer: whole numbers; number; boolean: true or false; category: one of some values; "
        "text: free text; datetime: ISO 8601 dates or times; image: paths of pictures. "
        "A text is a feature where encode says how; images are not features yet",
        examples=["number"],
    )
    role: Role | None = Field(
        None,
        description="feature (the default): the model sees it; target: predicted, as schema.target says; "
        "ignore: not used; id: names the row, and stands beside its prediction; group: its rows stay in one "
        "part; time: says which rows are the past; weight: how much a row counts; part: says train, "
        "validation or test of each row",
        examples=["id"],
    )
    nullable: bool = Field(False, description="whether a value may be missing", examples=[True])
    min: float | str | None = Field(
        None, description="the least value, of an integer, number or datetime", examples=[0]
    )
    max: float | str | None = Field(
        None, description="the largest value, of an integer, number or datetime", examples=["2030-12-31"]
    )
    values: tuple[Scalar, ...] | None = Field(
        None, description="all the values there may be", examples=[["Female", "Male"]]
    )
    pattern: str | None = Field(
        None,
        description="a regular expression that a whole text or category matches",
        examples=["[A-Z]{2}[0-9]+"],
    )
    unique: bool = Field(False, description="whether no value may stand twice", examples=[True])
    max_length: int | None = Field(
        None, description="the most characters of a text or category", examples=[200]
    )
    sensitive: bool = Field(
        False,
        description="whether it describes what people may not be judged by: its values stay out of messages, "
        "and the report compares its groups",
        examples=[True],
    )
    pii: bool = Field(
        False,
        description="whether it tells who a person is: its values stay out of messages",
        examples=[True],
    )
    impute: Impute | None = Field(
        None,
        description="what stands for a missing number: the training rows' median or mean, or a number; a 0/1 "
        "column marks where; null: the median where the family can't do without, else nothing",
        examples=["mean"],
    )
    scale: Scale | None = Field(
        None,
        description="how a number is scaled, by the training rows: standard, minmax, robust (median and "
        "quartiles); for long tails log (of 1 + its size, with its sign) or quantile (its place among them); "
        "null: standard where the family wants it, else none",
        examples=["log"],
    )
    encode: Encode | None = Field(
        None,
        description="how a column becomes numbers. Of a category: codes; onehot; target: the mean of the "
        "target where it stands, for training rows that of other folds. Of a datetime: cyclic: month, "
        "weekday, hour and day of the year as sine and cosine. Of a text: tfidf; hashing. null: as the "
        "family takes it",
        examples=["onehot"],
    )
    rare: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="levels of a category in fewer training rows count as unseen; below 1: a fraction",
        examples=[20],
    )
    unseen: Unseen | None = Field(
        None,
        description="what a level of a category is that training did not see, or too rarely: other: a level "
        "of its own; error: refused, in every part, file and request to come; null: missing",
        examples=["other"],
    )
    terms: Annotated[int, Field(ge=1, le=100_000)] | None = Field(
        None,
        description="how many words of a text become columns, the most frequent in training (tfidf), or how "
        "many buckets they are gathered in (hashing); null: 256",
        examples=[1000],
    )
    units: str = Field("", description="what a number counts, for people", examples=["years"])
    description: str = Field("", description="what the column holds, for people", examples=["age at entry"])


class SchemaSpec(_Strict):
    """The table's contract: its target and all its columns."""

    target: str = Field(description="the column to predict", examples=["income"])
    positive: Scalar | None = Field(
        description="of two classes the one that counts as positive, written as the data has it",
        examples=[">50K"],
    )
    missing_target: Literal["error", "drop"] = Field(
        description="rows whose target is missing: error stops the run, drop leaves them out and counts them",
        examples=["drop"],
    )
    key: Annotated[
        tuple[str, ...] | None,
        BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...] | None),
    ] = Field(
        description="columns that together name each row once: with them the order of the file's rows "
        "changes nothing; null: rows count in the order of the file",
        examples=["order_id"],
    )
    extra: Literal["error", "ignore"] = Field(
        description="a column that is in the data or in the schema, and not in both: error stops the run",
        examples=["ignore"],
    )
    columns: dict[str, ColumnSpec] = Field(
        description="every column of the table, by its name in the data",
        examples=[{"age": {"type": "integer", "min": 17, "units": "years"}}],
    )


class SplitSpec(_Strict):
    """How rows become train, validation and test; fractions are of all rows."""

    kind: SplitKind = Field(
        description="random; stratified: each part has the same mix of the target; group: no group is in two "
        "parts; time: the past trains, the future tests; kfold: a test part, and folds of the rest; "
        "stratified_group: groups stay whole and classes mixed; purged: folds over time that train on both "
        "sides; predefined: as the column with role part says",
        examples=["time"],
    )
    test: Fraction = Field(
        description="fraction of all rows that judges the model; predefined: what a plan reckons with",
        examples=[0.2],
    )
    validation: Fraction = Field(
        description="fraction of all rows that stops a fit early and sets the threshold; with folds: of a "
        "fold's training rows; predefined: what a plan reckons with",
        examples=[0.1],
    )
    folds: Annotated[int, Field(ge=2)] | None = Field(
        description="number of folds, for kfold, purged and stratified_group", examples=[5]
    )
    repeats: int = Field(
        ge=1, description="how often the rows are cut into folds, each time drawn anew", examples=[3]
    )
    gap: Annotated[float, Field(ge=0)] | str = Field(
        description="length of time left out before each later part: in w, d, h, m, s, or a number in the "
        "units of a time that is no datetime",
        examples=["7d"],
    )
    embargo: Annotated[float, Field(ge=0)] | str = Field(
        description="purged: length of time after the rows that are judged in which nothing trains",
        examples=["2d"],
    )
    ignore_structure: bool = Field(
        description="whether rows may be split at random although a time, group or part column is declared",
        examples=[True],
    )


class ModelSpec(_Strict):
    """A family and its parameters, named as the library names them."""

    family: str = Field(
        description="the kind of model; `model: NAME` in defaults sets it and its params",
        examples=["lightgbm"],
    )
    estimator: str | None = Field(
        None,
        description="for the family sklearn alone: the class of scikit-learn, by its name",
        examples=["ExtraTreesClassifier"],
    )
    # An option file of the user's own may say neither: the library's defaults are a whole model.
    params: dict[str, Scalar | tuple[Scalar, ...] | dict[str, Scalar] | None] = Field(
        {},
        description="the family's own parameters, by the names of its library",
        examples=[{"num_leaves": 63}],
    )
    balance: Balance | None = Field(
        None,
        description="what evens out classes of different size, in training rows alone: weights, under (fewer "
        "rows of the others), over (rows of the rare ones repeated); null: nothing",
        examples=["weights"],
    )
    space: dict[str, str] = Field(
        {},
        description="what tuning may try for each parameter, as sweeps of Hydra's grammar",
        examples=[{"learning_rate": "tag(log, interval(0.01, 0.3))"}],
    )


class TuneSpec(_Strict):
    """How parameters are searched."""

    kind: Literal["none", "grid", "random", "bayes", "asha", "pbt"] = Field(
        description="none: the params are taken as they are; grid: every combination of listed values; "
        "random: drawn from the space; bayes: drawn where trials before were good (TPE); asha: drawn at "
        "random, and stopped early where a trial is behind; pbt: a population trained side by side, in which "
        "the worst go on from the best with params a little changed",
        examples=["bayes"],
    )
    trials: Annotated[int, Field(ge=1)] | None = Field(
        description="the number of trials, the params as they stand being the first; null: all of a grid",
        examples=[60],
    )
    max_seconds: Annotated[float, Field(gt=0)] | None = Field(
        description="begin no trial after so many seconds; what is found then depends on the machine",
        examples=[600],
    )
    max_concurrent_trials: int = Field(
        ge=1,
        description="trials under way at once at most; what is proposed waits for all trials before these, "
        "however many cores there are, so that the result depends on none",
        examples=[1],
    )
    objective: Literal["validation", "folds"] = Field(
        description="the rows that score a trial: the validation part, or the folds of split kind kfold",
        examples=["folds"],
    )
    finalists: int = Field(ge=1, description="the best trials, of which repeats choose one", examples=[5])
    repeats: int = Field(
        ge=0,
        description="fits of each finalist with other seeds; the best mean wins; 0: the best trial",
        examples=[4],
    )
    reduction_factor: Annotated[int, Field(ge=2)] | None = Field(
        description="asha: of so many trials at a rung one goes on", examples=[4]
    )
    rungs: Annotated[int, Field(ge=1, le=10)] | None = Field(
        description="asha: how often a trial may be stopped; first after 1 / reduction_factor ** rungs of "
        "its rounds or epochs",
        examples=[2],
    )
    population: Annotated[int, Field(ge=2)] | None = Field(
        description="pbt: members; each trains one trial a generation, until there are `trials` of them",
        examples=[16],
    )
    interval: Annotated[int, Field(ge=1)] | None = Field(
        description="pbt: epochs of one generation; the model's own max_epochs and patience end nothing",
        examples=[2],
    )
    quantile: Annotated[float, Field(gt=0, le=0.5)] | None = Field(
        description="pbt: the share of members that take over weights and params, and of those they take "
        "them from",
        examples=[0.2],
    )
    perturbation: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(
        description="pbt: factors, by one of which a number that was taken over is multiplied",
        examples=[[0.5, 2.0]],
    )
    models: dict[str, ModelSpec] | tuple[str, ...] = Field(
        description="the options of model to search among; none: only the one that is chosen",
        examples=[["lightgbm", "xgboost"]],
    )
    space: dict[str, str] | None = Field(
        description="what is searched, in the place of the models' own space: sweeps in Hydra's grammar",
        examples=[{"learning_rate": "tag(log, interval(0.001, 0.3))"}],
    )


class EvaluationSpec(_Strict):
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


class DeploySpec(_Strict):
    """Where a bundle goes."""

    kind: str = Field(description="how it is served; `deploy: NAME` in defaults sets it", examples=["bento"])
    golden_rows: int = Field(
        ge=1, description="rows kept with the answers that they must give wherever it goes", examples=[128]
    )
    max_records: int = Field(ge=1, description="the most records in one request", examples=[1000])
    max_body_mib: float = Field(gt=0, description="the largest body of a request, in MiB", examples=[4])
    timeout_s: float = Field(gt=0, description="seconds to send a body, and to answer it", examples=[2.5])


class ComputeSpec(_Strict):
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
    parallel_runs: Annotated[int, Field(ge=1)] | None = Field(
        description="runs of a multirun side by side; null: as many as there are cores", examples=[2]
    )
    executor: Literal["auto", "local", "ray"] = Field(
        description="where the trials of a search run, with the same outcomes: local: one after the other; "
        "ray: side by side; auto: on Ray where that is clearly sooner done, or where an address is given",
        examples=["ray"],
    )
    address: str | None = Field(
        description="a Ray cluster that runs already, as host:port; null: one for the search, on loopback",
        examples=["10.0.0.7:6379"],
    )


class TrackingSpec(_Strict):
    """Where metrics are reported besides the run folder."""

    kind: Literal["none"] = Field(description="none: nowhere but in the run folder", examples=["none"])


class Spec(_Strict):
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

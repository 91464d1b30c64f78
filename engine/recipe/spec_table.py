"""The part of the spec that says where the table is, what stands in it, and how its rows are split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PrivateAttr

from engine.recipe.strict import Fraction, Scalar, Strict, as_tuple
from engine.recipe.urls import is_remote, password_in, without_password
from engine.redaction import keep_secret

ColumnType = Literal["integer", "number", "boolean", "category", "text", "datetime", "image"]
Role = Literal["feature", "target", "ignore", "id", "group", "time", "weight", "part", "value"]
SplitKind = Literal[
    "random", "stratified", "group", "time", "kfold", "stratified_group", "purged", "predefined"
]
DataFormat = Literal["auto", "arrow", "csv", "delta", "ndjson", "parquet", "sql"]
Impute = Literal["median", "mean"] | float
Scale = Literal["none", "standard", "minmax", "robust", "log", "quantile"]
Encode = Literal["codes", "onehot", "target", "cyclic", "tfidf", "hashing"]
Unseen = Literal["other", "error"]
Changes = Literal["free", "never", "up", "down"]


class _Placed(Strict):
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


class JoinTimeSpec(Strict):
    """Which columns say when: of the rows of the joined table the latest counts that is not later."""

    left: str = Field(
        description="the column of the table's own rows that says when", examples=["applied_at"]
    )
    right: str = Field(
        description="the column of the joined table that says since when a row of it holds",
        examples=["known_since"],
    )


def _as_names(value: object) -> object:
    """Leave a mapping as it is; a name alone is a list of one."""
    return value if isinstance(value, dict) else as_tuple(value)


class JoinSpec(_Placed):
    """A second table of which each row of the first takes the columns of one row, or nulls."""

    path: str = Field(
        min_length=1,
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
        tuple[str, ...] | dict[str, str],
        BeforeValidator(_as_names, json_schema_input_type=str | tuple[str, ...] | dict[str, str]),
    ] = Field(
        min_length=1,
        description="columns of both tables that together name a row of the joined one; where they are "
        "called otherwise there, the name here with the name there",
        examples=["customer_id", {"dest": "airport_code"}],
    )
    columns: (
        Annotated[
            tuple[str, ...] | dict[str, str],
            Field(min_length=1),
            BeforeValidator(_as_names, json_schema_input_type=str | tuple[str, ...] | dict[str, str]),
        ]
        | None
    ) = Field(
        None,
        description="the columns that it adds, or what they are called here with what they are called there; "
        "null: all but those of `on`",
        examples=[["city"], {"built": "year"}],
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

    @property
    def keys(self) -> dict[str, str]:
        """The columns by which rows are matched: the name here, the name there."""
        return _names(self.on)

    @property
    def added(self) -> dict[str, str] | None:
        """The columns that are added: the name here, the name there; None: all."""
        return None if self.columns is None else _names(self.columns)


def _names(said: tuple[str, ...] | dict[str, str]) -> dict[str, str]:
    return said if isinstance(said, dict) else {name: name for name in said}


class DataSpec(_Placed):
    """Where the table is and how it is read."""

    path: str = Field(
        min_length=1,
        description="the table, relative to the recipe or the working directory",
        examples=["data/adult.csv"],
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
        description="what share of those that the model is for has each value of a column, or of a number a "
        "value from one to below another; the training rows are held against it",
        examples=[{"sex": {"Female": 0.51, "Male": 0.49}, "age": {"..30": 0.4, "30..60": 0.4, "60..": 0.2}}],
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


class ColumnSpec(Strict):
    """One column of the table: its type, its role, and what its values may be."""

    type: ColumnType = Field(
        description="integer: whole numbers; number; boolean: true or false; category: one of some values; "
        "text: free text; datetime: dates or times, ISO 8601 or as format says; image: paths of pictures. "
        "A text is a feature where encode says how; images are not features yet",
        examples=["number"],
    )
    role: Role | None = Field(
        None,
        description="feature (the default): the model sees it; target: predicted, as schema.target says; "
        "ignore: not used; id: names the row, and stands beside its prediction; group: its rows stay in one "
        "part; time: says which rows are the past; weight: how much a row counts; part: says train, "
        "validation or test of each row; value: what goal.value names, asked of no service",
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
    format: str | None = Field(
        None,
        description="how a datetime is written, besides ISO 8601, which is read as well: a pattern of "
        "strptime, made of %Y %y %m %b %B %d %H %I %p %M %S, as %d/%m/%Y %H:%M for 24/12/2011 18:00",
        examples=["%d.%m.%Y"],
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
    changes: Changes | None = Field(
        None,
        description="how its value could have been another, for what engine explain says would have had to "
        "differ: free; never; up or down: a number or datetime could only be more, or less; null: never "
        "where it is sensitive or pii, else free",
        examples=["up"],
    )
    units: str = Field("", description="what a number counts, for people", examples=["years"])
    description: str = Field("", description="what the column holds, for people", examples=["age at entry"])


class SchemaSpec(Strict):
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
        BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...] | None),
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


class SplitSpec(Strict):
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

    @property
    def shares(self) -> tuple[float, float, float]:
        """The fractions of rows that train, validate and test, without folds."""
        return (1.0 - self.validation - self.test, self.validation, self.test)

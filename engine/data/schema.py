"""The table's contract as one frozen object, the same at training, in batch and in the service.

`declare` turns the recipe's words into it; `Table.schema` has every storage type resolved. Written to and
read from `schema.json` in the bundle. Rules on values are in `rules`, what a recipe may not declare in
`declared`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import msgspec

from engine.data.declared import check_schema
from engine.errors import DataError, RecipeError
from engine.recipe.spec_table import Changes, ColumnSpec, ColumnType, Encode, Impute, Role, Scale, Unseen
from engine.recipe.strict import Scalar

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

# How a column is held in a frame: exactly one polars dtype each (datetime: Datetime("us"), no time zone).
Storage = Literal["float64", "int64", "boolean", "string", "datetime"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is, how it is held, what its values may be."""

    name: str
    type: ColumnType
    role: Role
    storage: Storage
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
    impute: Impute | None = None
    scale: Scale | None = None
    encode: Encode | None = None
    rare: float | None = None
    unseen: Unseen | None = None
    terms: int | None = None
    changes: Changes | None = None
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """All declared columns in the recipe's order; what to do with others, and with rows without a target.

    `key` names the columns that together name a row, none where the rows count in the order of the file.
    """

    columns: tuple[Column, ...]
    positive: Scalar | None
    extra: Literal["error", "ignore"]
    missing_target: Literal["error", "drop"]
    key: tuple[str, ...] = ()

    @property
    def target(self) -> Column:
        """The column to predict."""
        return self.of_role("target")[0]

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns a model sees."""
        return self.of_role("feature")

    @property
    def ids(self) -> tuple[Column, ...]:
        """The columns that name a row and travel beside its prediction."""
        return self.of_role("id")

    def of_role(self, role: Role) -> tuple[Column, ...]:
        """Return the columns of one role, in order."""
        return tuple(column for column in self.columns if column.role == role)

    def reading(self, names: Iterable[str]) -> Schema:
        """Return the same contract with some columns among the features: who asks must give them too."""
        wanted = set(names)
        return replace(
            self,
            columns=tuple(
                replace(column, role="feature") if column.name in wanted else column
                for column in self.columns
            ),
        )

    def only(self, roles: Iterable[Role]) -> Schema:
        """Return the same contract for the columns of some roles."""
        wanted = set(roles)
        kept = tuple(column for column in self.columns if column.role in wanted)
        return replace(self, columns=kept)


def declare(spec: Spec) -> Schema:
    """Return the contract that a recipe declares.

    A category's storage is known when its `values` (or, for the target, `positive`) are all integers or all
    booleans; otherwise it is `string` until a table is read and resolves it.

    Raises
    ------
    RecipeError
        With every mistake of the recipe's `schema`, as `engine.data.declared.check_schema` finds them.
    """
    mistakes = check_schema(spec)
    if mistakes:
        raise RecipeError(mistakes)
    declared = spec.schema_
    columns = []
    for name, column in declared.columns.items():
        is_target = name == declared.target
        known = column.values or ((declared.positive,) if is_target and declared.positive is not None else ())
        given = column.model_dump(exclude={"type", "role"})
        role: Role = "target" if is_target else (column.role or "feature")
        columns.append(
            Column(name=name, type=column.type, role=role, storage=storage_of(column, known), **given)
        )
    return Schema(
        columns=tuple(columns),
        positive=declared.positive,
        extra=declared.extra,
        missing_target=declared.missing_target,
        key=declared.key or (),
    )


def storage_of(column: ColumnSpec, known: tuple[Scalar, ...]) -> Storage:
    """Return how a declared column is held; `known` are the values that the recipe names for it."""
    fixed: dict[ColumnType, Storage] = {
        "integer": "int64",
        "number": "float64",
        "boolean": "boolean",
        "datetime": "datetime",
    }
    if column.type != "category":
        return fixed.get(column.type, "string")
    kinds = {type(value) for value in known}
    return "boolean" if kinds == {bool} else "int64" if kinds == {int} else "string"


def to_json(schema: Schema) -> dict[str, object]:
    """Return the schema as plain JSON values, for `schema.json`."""
    return {"version": 1, **asdict(schema)}


def from_json(content: Mapping[str, object]) -> Schema:
    """Return the schema that `to_json` wrote, equal in every value and type.

    Raises
    ------
    DataError
        If `content` is not a schema of this version.
    """
    if content.get("version") != 1:
        raise DataError.of(f"schema version {content.get('version')!r} is not known", allowed=["1"])
    try:
        # A schema of an earlier engine names no key.
        found = {"key": (), **content}
        return msgspec.convert({field.name: found[field.name] for field in fields(Schema)}, Schema)
    except (msgspec.ValidationError, KeyError) as exc:
        raise DataError.of(f"this is not a schema: {exc}") from exc

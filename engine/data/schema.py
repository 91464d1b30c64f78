"""The table's contract as one frozen object, the same at training, in batch and in the service.

`declare` turns the recipe's words into it; `Table.schema` has every storage type resolved. Written to and read
from `schema.json` in the bundle. Checks themselves are in `check`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from engine.recipe.spec import ColumnType, Role, Scalar

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


@dataclass(frozen=True, slots=True)
class Schema:
    """All declared columns in the recipe's order, and what to do with others."""

    columns: tuple[Column, ...]
    positive: Scalar | None
    extra: Literal["error", "ignore"]

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

    def only(self, roles: Iterable[Role]) -> Schema:
        """Return the same contract for the columns of some roles."""
        wanted = set(roles)
        kept = tuple(column for column in self.columns if column.role in wanted)
        return Schema(columns=kept, positive=self.positive, extra=self.extra)

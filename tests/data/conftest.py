"""What the tests of this room share: whole specs from a few words, columns with their usual fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from engine.data.schema import Column, Schema
from engine.recipe.spec import Spec
from engine.recipe.spec_table import DataSpec

SpecOf = Callable[..., Spec]
ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]

_STORAGES = {"integer": "int64", "number": "float64", "boolean": "boolean", "datetime": "datetime"}


@pytest.fixture(scope="session")
def spec_of(make_spec: Callable[[Mapping[str, object]], Spec]) -> SpecOf:
    """Give a function from columns, target and split to a whole spec."""

    def build(
        columns: Mapping[str, object],
        *,
        target: str = "y",
        positive: object = None,
        split: Mapping[str, object] | None = None,
    ) -> Spec:
        return make_spec(
            {
                "name": "t",
                "goal.metric": "rmse",
                "task": {"kind": "regression", "metric": "rmse"},
                "data.path": "t.csv",
                "schema.target": target,
                "schema.positive": positive,
                "schema.columns": columns,
                "model": {"family": "ridge", "params": {}, "space": {}},
                **{f"split.{key}": value for key, value in (split or {}).items()},
            }
        )

    return build


@pytest.fixture(scope="session")
def column_of() -> ColumnOf:
    """Give a function from a name, a type and rules to a column; its storage follows from the type."""

    def build(name: str, type_: str, role: str = "feature", **rules: object) -> Column:
        storage = rules.pop("storage", _STORAGES.get(type_, "string"))
        return Column(name=name, type=type_, role=role, storage=storage, **rules)  # type: ignore[arg-type]

    return build


@pytest.fixture(scope="session")
def schema_of() -> SchemaOf:
    """Give a function from columns to a schema."""

    def build(*columns: Column, positive: object = None, extra: str = "error") -> Schema:
        return Schema(columns, positive, extra, "error")  # type: ignore[arg-type]

    return build


@pytest.fixture(scope="session")
def data_of() -> DataOf:
    """Give a function from a path, and keys of `data`, to how its text is read."""

    def build(path: object, **keys: object) -> DataSpec:
        usual = {
            "format": "auto",
            "delimiter": ",",
            "decimal": ".",
            "encoding": "utf-8",
            "null_values": (),
        }
        return DataSpec(path=str(path), **{**usual, **keys})

    return build


@pytest.fixture(scope="session")
def people(column_of: ColumnOf, schema_of: SchemaOf) -> Schema:
    """Give a contract with a column of each type."""
    return schema_of(
        column_of("age", "integer", min=17.0),
        column_of("pay", "number", nullable=True),
        column_of("glad", "boolean"),
        column_of("city", "category", nullable=True),
        column_of("code", "text", "id", unique=True),
        column_of("born", "datetime"),
        column_of("note", "text", "ignore"),
        column_of("y", "category", "target"),
    )

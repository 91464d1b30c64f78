"""The contract: declared from a recipe, written, read back, and handed to pandera."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.pandera_schema import to_pandera
from engine.data.schema import Column, Schema, declare, from_json, to_json
from engine.errors import DataError, RecipeError
from engine.recipe.spec import Spec

_scalars = st.one_of(
    st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False)
)
_bounds = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.text())
_columns = st.builds(
    Column,
    name=st.text(),
    type=st.sampled_from(["integer", "number", "boolean", "category", "text", "datetime", "image"]),
    role=st.sampled_from(["feature", "target", "ignore", "id", "group", "time", "weight"]),
    storage=st.sampled_from(["float64", "int64", "boolean", "string", "datetime"]),
    nullable=st.booleans(),
    min=_bounds,
    max=_bounds,
    values=st.one_of(st.none(), st.lists(st.one_of(_scalars, st.text())).map(tuple)),
    pattern=st.one_of(st.none(), st.text()),
    unique=st.booleans(),
    max_length=st.one_of(st.none(), st.integers(0, 2**40)),
    sensitive=st.booleans(),
    pii=st.booleans(),
    units=st.text(),
    description=st.text(),
)


@settings(deadline=None, max_examples=100)
@given(
    st.builds(
        Schema,
        columns=st.lists(_columns, max_size=4).map(tuple),
        positive=st.one_of(st.none(), _scalars, st.text()),
        extra=st.sampled_from(["error", "ignore"]),
    )
)
def test_a_schema_survives_its_json(schema: Schema) -> None:
    """What is written as JSON text comes back equal, each value of its own type."""
    back = from_json(json.loads(json.dumps(to_json(schema))))
    assert back == schema
    assert repr(back) == repr(schema)


@pytest.mark.parametrize("content", [{}, {"version": 2}, {"version": 1, "columns": 3}])
def test_what_is_no_schema_is_refused(content: dict[str, object]) -> None:
    """JSON of another version or shape is a data error."""
    with pytest.raises(DataError):
        from_json(content)


def test_the_schema_that_is_not_known_says_so() -> None:
    """The whole message of another version."""
    with pytest.raises(DataError) as caught:
        from_json({"version": 2})
    assert str(caught.value) == "schema version 2 is not known\n  allowed: 1"


@pytest.mark.parametrize(
    ("column", "positive", "storage"),
    [
        ({"type": "integer"}, None, "int64"),
        ({"type": "number"}, None, "float64"),
        ({"type": "boolean"}, None, "boolean"),
        ({"type": "datetime"}, None, "datetime"),
        ({"type": "text"}, None, "string"),
        ({"type": "category"}, None, "string"),
        ({"type": "category", "values": (1, 2)}, None, "int64"),
        ({"type": "category", "values": (True, False)}, None, "boolean"),
        ({"type": "category", "values": ("1", "2")}, None, "string"),
        ({"type": "category"}, 1, "int64"),
        ({"type": "category"}, True, "boolean"),
        ({"type": "category"}, "1", "string"),
    ],
)
def test_storage_follows_from_type_and_values(
    spec_of: Callable[..., Spec], column: dict[str, object], positive: object, storage: str
) -> None:
    """Each type has one storage; a category's follows from the values that the recipe names."""
    spec = spec_of({"x": {"type": "number"}, "y": column}, positive=positive)
    assert declare(spec).target.storage == storage


def test_the_target_gets_its_role(spec_of: Callable[..., Spec]) -> None:
    """The column named as target has the role target, others feature unless they say otherwise."""
    columns = {"x": {"type": "number"}, "k": {"type": "text", "role": "id"}, "y": {"type": "number"}}
    schema = declare(spec_of(columns))
    assert [(column.name, column.role) for column in schema.columns] == [
        ("x", "feature"),
        ("k", "id"),
        ("y", "target"),
    ]


def test_declaring_a_wrong_schema_raises_all_mistakes(spec_of: Callable[..., Spec]) -> None:
    """Every mistake comes in one recipe error."""
    columns = {"x": {"type": "text", "min": 3.0}, "z": {"type": "number", "min": 3.0, "max": 2.0}}
    with pytest.raises(RecipeError) as caught:
        declare(spec_of(columns, target="zz"))
    assert [message.key for message in caught.value.messages] == [
        "schema.target",
        "schema.columns.x.min",
        "schema.columns.z.min",
    ]


def test_pandera_gets_dtypes_and_leaves_ignored_columns_out(column_of: Callable[..., Column]) -> None:
    """The pandera schema has one column for each that a table holds, of the same dtype."""
    age = column_of("age", "integer", min=17.0)
    schema = Schema(
        columns=(age, replace(age, name="w", role="ignore")),
        positive=None,
        extra="error",
        missing_target="error",
    )
    found = to_pandera(schema)
    assert list(found.columns) == ["age"]
    assert found.columns["age"].dtype.type == pl.Int64

"""One hash for the same values: whatever the file, its format, its columns' order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest

from engine.data.fingerprint import content_sha256
from engine.data.schema import Column, Schema

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
FRAME = pl.DataFrame(
    {
        "n": [1.5, None, -0.0],
        "k": [1, 2, None],
        "b": [True, None, False],
        "s": ["ab", "", None],
        "t": [datetime(2024, 1, 1), None, datetime(1969, 1, 1)],  # noqa: DTZ001 (tables have no time zone)
    },
    schema_overrides={"t": pl.Datetime("us")},
)


@pytest.fixture
def schema(column_of: ColumnOf, schema_of: SchemaOf) -> Schema:
    """Give the schema of `FRAME`."""
    types = {"n": "number", "k": "integer", "b": "boolean", "s": "text", "t": "datetime"}
    return schema_of(*(column_of(name, type_) for name, type_ in types.items()))


def test_the_hash_is_frozen(schema: Schema) -> None:
    """The hash of a table is the same tomorrow and elsewhere: it stands in run folders."""
    assert content_sha256(FRAME, schema) == "8e50a074eec5e263d83b739a6af06b452a2736a5bafc3d0d3500b7addc02bca0"


def test_equal_values_are_equal(schema: Schema) -> None:
    """The columns' order, chunks, and the sign of 0 change nothing."""
    expected = content_sha256(FRAME, schema)
    assert content_sha256(FRAME.select(reversed(FRAME.columns)), schema) == expected
    chunked = pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)
    assert content_sha256(chunked, schema) == expected
    assert content_sha256(FRAME.with_columns(n=pl.Series([1.5, None, 0.0])), schema) == expected
    assert content_sha256(FRAME.with_columns(other=pl.lit(1)), schema) == expected


@pytest.mark.parametrize(
    "other",
    [
        FRAME.with_columns(n=pl.Series([1.5, 0.0, -0.0])),
        FRAME.with_columns(k=pl.Series([1, 2, 0])),
        FRAME.with_columns(b=pl.Series([True, False, False])),
        FRAME.with_columns(s=pl.Series(["a", "b", None])),
        FRAME.with_columns(s=pl.Series(["ab", None, None])),
        FRAME.with_columns(s=pl.Series(["ab", "", ""])),
        FRAME[::-1],
        FRAME[:2],
        FRAME.rename({"n": "m"}),
    ],
)
def test_other_values_differ(other: pl.DataFrame, schema: Schema) -> None:
    """A null is no 0, false or empty text; texts do not run into each other; rows count in their order."""
    assert content_sha256(other, schema) != content_sha256(FRAME, schema)

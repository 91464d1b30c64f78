"""The contract as a pandera schema, for those who want to hold a frame against it with pandera.

Our own check says the same rules as one lazy aggregate: importing pandera costs more than most checks do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from engine.data.rules import MOST, bound, rules_of
from engine.data.schema import Schema
from engine.data.storage import dtypes

if TYPE_CHECKING:
    import pandera.polars as pa


def to_pandera(schema: Schema) -> pa.DataFrameSchema:
    """Return the same rules as a pandera schema, for those who want to check a frame with pandera.

    Columns that are not held in a table (`role: ignore`) are left out, and so is the rule on the sum of the
    weights. On a frame that `read` gave, the other rules' counts of failing rows equal those of
    `engine.data.check`; a NaN, which `read` never leaves, pandera also
    counts against `max`.
    """
    import pandera.polars as pa

    columns = {}
    for column in schema.columns:
        if column.role == "ignore":
            continue
        own = {"finite": _finite, "magnitude": _within}
        checks = [pa.Check(own[rule.name], name=rule.name) for rule in rules_of(column) if rule.name in own]
        if column.min is not None:
            checks.append(pa.Check.ge(bound(column, column.min)))
        if column.max is not None:
            checks.append(pa.Check.le(bound(column, column.max)))
        if column.values is not None:
            checks.append(pa.Check.isin(list(column.values)))
        if column.pattern is not None:
            checks.append(pa.Check.str_matches(f"^(?:{column.pattern})$"))
        if column.max_length is not None:
            checks.append(pa.Check.str_length(max_value=column.max_length))
        if column.role == "weight":
            checks.append(pa.Check.ge(0))
        nullable = column.nullable and column.role != "weight"
        columns[column.name] = pa.Column(
            dtypes()[column.storage], checks=checks, nullable=nullable, unique=column.unique
        )
    return pa.DataFrameSchema(columns, strict=schema.extra == "error")


def _finite(data: pa.PolarsData) -> pl.LazyFrame:
    finite: pl.LazyFrame = data.lazyframe.select(~pl.col(data.key).is_infinite())
    return finite


def _within(data: pa.PolarsData) -> pl.LazyFrame:
    cell = pl.col(data.key)
    within: pl.LazyFrame = data.lazyframe.select((cell.abs() <= MOST) | ~cell.is_finite())
    return within

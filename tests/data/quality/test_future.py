"""Columns from the future of their row, by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from engine.data.quality.future import check_future
from engine.data.schema import Column, Schema

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]


def test_a_moment_after_the_rows_own_time(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A feature that lies after the time of its row was not known then, and is serious."""
    start = datetime(2024, 1, 1)  # noqa: DTZ001 (tables have no time zone)
    days = [start + timedelta(days=at) for at in range(100)]
    frame = pl.DataFrame(
        {"opened": days, "born": [start] * 100, "closed": [day + timedelta(days=3) for day in days]}
    )
    schema = schema_of(
        column_of("opened", "datetime", "time"),
        column_of("born", "datetime"),
        column_of("closed", "datetime"),
    )
    found = check_future(frame, schema, np.arange(100.0))
    assert [(one.severity, one.what) for one in found.findings] == [
        ("serious", "'closed' lies after 'opened' in 100 of 100 rows")
    ]
    assert found.measures == {"future_columns": 1}
    untimed = schema_of(column_of("opened", "datetime"), column_of("closed", "datetime"))
    assert check_future(frame, untimed, np.arange(100.0)).findings == ()


def test_the_target_of_a_later_row(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A column that holds the target of the next row is named, whatever the order of the file; the last is not."""
    rng = np.random.default_rng(0)
    y = rng.normal(0, 1, 200).cumsum()
    order = rng.permutation(200)
    frame = pl.DataFrame(
        {
            "day": np.arange(200),
            "next": np.append(y[1:], np.nan),
            "next_but_one": np.append(y[2:], [np.nan, np.nan]),
            "last": np.append(np.nan, y[:-1]),
        }
    )[order].fill_nan(None)
    schema = schema_of(
        column_of("day", "integer", "time"), *(column_of(name, "number") for name in frame.columns[1:])
    )
    found = check_future(frame, schema, y[order])
    assert [(one.severity, one.columns, one.evidence["n_rows_ahead"]) for one in found.findings] == [
        ("serious", ("next",), 1),
        ("serious", ("next_but_one",), 2),
    ]
    assert found.findings[0].what == "'next' is the target of one row later, in 100.0% of the rows"
    assert found.measures == {"future_columns": 2}
    # Of a target that stays as it is, a copy of the last one says nothing of the future.
    still = np.repeat([0.0, 1.0], 100)
    frame = pl.DataFrame({"day": np.arange(200), "last": np.append(0.0, still[:-1])})
    schema = schema_of(column_of("day", "integer", "time"), column_of("last", "number"))
    assert list(check_future(frame, schema, still).findings) == []

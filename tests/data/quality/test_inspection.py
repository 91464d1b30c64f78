"""All checks together, on tables that are odd, and on a large one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime

import numpy as np
import polars as pl
import pytest

from engine.data.profile import profile
from engine.data.quality.finding import DATA_MEANINGS, SEVERITIES, SHARES, Quality
from engine.data.quality.inspection import inspect
from engine.data.schema import Column, Schema
from engine.data.split import Parts
from engine.data.table import Source, Table

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
KINDS: dict[object, tuple[str, str]] = {
    pl.String: ("category", "string"),
    pl.Boolean: ("boolean", "boolean"),
    pl.Float64: ("number", "float64"),
    pl.Int64: ("integer", "int64"),
}


def look(
    frame: pl.DataFrame, schema: Schema, *, classes: tuple[str, ...] = ("n", "p"), seed: int = 0
) -> Quality:
    """Inspect a table whose column `y` is the target, in parts of 60, 20 and 20 percent."""
    n = frame.height
    order = np.random.default_rng(1).permutation(n)
    cuts = [np.sort(part) for part in np.split(order, [n * 6 // 10, n * 8 // 10])]
    parts = Parts(*cuts)
    table = Table(frame, schema, Source("t.csv", "csv", 0, ""))
    y = frame["y"].to_numpy() if not classes else (frame["y"] == "p").to_numpy().astype(np.int64)
    return inspect(
        table,
        parts=parts,
        y=y,
        classes=classes,
        profile=profile(table, parts=parts),
        population=None,
        in_time=False,
        seed=seed,
    )


def schema_for(frame: pl.DataFrame, column_of: ColumnOf, schema_of: SchemaOf, **types: str) -> Schema:
    """Return the schema of a frame, `y` its target."""
    columns = []
    for name, dtype in frame.schema.items():
        kind, storage = ("datetime", "datetime") if dtype.is_temporal() else KINDS[dtype.base_type()]
        role = "target" if name == "y" else "feature"
        columns.append(column_of(name, types.get(name, kind), role, storage=storage))
    return schema_of(*columns)


def odd(n: int, seed: int = 0) -> dict[str, object]:
    """Return columns of every storage, some empty, some constant, some with hardly a value."""
    rng = np.random.default_rng(seed)
    return {
        "empty": pl.Series([None] * n, dtype=pl.Float64),
        "empty_text": pl.Series([None] * n, dtype=pl.String),
        "constant": [1.0] * n,
        "one_value": [None] * (n - 1) + [2.0],
        "flag": pl.Series(rng.random(n) < 0.5),
        "code": rng.integers(-3, 3, n),
        "when": pl.Series([datetime(2020, 1, 1 + at % 28) for at in range(n)], dtype=pl.Datetime("us")),  # noqa: DTZ001
        "name": [f"somebody {at}" for at in range(n)],
        "size": rng.normal(0, 1, n),
    }


@pytest.mark.parametrize("n", [1, 2, 5, 30, 50, 400])
@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_odd_tables_are_looked_at(n: int, kind: str, column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Empty, constant and unique columns of every storage, in any number of rows; the JSON is plain."""
    rng = np.random.default_rng(2)
    y = rng.choice(["n", "p"], n).tolist() if kind == "classes" else rng.normal(0, 1, n).tolist()
    frame = pl.DataFrame({**odd(n), "y": y})
    schema = schema_for(frame, column_of, schema_of, code="category")
    found = look(frame, schema, classes=("n", "p") if kind == "classes" else ())
    assert set(found.measures) == set(DATA_MEANINGS)
    content = json.loads(json.dumps(found.to_json(), allow_nan=False))
    order = [SEVERITIES.index(finding["severity"]) for finding in content["findings"]]
    assert order == sorted(order)
    for name, value in content["measures"].items():
        assert value is None or value >= 0
        assert value is None or name not in SHARES or value <= 1
    assert content["measures"]["leakage"] == 0
    if n >= 5:
        assert content["measures"]["constant_columns"] >= 3
        assert content["measures"]["missing_values"] == 1


def test_a_large_table_is_sampled_and_says_so(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """The costly checks look at a bounded sample, the same for the same seed, and each says so."""
    n = 200_000
    rng = np.random.default_rng(0)
    size = rng.normal(0, 1, n)
    frame = pl.DataFrame({"size": size, "noise": rng.random(n), "y": np.where(size > 0.3, "p", "n").tolist()})
    schema = schema_for(frame, column_of, schema_of)
    found = look(frame, schema)
    assert found.sampled == (
        "shifts are looked for in 100,000 rows of each part",
        "leaks are looked for in 20,000 of 120,000 training rows",
        "wrong classes are looked for in 10,000 of 200,000 rows",
    )
    assert [finding.columns for finding in found.serious] == [("size",)]
    assert look(frame, schema).to_json() == found.to_json()


def test_nothing_of_what_may_not_be_shown(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """No value of a pii column, of a sensitive column in words, or of a sensitive target stands in the findings."""
    n = 300
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "who": [f"secret-{at}" for at in range(n)],
            "faith": rng.choice(["secret-a", "secret-b"], n, p=[0.97, 0.03]).tolist(),
            "size": rng.normal(0, 1, n),
            "y": rng.choice(["secret-n", "p"], n, p=[0.01, 0.99]).tolist(),
        }
    )
    schema = schema_of(
        column_of("who", "category", pii=True),
        column_of("faith", "category", sensitive=True),
        column_of("size", "number"),
        column_of("y", "category", "target", sensitive=True),
    )
    found = look(frame, schema, classes=("secret-n", "p"))
    assert found.findings
    assert all("secret" not in finding.what for finding in found.findings)
    named = {finding.check for finding in found.findings if "secret" in str(finding.evidence)}
    # The report compares the groups of a sensitive column, and the smallest is one of them.
    assert named == {"smallest_sensitive_group"}

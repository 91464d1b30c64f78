"""A table of every column type with a known truth, and its recipe: what the tests of whole runs use.

Tests reach it by the fixture `mixed` of `conftest.py`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

# Just before a leap day; a table's datetimes have no zone.
START = datetime(2020, 2, 28, 23)  # noqa: DTZ001
COLUMNS = """\
  columns:
    id: {type: integer, role: id}
    size: {type: number, nullable: true, min: -10, max: 10}
    count: {type: integer, min: 0}
    member: {type: boolean, nullable: true}
    city: {type: category, nullable: true}
    code: {type: category, values: [1, 2, 3]}
    since: {type: datetime, nullable: true}
    note: {type: text, role: ignore, nullable: true}
    outcome: {type: TARGET}
"""
HEADER = """\
defaults: [base, task: TASK, model: MODEL, compute: small, evaluation: quick, _self_]
name: mixed
data: {path: mixed.csv}
schema:
  target: outcome
"""


def frame(kind: str, *, n_rows: int = 600, seed: int = 0) -> pl.DataFrame:
    """Make the table; `kind` is binary, multiclass or continuous."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_rows).clip(-9, 9)
    count = rng.integers(0, 20, n_rows)
    city = rng.integers(0, 6, n_rows)
    member = rng.random(n_rows) < 0.5
    logit = 2 * size + 0.2 * count - 1.5 * (city == 2) + member - 2.5
    noise = rng.normal(size=n_rows)
    if kind == "continuous":
        outcome = pl.Series((logit + 0.3 * noise).round(6))
    elif kind == "binary":
        outcome = pl.Series(np.where(logit + noise > 0, "yes", "no"))
    else:
        outcome = pl.Series(np.array(["low", "middle", "top"])[np.digitize(logit + noise, [-1.0, 1.5])])
    table = pl.DataFrame(
        {
            "id": np.arange(n_rows),
            "size": size.round(6),
            "count": count,
            "member": member,
            "city": [f"city {c}" for c in city],
            "code": rng.integers(1, 4, n_rows),
            "since": [START + timedelta(hours=int(h)) for h in rng.integers(0, 9000, n_rows)],
            "note": ["x, y"] * n_rows,
            "outcome": outcome,
        }
    )
    gaps = {name: rng.random(n_rows) < 0.05 for name in ("size", "member", "city", "since")}
    return table.with_columns(
        pl.when(pl.Series(gap)).then(None).otherwise(pl.col(name)).alias(name) for name, gap in gaps.items()
    )


def write(folder: Path, kind: str = "binary", *, model: str = "logistic", extra: str = "") -> Path:
    """Write table and recipe into `folder`; return the recipe's path."""
    frame(kind).write_csv(folder / "mixed.csv", datetime_format="%Y-%m-%dT%H:%M:%S")
    task, target = ("regression", "number") if kind == "continuous" else ("classification", "category")
    header = HEADER.replace("TASK", task).replace("MODEL", model)
    recipe = folder / "mixed.yaml"
    recipe.write_text(header + COLUMNS.replace("TARGET", target) + extra)
    return recipe

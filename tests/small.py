"""A table of 400 rows, and a recipe that searches on it: what the tests of searches and their reports run.

Tests reach it by the fixtures `small` and `load_small` of `conftest.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

RECIPE = """\
defaults: [base, task: classification, model: logistic, tune: random, compute: small, _self_]
name: small
data: {path: small.csv}
schema:
  target: y
  positive: "yes"
  columns:
    a: {type: number}
    b: {type: number, nullable: true}
    c: {type: category}
    y: {type: category, values: ["no", "yes"]}
tune: {trials: 6, finalists: 2, repeats: 1}
evaluation: {bootstrap: 0, baselines: false, pictures: false}
"""


def write_small(folder: Path) -> Path:
    """Write the recipe beside its data, and return the recipe's path."""
    rng = np.random.default_rng(0)
    n = 400
    a, b, c = rng.normal(size=n), rng.normal(size=n), rng.integers(3, size=n)
    chance = 1 / (1 + np.exp(-(a - b + 0.7 * (c == 1) + rng.normal(size=n))))
    frame = pl.DataFrame(
        {
            "a": a,
            "b": pl.Series(b).set(pl.Series(rng.random(n) < 0.05), None),
            "c": pl.Series(c).cast(pl.String).replace({"0": "x", "1": "y", "2": "z"}),
            "y": np.where(chance > 0.5, "yes", "no"),
        }
    )
    frame.write_csv(folder / "small.csv")
    (folder / "small.yaml").write_text(RECIPE)
    return folder / "small.yaml"

"""What a model must beat, where outcomes are priced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine

RECIPE = """\
defaults: [base, model: logistic, evaluation: quick, _self_]
name: priced
goal: {metric: profit, value: {true_positive: 50, false_positive: -1, currency: EUR}}
data: {path: t.csv}
schema:
  target: y
  positive: "yes"
  columns:
    a: {type: number}
    y: {type: category}
split: {test: 0.4, validation: 0.2}
evaluation: {baselines: true, latency_rows: 1}
"""


def test_a_constant_acts_on_all_where_that_earns_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three in ten are positive and worth far more than a false alarm costs: who knows nothing acts on all."""
    rng = np.random.default_rng(0)
    y = np.where(rng.random(500) < 0.3, "yes", "no")
    pl.DataFrame({"a": rng.normal(size=500), "y": y}).write_csv(tmp_path / "t.csv")
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    run = engine.run(engine.load("r.yaml"))
    truth = pl.read_parquet(run.path / "predictions.parquet")["y"].to_numpy()
    earned = 1000 * np.where(truth == "yes", 50, -1).mean()
    constant = run.metrics["baselines"]["constant"]  # type: ignore[index]
    assert constant["test"]["profit"]["value"] == pytest.approx(earned)
    assert constant["description"] == "the training rows' class shares, all decided positive"

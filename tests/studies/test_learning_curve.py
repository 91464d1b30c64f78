"""The learning curve: fair beginnings, the whole model as its end, and words that claim no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import engine
from engine.recipe.spec import Spec
from engine.studies.learning_curve import STUDY, nested_order

RECIPE = """\
defaults: [base, model: logistic, _self_]
name: curve
goal: {metric: log_loss}
data: {path: t.csv}
schema:
  target: y
  columns:
    a: {type: number}
    b: {type: number}
    y: {type: category}
split: {validation: 0.2, test: 0.3}
evaluation: {learning_curve: [0.004, 0.05, 0.5], bootstrap: 50, importance_rows: 0, latency_rows: 1, baselines: false}
"""


def test_every_beginning_is_a_fair_sample() -> None:
    """Each row comes once, and each beginning holds each class by its share, to a row."""
    y = np.random.default_rng(0).choice(3, 1000, p=[0.7, 0.25, 0.05])
    order = nested_order(y, n_classes=3, seed=1)
    assert sorted(order.tolist()) == list(range(1000))
    shares = np.bincount(y) / 1000
    for n in (40, 100, 500, 1000):
        assert np.abs(np.bincount(y[order[:n]], minlength=3) - n * shares).max() <= 1.5
    assert order.tolist() == nested_order(y, n_classes=3, seed=1).tolist()
    assert len(set(nested_order(y, n_classes=0, seed=1).tolist())) == 1000


def test_a_run_draws_its_curve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of the curve is the model's own score; what few rows can't teach is said at its place."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 1200))
    y = np.where(a - b + rng.normal(size=1200) > 1.5, "yes", "no")
    pl.DataFrame({"a": a, "b": b, "y": y}).write_csv(tmp_path / "t.csv")
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    run = engine.run(engine.load("r.yaml"))
    found = json.loads((run.path / "metrics.json").read_text())["learning_curve"]
    first, second, third, last = found["points"]
    assert [point["n_train_rows"] for point in found["points"]] == [2, 30, 300, 601]
    assert first["value"] is None
    assert first["said"] == "the 2 training rows are all of one class"
    assert last["value"] == run.metrics["test"]["log_loss"]["value"]  # type: ignore[index]
    assert second["value"] > third["value"] > 0
    assert third["low"] < third["value"] < third["high"]
    assert found["said"].startswith("From 300 to 601 training rows Log loss ")
    assert found["said"].endswith("This is evidence from one draw of these rows, and no promise.")
    assert "Learning curve" in (run.path / "report.html").read_text(encoding="utf-8")


FEW = """\
defaults: [base, model: lightgbm, _self_]
name: few
goal: {METRIC, value: {true_positive: 1, false_positive: -9, currency: EUR, action_cost: 0.5}}
data: {path: t.csv}
schema:
  target: y
  positive: "yes"
  columns:
    a: {type: number}
    g: {type: category, nullable: true, sensitive: true}
    y: {type: category}
split: {validation: 0.2, test: 0.3}
compute: {threads: 1}
evaluation:
  {learning_curve: [0.02], bootstrap: 20, importance_rows: 0, explain_rows: 0, latency_rows: 1, baselines: false}
"""


@pytest.mark.parametrize(
    ("metric", "more", "why"),
    [
        ("return_on_cost", "", ""),
        (
            "roc_auc",
            "model: {fairness: {kind: thresholds, by: g, bounds: {demographic_parity_ratio: {min: 0.9}}}}\n",
            "no thresholds keep the groups by g within the bounds on 100 rows",
        ),
    ],
)
def test_a_share_that_has_no_score_ends_no_run(
    metric: str, more: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that spends nothing has no return, one that says the same of all no fair thresholds: both are told."""
    rng = np.random.default_rng(0)
    a, g = rng.normal(size=500), rng.choice(["f", "m", ""], 500)
    y = np.where(a + 0.5 * (g == "m") + 0.3 * rng.normal(size=500) > 0, "yes", "no")
    pl.DataFrame({"a": a, "g": g, "y": y}).write_csv(tmp_path / "t.csv")
    (tmp_path / "r.yaml").write_text(FEW.replace("METRIC", f"metric: {metric}") + more)
    monkeypatch.chdir(tmp_path)
    run = engine.run(engine.load("r.yaml"))
    found = json.loads((run.path / "metrics.json").read_text())["learning_curve"]
    first, last = found["points"]
    assert (first["value"], first["said"]) == (None, why)
    assert last["value"] is not None
    assert found["difference"] is None
    assert found["said"].startswith("No share of the training rows could be fitted and measured")


def test_shares_rise(make_spec: Callable[..., Spec]) -> None:
    """A share that stands below the one before is no curve: the message has the order that was meant."""
    spec = make_spec({"evaluation.learning_curve": [0.5, 0.1, 0.5]})
    (message,) = STUDY.check(spec, has_classes=True)
    assert (message.key, message.suggestion) == ("evaluation.learning_curve", "[0.1, 0.5]")

"""Where there is nothing to measure a run says so: it neither breaks nor gives a number without meaning."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine.cli import main
from engine.evaluation.evaluate import PartScores, evaluate
from engine.recipe.spec import Spec
from engine.tasks.classification import TASK
from engine.tasks.task import Scores, Target

MakeSpec = Callable[[Mapping[str, object]], Spec]
TARGET = Target("repaid", "binary", ("no", "yes"))
# What is still true of rows of one class; of the others either side is missing.
DEFINED_OF_ONE_CLASS = {
    "log_loss", "brier_score", "accuracy", "balanced_accuracy", "f1", "precision", "recall", "f1_macro",
    "matthews_corrcoef", "expected_calibration_error", "profit",
}  # fmt: skip
RECIPE = """\
defaults: [base, model: logistic, _self_]
name: flat
goal:
  value: {true_positive: amount, action_cost: 2, currency: EUR}
data: {path: t.csv}
schema:
  target: y
  positive: "yes"
  columns:
    flat: {type: number}
    amount: {type: number, role: value}
    zone: {type: category, encode: onehot}
    group: {type: category, sensitive: true}
    y: {type: category}
split: {test: 0.4, validation: 0.2}
model: {calibration: isotonic, params: {C: 1.0e-9}}
evaluation: {slices: [zone, group], learning_curve: [0.3], bootstrap: 20, importance_rows: 50, latency_rows: 1}
"""


def _evaluated(spec: Spec, y: np.ndarray, positive: np.ndarray) -> dict[str, dict[str, float | None]]:
    scores = Scores(np.stack([1 - positive, positive], axis=1), (positive >= 0.5).astype(np.int64))
    part = PartScores(y, scores, None, pl.DataFrame({"sex": ["f"] * len(y)}))
    found = evaluate({"test": part}, spec=spec, task=TASK, target=TARGET, seed=0)
    return found.to_json()["test"]  # type: ignore[return-value]


@pytest.mark.parametrize("class_", [0, 1])
def test_rows_of_one_class(make_spec: MakeSpec, class_: int) -> None:
    """What compares classes is null, with its interval; what is left is a number."""
    value = {"true_positive": 5, "currency": "EUR"}
    spec = make_spec({"evaluation.bootstrap": 20, "goal.value": value})
    found = _evaluated(spec, np.full(50, class_), np.linspace(0.1, 0.9, 50))
    undefined = {name for name, one in found.items() if one["value"] is None}
    assert undefined == ({"roc_auc", "average_precision", "recall"} if class_ == 0 else {"roc_auc"})
    assert all(one["low"] is None for name, one in found.items() if name in undefined)
    assert {name for name in DEFINED_OF_ONE_CLASS if name not in undefined} == set(found) - undefined - {
        "average_precision"
    }


def test_a_constant_prediction_ranks_nothing(make_spec: MakeSpec) -> None:
    """It ranks by chance, its correlation with anything is none, and its intervals are no wider than that."""
    spec = make_spec({"evaluation.bootstrap": 20})
    found = _evaluated(spec, np.arange(60) % 2, np.full(60, 0.3))
    assert found["roc_auc"] == {"value": 0.5, "low": 0.5, "high": 0.5}
    assert found["matthews_corrcoef"]["value"] == 0.0
    assert found["f1"]["value"] == 0.0
    assert found["average_precision"]["value"] == 0.5


def test_no_rows_have_no_scores(make_spec: MakeSpec) -> None:
    """Of no rows every metric is null, and nothing is resampled."""
    spec = make_spec({"evaluation.bootstrap": 20})
    found = _evaluated(spec, np.empty(0, np.int64), np.empty(0))
    assert {(one["value"], one["low"]) for one in found.values()} == {(None, None)}


def test_a_whole_run_of_nothing_to_learn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that says the same of every row, slices of one class or of three rows: a run, and statements."""
    rng = np.random.default_rng(0)
    n = 600
    zone = np.where(np.arange(n) < 60, "calm", "rest")
    frame = pl.DataFrame(
        {
            "flat": np.ones(n),
            "amount": rng.integers(1, 9, n),
            "zone": zone,
            "group": np.where(np.arange(n) >= n - 8, "few", np.where(np.arange(n) % 2, "a", "b")),
            "y": np.where((rng.random(n) < 0.3) & (zone == "rest"), "yes", "no"),
        }
    )
    frame.write_csv(tmp_path / "t.csv")
    (tmp_path / "r.yaml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    assert main(["run", "r.yaml", "--quiet", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    metrics = told["metrics"]
    calm = next(one for one in metrics["slices"]["zone"]["slices"] if one["name"] == "calm")
    assert calm["metrics"]["roc_auc"]["value"] is None
    assert calm["said"]
    constant = metrics["baselines"]["constant"]
    assert constant["description"] == "the training rows' class shares, none decided positive"
    assert constant["test"]["profit"]["value"] == 0
    by_group = metrics["slices"]["group"]
    assert [one["name"] for one in by_group["slices"]] == ["a", "b"]
    assert by_group["n_unnamed_slices"] == 1
    assert metrics["fairness"]["group"]["n_excluded_groups"] == 1
    assert not any(
        isinstance(value, float) and math.isnan(value)
        for part in ("train", "validation", "test")
        for one in metrics[part].values()
        for value in one.values()
    )
    page = Path(told["path"], "report.html").read_text(encoding="utf-8")
    assert "NaN" not in page
    assert ">nan<" not in page

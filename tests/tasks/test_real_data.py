"""Every metric of every task is scikit-learn's, on three real tables, with weights and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn import metrics
from sklearn.linear_model import LinearRegression, LogisticRegression

from engine.evaluation.score import score
from engine.tasks.classification import TASK as CLASSIFICATION
from engine.tasks.regression import TASK as REGRESSION
from engine.tasks.task import Array, Scores

DATA = Path(__file__).resolve().parents[2] / "recipes" / "data"
NUMBERS = {
    "adult.csv": ["age", "education-num", "capital-gain", "hours-per-week"],
    "penguins.csv": ["bill_length_mm", "flipper_length_mm"],
    "diamonds.parquet": ["carat", "depth", "table"],
}


def _real(name: str, target: str) -> tuple[Array, pl.Series, Array]:
    """Return numbers of real rows, standardised, the target, and weights."""
    path = DATA / name
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, null_values=["NA", "?"])
    frame = frame.drop_nulls([*NUMBERS[name], target]).head(4000)
    x = frame.select(NUMBERS[name]).to_numpy().astype(np.float64)
    weights = np.random.default_rng(0).uniform(0.2, 3.0, frame.height)
    return (x - x.mean(axis=0)) / x.std(axis=0), frame[target], weights


def _measured(task: Any, kind: str, y: Array, scores: Scores, weights: Array | None) -> dict[str, float]:
    found = score(y, scores, weights, metrics=task.metrics(kind), confidence=0.9, n_bootstrap=0, seed=0)
    return {name: interval.value for name, interval in found.items()}


def _calibration_error(said: Array, hit: Array, w: Array) -> float:
    """Return Guo et al.'s (2017), a bin at a time."""
    bins = np.clip(np.ceil(said * 15) - 1, 0, 14)
    gaps = [
        w[bins == b].sum() * abs(np.average((hit - said)[bins == b], weights=w[bins == b]))
        for b in np.unique(bins)
    ]
    return float(sum(gaps) / w.sum())


@pytest.mark.parametrize("weighted", [False, True])
def test_two_classes(*, weighted: bool) -> None:
    """Of who earns over 50K."""
    x, target, w = _real("adult.csv", "income-per-year")
    y = (target == ">50K").to_numpy().astype(np.int64)
    p = LogisticRegression().fit(x, y).predict_proba(x)
    decided = (p[:, 1] >= 0.3).astype(np.int64)
    weights = w if weighted else None
    by: dict[str, Any] = {"sample_weight": weights}
    expected = {
        "roc_auc": metrics.roc_auc_score(y, p[:, 1], **by),
        "average_precision": metrics.average_precision_score(y, p[:, 1], **by),
        "log_loss": metrics.log_loss(y, p, **by),
        "brier_score": metrics.brier_score_loss(y, p[:, 1], **by),
        "accuracy": metrics.accuracy_score(y, decided, **by),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, decided, **by),
        "f1": metrics.f1_score(y, decided, **by),
        "precision": metrics.precision_score(y, decided, **by),
        "recall": metrics.recall_score(y, decided, **by),
        "f1_macro": metrics.f1_score(y, decided, average="macro", **by),
        "matthews_corrcoef": metrics.matthews_corrcoef(y, decided, **by),
        "expected_calibration_error": _calibration_error(p[:, 1], y, w if weighted else np.ones(len(y))),
    }
    assert _measured(CLASSIFICATION, "binary", y, Scores(p, decided), weights) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_three_classes(*, weighted: bool) -> None:
    """Of which penguin it is."""
    x, target, w = _real("penguins.csv", "species")
    y = target.cast(pl.Enum(sorted(target.unique()))).to_physical().to_numpy().astype(np.int64)
    p = LogisticRegression(C=0.01).fit(x, y).predict_proba(x)
    decided = p.argmax(axis=1)
    weights = w if weighted else None
    by: dict[str, Any] = {"sample_weight": weights}
    expected = {
        "roc_auc": metrics.roc_auc_score(y, p, multi_class="ovr", average="macro", **by),
        "log_loss": metrics.log_loss(y, p, **by),
        "brier_score": metrics.brier_score_loss(y, p, scale_by_half=False, **by),
        "accuracy": metrics.accuracy_score(y, decided, **by),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, decided, **by),
        "f1_macro": metrics.f1_score(y, decided, average="macro", **by),
        "matthews_corrcoef": metrics.matthews_corrcoef(y, decided, **by),
        "expected_calibration_error": _calibration_error(
            p.max(axis=1), y == decided, w if weighted else np.ones(len(y))
        ),
    }
    assert _measured(CLASSIFICATION, "multiclass", y, Scores(p, decided), weights) == pytest.approx(expected)


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers(*, weighted: bool) -> None:
    """Of what a diamond costs."""
    x, target, w = _real("diamonds.parquet", "price")
    y = target.to_numpy().astype(np.float64)
    said = np.maximum(LinearRegression().fit(x, y).predict(x), 1.0)
    weights = w if weighted else None
    by: dict[str, Any] = {"sample_weight": weights}
    expected = {
        "rmse": metrics.root_mean_squared_error(y, said, **by),
        "mae": metrics.mean_absolute_error(y, said, **by),
        "r2": metrics.r2_score(y, said, **by),
        "median_absolute_error": metrics.median_absolute_error(y, said, **by),
        "max_error": metrics.max_error(y, said),
        "mape": metrics.mean_absolute_percentage_error(y, said, **by),
        "poisson_deviance": metrics.mean_poisson_deviance(y, said, **by),
    }
    assert _measured(REGRESSION, "continuous", y, Scores(said, said), weights) == pytest.approx(expected)

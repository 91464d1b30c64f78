"""One model against another on the same rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.evaluation.paired import compare_models
from engine.evaluation.score import Interval, resample, score
from engine.tasks.classification import TASK
from engine.tasks.ranking import ROC_AUC
from engine.tasks.task import Array, Scores

METRICS = TASK.metrics("binary")


def _scores(positive: Array) -> Scores:
    return Scores(np.column_stack([1 - positive, positive]), (positive >= 0.5).astype(np.int64))


def _models(n: int, *, gap: float) -> tuple[Array, Scores, Scores]:
    """Return truth, a model, and one that sees it through noise besides."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, n)
    margin = 1.2 * (2 * y - 1) + rng.normal(0, 1.5, n)
    blurred = margin + rng.normal(0, gap, n)
    return y, _scores(1 / (1 + np.exp(-margin))), _scores(1 / (1 + np.exp(-blurred)))


def _delong(y: Array, one: Array, other: Array) -> tuple[float, float]:
    """Return the difference of two AUCs and its standard error, by DeLong's components, written out."""
    placed = []
    for values in (one, other):
        above = values[y == 1][:, None] - values[y == 0][None, :]
        wins = (above > 0) + 0.5 * (above == 0)
        placed.append((wins.mean(axis=1), wins.mean(axis=0)))
    positives, negatives = placed[0][0] - placed[1][0], placed[0][1] - placed[1][1]
    variance = positives.var(ddof=1) / len(positives) + negatives.var(ddof=1) / len(negatives)
    return float(placed[0][0].mean() - placed[1][0].mean()), math.sqrt(variance)


def test_the_interval_of_two_aucs_is_delongs() -> None:
    """The paired bootstrap gives DeLong's difference exactly and his interval within a tenth of its width."""
    y, one, other = _models(600, gap=1.0)
    (found,) = compare_models(
        y, one, [other], None, metrics={"roc_auc": ROC_AUC}, confidence=0.95, n_bootstrap=2000, seed=0
    )
    difference, error = _delong(y, one.values[:, 1], other.values[:, 1])
    interval = found["roc_auc"].interval
    assert interval.value == pytest.approx(difference, abs=1e-12)
    assert interval.low == pytest.approx(difference - 1.96 * error, abs=0.4 * error)
    assert interval.high == pytest.approx(difference + 1.96 * error, abs=0.4 * error)
    assert found["roc_auc"].verdict == "better"


def test_a_verdict_follows_the_metrics_own_direction() -> None:
    """What the model wins the other loses, higher or lower being better; a model is the same as itself."""
    y, one, other = _models(600, gap=1.5)
    arguments = {"metrics": METRICS, "confidence": 0.95, "n_bootstrap": 200, "seed": 0}
    dust = Scores(one.values * (1 + 4e-16), one.decisions)
    against, itself, nearly = compare_models(y, one, [other, one, dust], None, **arguments)  # type: ignore[arg-type]
    assert {one.verdict for one in nearly.values()} == {"the same"}
    assert {one.interval for one in nearly.values()} == {Interval(0.0, 0.0, 0.0)}
    (turned,) = compare_models(y, other, [one], None, **arguments)  # type: ignore[arg-type]
    assert {against[name].verdict for name in ("roc_auc", "log_loss", "brier_score")} == {"better"}
    assert {turned[name].verdict for name in ("roc_auc", "log_loss", "brier_score")} == {"worse"}
    assert {one.verdict for one in itself.values()} == {"the same"}
    assert against["log_loss"].interval.value < 0 < against["roc_auc"].interval.value
    assert against["roc_auc"].to_json() == {
        "value": against["roc_auc"].interval.value,
        "low": against["roc_auc"].interval.low,
        "high": against["roc_auc"].interval.high,
        "verdict": "better",
    }


def test_what_is_not_proven_is_not_claimed() -> None:
    """Few rows, no resamples, one class: unproven, whichever value is higher."""
    y, one, other = _models(30, gap=0.3)
    for n_bootstrap, truth in ((200, y), (0, y), (200, np.ones_like(y))):
        (found,) = compare_models(
            truth, one, [other], None, metrics=METRICS, confidence=0.95, n_bootstrap=n_bootstrap, seed=0
        )
        assert found["roc_auc"].verdict == "unproven"
    assert found["roc_auc"].to_json() == {"value": None, "low": None, "high": None, "verdict": "unproven"}


def test_a_models_own_resamples_depend_on_no_other() -> None:
    """Compared or alone, a model is resampled alike, and its interval is that of `score`."""
    y, one, other = _models(200, gap=1.0)
    arguments = {"metrics": METRICS, "n_bootstrap": 30, "seed": 5}
    pair = resample(y, [one, other], None, **arguments)  # type: ignore[arg-type]
    (alone,) = resample(y, [other], None, **arguments)  # type: ignore[arg-type]
    assert {name: drawn.tolist() for name, drawn in pair[1].values.items()} == {
        name: drawn.tolist() for name, drawn in alone.values.items()
    }
    found = score(y, other, None, confidence=0.8, **arguments)  # type: ignore[arg-type]
    assert found["f1"].low == pytest.approx(np.quantile(alone.values["f1"], 0.1), abs=1e-12)

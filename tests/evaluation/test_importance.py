"""What each column is worth to a score."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.evaluation.importance import Importance, permutation_importance
from engine.tasks.classification import TASK
from engine.tasks.error import RMSE
from engine.tasks.task import Scores

_RNG = np.random.default_rng(1)
FRAME = pl.DataFrame({name: _RNG.normal(size=400) for name in "abc"})


def _measured(weights: np.ndarray | None = None) -> Importance:
    """Return the worth of columns to y = 3 a + b, of which c says nothing, by a model that knows it."""

    def score(rows: pl.DataFrame) -> Scores:
        assert rows.columns == ["a", "b", "c"]
        values = (3 * rows["a"] + rows["b"]).to_numpy()
        return Scores(values, values)

    y = score(FRAME).values
    return permutation_importance(
        FRAME,
        columns=["c", "b", "a"],
        y=y,
        weights=weights,
        score=score,
        metric=RMSE,
        confidence=0.9,
        seed=0,
    )


def test_the_loss_is_the_known_one() -> None:
    """Of y = 3 a + b without error the loss in RMSE is the root of twice the variance of what was shuffled."""
    found = _measured()
    assert list(found.columns) == ["a", "b", "c"]
    assert found.n_rows == 400
    assert found.columns["a"].value == pytest.approx(3 * np.sqrt(2 * FRAME["a"].var()), rel=0.05)
    assert found.columns["b"].value == pytest.approx(np.sqrt(2 * FRAME["b"].var()), rel=0.05)
    assert found.columns["c"].to_json() == {"value": 0.0, "low": 0.0, "high": 0.0}
    low, high = found.columns["a"].low, found.columns["a"].high
    assert low is not None
    assert high is not None
    assert low < found.columns["a"].value < high


def test_weights_weigh_the_loss_and_a_seed_deals_the_values() -> None:
    """Equal arguments give bit-equal results, and rows of weight 0 count for nothing."""
    weights = np.repeat([1.0, 0.0], 200)
    found = _measured(weights)
    assert found == _measured(weights)
    assert found.columns["a"].value != _measured().columns["a"].value
    assert list(found.columns) == ["a", "b", "c"]


def test_a_metric_that_is_not_defined_has_no_worth() -> None:
    """One class: no AUC, no loss in it, and nothing breaks."""
    frame = pl.DataFrame({"a": [0.1, 0.5, 0.9]})
    found = permutation_importance(
        frame,
        columns=["a"],
        y=np.ones(3, np.int64),
        weights=None,
        score=lambda rows: Scores(np.column_stack([1 - rows["a"], rows["a"]]), np.ones(len(rows), np.int64)),
        metric=TASK.metrics("binary")["roc_auc"],
        confidence=0.9,
        seed=0,
    )
    assert found.to_json()["columns"] == {"a": {"value": None, "low": None, "high": None}}

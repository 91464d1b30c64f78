from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.tasks import ranking
from engine.tasks.task import Scores


def _binary(positive: np.ndarray) -> Scores:
    return Scores(
        values=np.column_stack([1 - positive, positive]), decisions=(positive >= 0.5).astype(np.int64)
    )


def _several(rng: np.random.Generator, *, n: int, n_classes: int) -> tuple[np.ndarray, Scores]:
    # Few distinct values, so that there are ties.
    values = rng.integers(1, 6, (n, n_classes)).astype(np.float64)
    values /= values.sum(axis=1, keepdims=True)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    return y, Scores(values=values, decisions=values.argmax(axis=1))


@settings(deadline=None, max_examples=80)
@given(
    n=st.integers(2, 100),
    levels=st.integers(1, 50),
    seed=st.integers(0, 2**32 - 1),
    weighted=st.booleans(),
)
def test_binary_areas_equal_scikit_learns(n: int, levels: int, seed: int, *, weighted: bool) -> None:
    """ROC AUC and average precision are scikit-learn's, with ties and weights."""
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    y[:2] = 0, 1
    positive = rng.integers(0, levels + 1, n) / levels
    weights = rng.uniform(0.1, 3, n) if weighted else None
    ours = [
        metric.compute(y, _binary(positive), weights)
        for metric in (ranking.ROC_AUC, ranking.AVERAGE_PRECISION)
    ]
    theirs = [
        metrics.roc_auc_score(y, positive, sample_weight=weights),
        metrics.average_precision_score(y, positive, sample_weight=weights),
    ]
    assert ours == pytest.approx(theirs, abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(n_classes=st.integers(3, 6), seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_macro_area_equals_scikit_learns(n_classes: int, seed: int, *, weighted: bool) -> None:
    """The mean one-against-the-rest AUC is scikit-learn's, with ties and weights."""
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    y, scores = _several(rng, n=60, n_classes=n_classes)
    weights = rng.uniform(0.1, 3, 60) if weighted else None
    each = [
        metrics.roc_auc_score(y == index, scores.values[:, index], sample_weight=weights)
        for index in range(n_classes)
    ]
    assert ranking.ROC_AUC_MACRO.compute(y, scores, weights) == pytest.approx(np.mean(each), abs=1e-12)
    if not weighted:
        whole = metrics.roc_auc_score(y, scores.values, multi_class="ovr", average="macro")
        assert ranking.ROC_AUC_MACRO.compute(y, scores, None) == pytest.approx(whole, abs=1e-12)


def test_hand_worked_areas() -> None:
    """Of 4 pairs one is in order, one tied and two are not: AUC (1 + 1/2) / 4; precision steps by hand."""
    y, positive = np.array([1, 0, 1, 0]), np.array([0.8, 0.9, 0.4, 0.4])
    assert ranking.ROC_AUC.compute(y, _binary(positive), None) == 1.5 / 4
    assert ranking.AVERAGE_PRECISION.compute(y, _binary(positive), None) == 0.5 * (1 / 2) + 0.5 * (2 / 4)


@pytest.mark.parametrize("y", [[], [0, 0], [1, 1]])
def test_an_area_needs_both_classes(y: list[int]) -> None:
    """With no row of one class there is nothing to rank, and the answer is NaN."""
    truth = np.array(y, dtype=np.int64)
    assert math.isnan(ranking.ROC_AUC.compute(truth, _binary(np.linspace(0, 1, len(y))), None))


def test_classes_that_do_not_occur_are_left_out_of_the_mean() -> None:
    """A class without rows takes no part; if no class can be ranked the answer is NaN."""
    values = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]])
    scores = Scores(values=values, decisions=values.argmax(axis=1))
    assert ranking.ROC_AUC_MACRO.compute(np.array([0, 1, 0]), scores, None) == 1.0
    assert math.isnan(ranking.ROC_AUC_MACRO.compute(np.array([0, 0, 0]), scores, None))


def test_the_expansion_of_the_macro_area_is_of_first_order() -> None:
    """Near its weights the expanded area agrees with the exact one to the square of the distance."""
    rng = np.random.default_rng(1)
    y, scores = _several(rng, n=500, n_classes=4)
    base, direction = rng.uniform(0.5, 2, 500), rng.normal(size=500)
    at = ranking.macro_auc(y, scores, base)
    errors = []
    for distance in (0.1, 0.01):
        moved = base * (1 + distance * direction / np.abs(direction).max())
        errors.append(abs(float(at(moved)) - ranking.ROC_AUC_MACRO.compute(y, scores, moved)))
    assert errors[1] < errors[0] / 50
    assert errors[1] < 1e-6


def test_metrics_say_what_they_need() -> None:
    """Without a row of a class an area is not defined, and the metric says which rows it needs."""
    one = _binary(np.array([0.2, 0.7]))
    for metric, y, needs in (
        (ranking.ROC_AUC, [1, 1], "rows of both classes are there"),
        (ranking.AVERAGE_PRECISION, [0, 0], "a row is of the positive class"),
        (ranking.ROC_AUC_MACRO, [1, 1], "rows of two classes or more are there"),
    ):
        assert math.isnan(metric.compute(np.array(y), one, None))
        assert metric.needs == needs

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.recipe.spec_value import Value
from engine.tasks import confusion
from engine.tasks.task import Metric, Scores
from engine.tasks.value import profit, profit_metric

VALUE = Value(
    true_positive=50.0, false_positive=-10.0, true_negative=1.0, false_negative=-5.0, currency="EUR"
)


def _decided(y: list[int], decisions: list[int], *, n_classes: int) -> tuple[np.ndarray, Scores]:
    return np.array(y), Scores(values=np.empty((len(y), n_classes)), decisions=np.array(decisions))


@settings(deadline=None, max_examples=60)
@given(
    n_classes=st.integers(2, 6), n=st.integers(2, 80), seed=st.integers(0, 2**32 - 1), weighted=st.booleans()
)
def test_metrics_of_several_classes_equal_scikit_learns(
    n_classes: int, n: int, seed: int, *, weighted: bool
) -> None:
    """Accuracy, balanced accuracy, macro F1 and Matthews' correlation are scikit-learn's, with weights."""
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    y, decisions = rng.integers(0, n_classes, n), rng.integers(0, n_classes, n)
    decisions = np.where(np.isin(decisions, y), decisions, y)  # scikit-learn warns of a class never true
    weights = rng.uniform(0.1, 3, n) if weighted else None
    scores = Scores(values=np.empty((n, n_classes)), decisions=decisions)
    measured = {
        metric.name: metric.compute(y, scores, weights)
        for metric in (
            confusion.ACCURACY,
            confusion.BALANCED_ACCURACY,
            confusion.F1_MACRO,
            confusion.MATTHEWS_CORRCOEF,
        )
    }
    if len(np.unique(y)) == 1:
        assert measured["matthews_corrcoef"] == 0.0
        return
    given_weights = {"sample_weight": weights}
    expected = {
        "accuracy": metrics.accuracy_score(y, decisions, **given_weights),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, decisions, **given_weights),
        "f1_macro": metrics.f1_score(y, decisions, average="macro", zero_division=0, **given_weights),
        "matthews_corrcoef": metrics.matthews_corrcoef(y, decisions, **given_weights),
    }
    assert measured == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(n=st.integers(2, 80), seed=st.integers(0, 2**32 - 1), weighted=st.booleans())
def test_metrics_of_the_positive_class_equal_scikit_learns(n: int, seed: int, *, weighted: bool) -> None:
    """F1, precision and recall of the positive class are scikit-learn's, with weights."""
    from sklearn import metrics

    rng = np.random.default_rng(seed)
    y, decisions = rng.integers(0, 2, n), rng.integers(0, 2, n)
    y[0] = 1
    weights = rng.uniform(0.1, 3, n) if weighted else None
    scores = Scores(values=np.empty((n, 2)), decisions=decisions)
    ours = [
        metric.compute(y, scores, weights) for metric in (confusion.F1, confusion.PRECISION, confusion.RECALL)
    ]
    theirs = [
        function(y, decisions, sample_weight=weights, zero_division=0)
        for function in (metrics.f1_score, metrics.precision_score, metrics.recall_score)
    ]
    assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_hand_worked_confusion() -> None:
    """Of 4 positives 3 are found, of 6 negatives 2 are taken for positive: each metric by hand."""
    y, scores = _decided([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1, 0, 0, 0, 0], n_classes=2)
    measured = {
        metric.name: metric.compute(y, scores, None)
        for metric in (
            confusion.ACCURACY,
            confusion.BALANCED_ACCURACY,
            confusion.F1,
            confusion.PRECISION,
            confusion.RECALL,
            confusion.MATTHEWS_CORRCOEF,
        )
    }
    expected = {
        "accuracy": 7 / 10,
        "balanced_accuracy": (3 / 4 + 4 / 6) / 2,
        "f1": 2 * 3 / (4 + 5),
        "precision": 3 / 5,
        "recall": 3 / 4,
        "matthews_corrcoef": (3 * 4 - 2 * 1) / math.sqrt(5 * 4 * 6 * 5),
    }
    assert measured == pytest.approx(expected, abs=1e-15)


def test_profit_is_hand_worked_per_thousand_cases() -> None:
    """Two hits, one false alarm, one miss and one true negative, of unequal weights, are priced one by one."""
    y, decisions = np.array([1, 1, 0, 1, 0]), np.array([1, 1, 1, 0, 0])
    assert profit(y, decisions, None, VALUE) == 1000 * (50 + 50 - 10 - 5 + 1) / 5
    weights = np.array([1.0, 2.0, 3.0, 4.0, 10.0])
    assert profit(y, decisions, weights, VALUE) == 1000 * (50 + 100 - 30 - 20 + 10) / 20


@pytest.mark.parametrize(
    ("metric", "y", "decisions", "expected"),
    [
        (confusion.PRECISION, [1, 0], [0, 0], 0.0),
        (confusion.RECALL, [0, 0], [1, 0], math.nan),
        (confusion.F1, [1, 0], [0, 0], 0.0),
        (confusion.MATTHEWS_CORRCOEF, [1, 0], [1, 1], 0.0),
        (confusion.BALANCED_ACCURACY, [1, 1], [1, 0], 0.5),
        *[
            (metric, [], [], math.nan)
            for metric in (
                confusion.ACCURACY,
                confusion.BALANCED_ACCURACY,
                confusion.F1,
                confusion.PRECISION,
                confusion.RECALL,
                confusion.F1_MACRO,
                confusion.MATTHEWS_CORRCOEF,
                profit_metric(VALUE),
            )
        ],
    ],
)
def test_edges_of_definition(metric: Metric, y: list[int], decisions: list[int], expected: float) -> None:
    """Where a denominator is zero the answer is the documented one, and NaN for no rows."""
    truth, scores = _decided(y, decisions, n_classes=2)
    assert metric.compute(
        truth.astype(np.int64), Scores(scores.values, scores.decisions.astype(np.int64)), None
    ) == pytest.approx(expected, nan_ok=True)


def test_a_constant_decision_has_no_correlation_under_any_weights() -> None:
    """Rounding of weights like 0.1 does not make a correlation out of a constant decision."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 1000)
    scores = Scores(values=np.empty((1000, 2)), decisions=np.ones(1000, dtype=np.int64))
    assert confusion.MATTHEWS_CORRCOEF.compute(y, scores, rng.uniform(0, 0.1, 1000)) == 0.0

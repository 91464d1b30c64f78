"""The arrays behind the pictures against scikit-learn and numbers worked by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from engine.evaluation.reliability import reliability
from engine.report import curves

SCORES = st.lists(st.tuples(st.booleans(), st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])), min_size=2)


def arrays(rows: list[tuple[bool, float]]) -> tuple[np.ndarray, np.ndarray]:
    """Return classes and scores as arrays."""
    return np.array([row[0] for row in rows]), np.array([row[1] for row in rows])


@given(SCORES.filter(lambda rows: 0 < sum(row[0] for row in rows) < len(rows)))
def test_roc_equals_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    """The ROC curve has scikit-learn's points, ties and all."""
    positive, scores = arrays(rows)
    false_rate, true_rate = curves.roc(curves.rank(positive, scores))
    expected_false, expected_true, _ = roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(false_rate, expected_false)
    np.testing.assert_allclose(true_rate, expected_true)


@given(SCORES.filter(lambda rows: any(row[0] for row in rows)))
def test_precision_recall_equals_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    """The precision-recall curve has scikit-learn's points, in the order of rising recall."""
    positive, scores = arrays(rows)
    recall, precision = curves.precision_recall(curves.rank(positive, scores))
    expected_precision, expected_recall, _ = precision_recall_curve(positive, scores)
    np.testing.assert_allclose(recall, expected_recall[:-1][::-1])
    np.testing.assert_allclose(precision, expected_precision[:-1][::-1])


@given(SCORES, st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_counts_at_equals_counting(rows: list[tuple[bool, float]], thresholds: list[float]) -> None:
    """A row counts as positive from the threshold up, the threshold included."""
    positive, scores = arrays(rows)
    found = curves.counts_at(curves.rank(positive, scores), np.array(thresholds))
    expected = [((scores >= t) & positive).sum() for t in thresholds]
    expected_false = [((scores >= t) & ~positive).sum() for t in thresholds]
    assert (found[0].tolist(), found[1].tolist()) == (expected, expected_false)


def test_counts_of_no_rows() -> None:
    """No rows have no counts and raise nothing."""
    ranking = curves.rank(np.array([], dtype=bool), np.array([]))
    assert [part.tolist() for part in curves.counts_at(ranking, np.array([0.5]))] == [[0], [0]]


def test_reliability_by_hand() -> None:
    """Bins hold their mean, their share and Wilson's interval; 1.0 falls in the last; empty bins are out."""
    scores = np.array([0.02, 0.04, 0.06, 0.08, 1.0])
    found = reliability(np.array([False, False, False, True, True]), scores)
    assert found.counts.tolist() == [4, 1]
    np.testing.assert_allclose(found.said, [0.05, 1.0])
    np.testing.assert_allclose(found.seen, [0.25, 1.0])
    # Wilson's interval of 1 in 4 at 95 %, as published tables have it.
    assert found.low[0] == pytest.approx(0.0456, abs=1e-4)
    assert found.high[0] == pytest.approx(0.6994, abs=1e-4)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1))
def test_confusion_equals_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    """Rows are what was and columns what was decided, as scikit-learn has it."""
    actual, decided = np.array(pairs).T
    expected = confusion_matrix(actual, decided, labels=range(4))
    assert curves.confusion(actual, decided, n_classes=4).tolist() == expected.tolist()


@given(st.integers(2, 3000), st.integers(5, 50))
def test_thinned_keeps_the_drawing(n_points: int, most: int) -> None:
    """A thinned curve has few points, all from the curve, in order, both ends among them."""
    xs = np.linspace(0, 1, n_points)
    ys = xs**8
    kept_x, kept_y = curves.thinned(xs, ys, most=most)
    assert kept_x.size <= max(most, 2)
    assert (kept_x[0], kept_x[-1]) == (0, 1)
    assert (np.diff(kept_x) > 0).all()
    np.testing.assert_allclose(kept_y, kept_x**8)
    # The whole way is 2 long; a gap is at most two even steps and one of the curve's own, whose slope is 9.
    assert (np.diff(kept_x) + np.diff(kept_y)).max() <= 2 * 2 / (most - 1) + 9 / (n_points - 1) + 1e-9


def test_divided_by_nothing() -> None:
    """What is divided by 0 is not a number, without a warning."""
    found = curves.divided(np.array([1.0, 0.0, 3.0]), np.array([2.0, 0.0, 0.0]))
    assert found[0] == 0.5
    assert np.isnan(found[1:]).all()

from __future__ import annotations

import math

import numpy as np
import pytest

from engine.evaluation import score as module
from engine.evaluation.score import Interval, score
from engine.tasks import classification, confusion, regression
from engine.tasks.task import Array, Metric, Scores

BINARY = classification.TASK.metrics("binary")
SEVERAL = classification.TASK.metrics("multiclass")
NUMBER = regression.TASK.metrics("continuous")


def _classes(n: int, *, n_classes: int = 2, seed: int = 0) -> tuple[Array, Scores]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, n_classes, n)
    raw = np.exp(rng.normal(size=(n, n_classes)) + 1.5 * np.eye(n_classes)[y])
    values = np.round(raw / raw.sum(axis=1, keepdims=True), 2)
    return y, Scores(values=values, decisions=values.argmax(axis=1))


def _draws(n: int, *, n_bootstrap: int, seed: int) -> list[Array]:
    """Return the rows of each resample, drawn as `score` draws them."""
    rng = np.random.default_rng(seed)
    return [rng.integers(n, size=n, dtype=np.uint32) for _ in range(n_bootstrap)]


def _by_repetition(
    metric: Metric, y: Array, scores: Scores, weights: Array | None, *, n_bootstrap: int, seed: int
) -> list[float]:
    """Return the 90 % bounds by repeating rows as often as they were drawn, without any weighting."""
    found = [
        metric.compute(
            y[rows],
            Scores(scores.values[rows], scores.decisions[rows]),
            None if weights is None else weights[rows],
        )
        for rows in _draws(len(y), n_bootstrap=n_bootstrap, seed=seed)
    ]
    low, high = np.quantile([value for value in found if math.isfinite(value)], (0.05, 0.95))
    return [float(low), float(high)]


@pytest.mark.parametrize("weighted", [False, True])
def test_intervals_are_those_of_rows_drawn_again(*, weighted: bool) -> None:
    """Each binary interval is what repeating the drawn rows themselves gives, and holds its value."""
    y, scores = _classes(150)
    weights = np.random.default_rng(5).uniform(0.5, 2, 150) if weighted else None
    found = score(y, scores, weights, metrics=BINARY, confidence=0.9, n_bootstrap=40, seed=3)
    assert list(found) == list(BINARY)
    for name, metric in BINARY.items():
        assert found[name].value == metric.compute(y, scores, weights)
        value = found[name].value
        low, high = _by_repetition(metric, y, scores, weights, n_bootstrap=40, seed=3)
        # A calibration error is higher in nearly every resample.
        assert low <= value <= high or name == "expected_calibration_error"
        expected = [min(low, value), max(high, value)]
        assert [found[name].low, found[name].high] == pytest.approx(expected, abs=1e-12), name


def test_intervals_of_numbers_are_those_of_rows_drawn_again() -> None:
    """Each interval of a regression metric is what repeating the drawn rows gives, the median's too."""
    rng = np.random.default_rng(2)
    y = rng.uniform(1, 5, 101)
    values = y * rng.uniform(0.5, 1.5, 101)
    scores = Scores(values=values, decisions=values)
    found = score(y, scores, None, metrics=NUMBER, confidence=0.9, n_bootstrap=40, seed=3)
    for name, metric in NUMBER.items():
        expected = _by_repetition(metric, y, scores, None, n_bootstrap=40, seed=3)
        assert [found[name].low, found[name].high] == pytest.approx(expected, rel=1e-9), name


def test_the_interval_of_several_classes_auc_is_close_to_the_exact_one() -> None:
    """The expansion of the macro AUC gives bounds within a twentieth of the interval's width."""
    y, scores = _classes(400, n_classes=3)
    metric = SEVERAL["roc_auc"]
    found = score(y, scores, None, metrics=SEVERAL, confidence=0.9, n_bootstrap=200, seed=3)["roc_auc"]
    low, high = _by_repetition(metric, y, scores, None, n_bootstrap=200, seed=3)
    assert [found.low, found.high] == pytest.approx([low, high], abs=(high - low) / 20)


def test_an_interval_is_as_wide_as_the_binomial_says() -> None:
    """The accuracy of 2,000 rows lies within 1.96 standard errors, to a tenth."""
    y, scores = _classes(2000)
    found = score(
        y, scores, None, metrics={"a": confusion.ACCURACY}, confidence=0.95, n_bootstrap=1000, seed=0
    )["a"]
    error = math.sqrt(found.value * (1 - found.value) / 2000)
    assert found.low is not None
    assert found.high is not None
    assert found.low == pytest.approx(found.value - 1.96 * error, abs=error / 5)
    assert found.high == pytest.approx(found.value + 1.96 * error, abs=error / 5)


def test_many_rows_are_resampled_in_part_and_scaled() -> None:
    """Above 100,000 rows the interval still is as wide as all the rows make it."""
    n = 3 * module.MAX_RESAMPLED_ROWS
    y, scores = _classes(n)
    found = score(
        y, scores, None, metrics={"a": confusion.ACCURACY}, confidence=0.9, n_bootstrap=100, seed=0
    )["a"]
    error = math.sqrt(found.value * (1 - found.value) / n)
    assert found.value == confusion.ACCURACY.compute(y, scores, None)
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.645 * error, rel=0.3)
    assert found.low < found.value < found.high


def test_fewer_rows_may_be_resampled_for_as_wide_an_interval() -> None:
    """Who has many slices resamples less of each: the interval is that of all rows, a little rougher."""
    n = 4000
    y = (np.arange(n) % 4 == 0).astype(np.int64)
    scores = Scores(values=np.full((n, 2), 0.5), decisions=np.zeros(n, np.int64))
    widths = []
    for most in (n, 400):
        found = score(
            y, scores, None, metrics={"accuracy": confusion.ACCURACY}, confidence=0.95, n_bootstrap=400, seed=1,
            most_rows=most,
        )["accuracy"]  # fmt: skip
        assert found.value == 0.75
        assert found.low is not None
        assert found.high is not None
        widths.append(found.high - found.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.2)


def test_equal_arguments_give_bit_equal_intervals() -> None:
    """The seed decides the draws, and another seed draws otherwise."""
    y, scores = _classes(200)
    first, again, other = (
        score(y, scores, None, metrics=BINARY, confidence=0.9, n_bootstrap=30, seed=seed)
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first["roc_auc"].low != other["roc_auc"].low
    assert first["roc_auc"].value == other["roc_auc"].value


def test_a_metric_of_its_own_gets_the_same_draws() -> None:
    """A metric that names no statistic gets the interval of its twin that does."""
    y, scores = _classes(100)
    bare = Metric("bare", greater_is_better=True, compute=BINARY["f1"].compute, title="Bare")
    found = score(
        y, scores, None, metrics={"bare": bare, "f1": BINARY["f1"]}, confidence=0.9, n_bootstrap=30, seed=1
    )
    assert list(found) == ["bare", "f1"]
    assert found["bare"] == found["f1"]


def test_without_resamples_there_are_no_bounds() -> None:
    """No resamples, or no rows, give values without bounds; no rows give NaN."""
    y, scores = _classes(50)
    assert score(y, scores, None, metrics=BINARY, confidence=0.9, n_bootstrap=0, seed=1)[
        "accuracy"
    ] == Interval(confusion.ACCURACY.compute(y, scores, None), None, None)
    none = Scores(values=np.empty((0, 2)), decisions=np.zeros(0, dtype=np.int64))
    for interval in score(
        np.zeros(0, dtype=np.int64), none, None, metrics=BINARY, confidence=0.9, n_bootstrap=10, seed=1
    ).values():
        assert math.isnan(interval.value)
        assert (interval.low, interval.high) == (None, None)


def test_an_undefined_metric_has_no_bounds() -> None:
    """On rows of one class the AUC is undefined and has no bounds, while the accuracy has both."""
    values = np.array([[0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    scores = Scores(values=values, decisions=np.array([1, 0, 1]))
    found = score(np.array([1, 1, 1]), scores, None, metrics=BINARY, confidence=0.9, n_bootstrap=20, seed=1)
    assert found["roc_auc"].to_json() == {"value": None, "low": None, "high": None}
    assert found["accuracy"].low is not None

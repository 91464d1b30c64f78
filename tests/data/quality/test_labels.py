"""Confident learning: the paper's formulas by hand, and classes that were flipped on purpose."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from engine.data.quality.labels import check_labels, confident_class, estimate_joint
from engine.data.schema import Column

ColumnOf = Callable[..., Column]


def test_the_formulas_are_hand_worked() -> None:
    """Thresholds are the mean self-confidence of a class; the joint keeps the shares of the given classes."""
    # Class 0 is sure at 0.8 (the mean of .9 .9 .6), class 1 at 0.75 (of .9 .9 .9 .3).
    y = np.array([0, 0, 0, 1, 1, 1, 1])
    of_one = np.array([0.1, 0.1, 0.4, 0.9, 0.9, 0.9, 0.3])
    likely = confident_class(np.column_stack([1 - of_one, of_one]), y)
    assert likely.tolist() == [0, 0, -1, 1, 1, 1, -1]
    of_one[6] = 0.1
    # Now class 1 is sure at 0.7, and the last row is of class 0 at 0.9.
    likely = confident_class(np.column_stack([1 - of_one, of_one]), y)
    assert likely.tolist() == [0, 0, -1, 1, 1, 1, 0]
    joint = estimate_joint(likely, y, 2)
    assert joint == pytest.approx(np.array([[3 / 7, 0], [4 / 7 / 4, 4 / 7 * 3 / 4]]))


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1])
def test_flipped_classes_are_estimated_and_named(share: float, column_of: ColumnOf) -> None:
    """Where classes are apart, the estimate is near what was flipped, and nearly all named rows are flipped."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 3000)
    frame = pl.DataFrame({"a": truth * 3 + rng.normal(0, 1, 3000), "b": truth * 3 + rng.normal(0, 1, 3000)})
    flipped = rng.random(3000) < share
    found = check_labels(
        frame,
        [column_of("a", "number"), column_of("b", "number")],
        np.where(flipped, 1 - truth, truth),
        np.arange(3000),
        names=["n", "p"],
        target=column_of("y", "category", "target"),
    )
    assert found.measures["label_noise"] == pytest.approx(share, abs=0.02)
    if share:
        (only,) = found.findings
        named = [int(row) - 1 for row in str(only.evidence["first_rows"]).split(", ")]
        assert len(named) == 20
        assert flipped[named].mean() >= 0.9
        assert only.severity == "warning"


def test_what_can_not_be_estimated_is_not(column_of: ColumnOf) -> None:
    """Classes of few rows, and features that are constant, give no estimate."""
    features, target = [column_of("a", "number")], column_of("y", "category", "target")
    y = np.array([0] * 90 + [1] * 10)
    varied, constant = pl.DataFrame({"a": np.arange(100.0)}), pl.DataFrame({"a": [1.0] * 100})
    for frame, classes in ((varied, y), (constant, np.arange(100) % 2)):
        found = check_labels(frame, features, classes, np.arange(100), names=["n", "p"], target=target)
        assert np.isnan(found.measures["label_noise"])
        assert found.findings == ()


def test_no_class_of_a_hidden_target_is_shown(column_of: ColumnOf) -> None:
    """Of a sensitive target the rows are named, and no class."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 1000)
    target = column_of("y", "category", "target", sensitive=True)
    frame = pl.DataFrame({"a": truth * 4 + rng.normal(0, 1, 1000)})
    y = np.where(rng.random(1000) < 0.1, 1 - truth, truth)
    found = check_labels(
        frame, [column_of("a", "number")], y, np.arange(1000), names=["secret-n", "secret-p"], target=target
    )
    assert found.findings
    assert "secret" not in str(found)

"""Thresholds of groups: the best that keep within a bound, on the rows that choose them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np
import polars as pl
import pytest

from engine.data.parts import PartData
from engine.data.schema import Column, Schema
from engine.errors import DataError
from engine.evaluation.fairness import audit
from engine.models.thresholds import GroupThresholds
from engine.names import TASKS
from engine.recipe.spec import Spec
from engine.recipe.spec_model import FairnessSpec
from engine.tasks.task import Array, Scores, Target, Task
from engine.tasks.threshold import candidates
from engine.training.mitigation_thresholds import choose_groups

TARGET = Target("repaid", "binary", ("no", "yes"))
SCHEMA = Schema((Column("g", "category", "id", "string", nullable=True),), None, "error", "error")
TASK = cast("Task", TASKS.load("classification"))
VALUE = {"true_positive": 5, "false_positive": -3, "currency": "EUR"}


def people(n: int, *, seed: int = 0, names: tuple[str | None, ...] = ("a", "b")) -> tuple[PartData, Array]:
    """Draw rows of groups of which each is less often positive than the one before, and their probabilities."""
    rng = np.random.default_rng(seed)
    g = rng.integers(len(names), size=n)
    p = 1 / (1 + np.exp(-(rng.normal(size=n) * 1.5 + 0.5 - 1.2 * g)))
    y = (rng.random(n) < p).astype(np.int64)
    frame = pl.DataFrame({"g": [names[at] for at in g]}, schema={"g": pl.String})
    return PartData(frame, y, None), np.stack([1 - p, p], axis=1)


def choose(
    make_spec: Callable[..., Spec],
    part: PartData,
    values: Array,
    bounds: dict[str, dict[str, float]],
    **changes: object,
) -> GroupThresholds | None:
    """Choose as a run does, by the recipe about loans with some values changed."""
    spec = make_spec(changes)
    how = FairnessSpec.model_validate({"kind": "thresholds", "by": "g", "bounds": bounds})
    overall = TASK.choose_threshold(part.y, values, None, spec=spec) if part.n_rows else None
    return choose_groups(part, values, overall=overall, how=how, task=TASK, schema=SCHEMA, spec=spec)


def measured(part: PartData, decisions: Array) -> dict[str, float]:
    """Return the gaps between the groups."""
    return dict(audit(part.frame, by=["g"], y=part.y, decisions=decisions, weights=None).measures)


def worth(
    metric: str, part: PartData, values: Array, decisions: Array, make_spec: Callable[..., Spec]
) -> float:
    """Return what decisions reach."""
    from engine.evaluation.evaluate import metrics_for

    spec = make_spec({"goal.value": VALUE})
    found = metrics_for(spec, task=TASK, target=TARGET)[metric]
    return found.compute(part.y, Scores(values, decisions), None)


RATIO, DIFFERENCE = ("demographic_parity_ratio", "min", 0.9), ("demographic_parity_difference", "max", 0.05)


@pytest.mark.parametrize(
    ("metric", "name", "side", "limit"),
    [
        ("f1", *RATIO),
        ("profit", *RATIO),
        ("matthews_corrcoef", *DIFFERENCE),
        ("balanced_accuracy", "equalized_odds_difference", "max", 0.3),
        ("f1", "equalized_odds_ratio", "min", 0.5),
    ],
)
def test_no_pair_of_thresholds_is_better(
    name: str, side: str, limit: float, metric: str, make_spec: Callable[..., Spec]
) -> None:
    """Of all pairs that two groups can have, those within the bound reach no more, to a hundredth."""
    part, values = people(40)
    found = choose(
        make_spec, part, values, {name: {side: limit}}, **{"task.threshold": metric, "goal.value": VALUE}
    )
    assert found is not None
    decisions = (values[:, 1] >= found.of(part.frame)).astype(np.int64)

    def within(decided: Array) -> bool:
        gap = measured(part, decided)[name]
        return bool(gap >= limit - 1e-9 if side == "min" else gap <= limit + 1e-9)

    assert within(decisions)
    ours = worth(metric, part, values, decisions, make_spec)
    of_a = (part.frame["g"] == "a").to_numpy()
    best = -np.inf
    for low in candidates(part.y[of_a], values[of_a, 1], None)[0]:
        for high in candidates(part.y[~of_a], values[~of_a, 1], None)[0]:
            decided = (values[:, 1] >= np.where(of_a, low, high)).astype(np.int64)
            if within(decided):
                best = max(best, worth(metric, part, values, decided, make_spec))
    assert best >= ours - 1e-9
    assert ours >= best - 0.01 * abs(best)


def test_fairlearns_randomised_thresholds_are_hardly_better(make_spec: Callable[..., Spec]) -> None:
    """With equal rates asked for, the accuracy is that of fairlearn's optimum, which may draw lots."""
    from fairlearn.postprocessing import ThresholdOptimizer
    from sklearn.base import BaseEstimator, ClassifierMixin

    class Known(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, x: Array, y: Array) -> Known:
            self.classes_ = np.array([0, 1])
            return self

        def predict_proba(self, x: Array) -> Array:
            return np.concatenate([1 - x, x], axis=1)

    part, values = people(3000)
    found = choose(
        make_spec, part, values, {"demographic_parity_ratio": {"min": 0.99}}, **{"task.threshold": "accuracy"}
    )
    assert found is not None
    decisions = (values[:, 1] >= found.of(part.frame)).astype(np.int64)
    ours = float((decisions == part.y).mean())
    theirs = ThresholdOptimizer(
        estimator=Known(), constraints="demographic_parity", objective="accuracy_score", grid_size=1000,
        predict_method="predict_proba",
    )  # fmt: skip
    groups, x = part.frame["g"].to_numpy(), values[:, 1:]
    theirs.fit(x, part.y, sensitive_features=groups)
    chances = theirs._pmf_predict(x, sensitive_features=groups)[:, 1]
    best = float(np.where(part.y == 1, chances, 1 - chances).mean())
    assert ours == pytest.approx(best, abs=0.005)
    assert measured(part, decisions)["demographic_parity_ratio"] >= 0.99


def test_small_groups_and_nulls_keep_the_threshold_of_all(make_spec: Callable[..., Spec]) -> None:
    """Below ten rows nothing is chosen; rows with a null are a group that others must keep near to."""
    part, values = people(400, names=("a", "b", None))
    few = pl.DataFrame({"g": ["few"] * 9}, schema={"g": pl.String})
    part = PartData(pl.concat([part.frame, few]), np.append(part.y, [1] * 9), None)
    values = np.concatenate([values, np.full((9, 2), 0.5)])
    found = choose(make_spec, part, values, {"demographic_parity_ratio": {"min": 0.8}})
    assert found is not None
    assert sorted(found.own) == [("a",), ("b",)]
    decisions = (values[:, 1] >= found.of(part.frame)).astype(np.int64)
    assert measured(part, decisions)["demographic_parity_ratio"] >= 0.8
    assert found.of(pl.DataFrame({"g": [None, "few", "new"]})).tolist() == [found.overall] * 3


def test_what_cannot_be_chosen_is_said(make_spec: Callable[..., Spec]) -> None:
    """No validation rows, and rows that no thresholds keep together."""
    part, values = people(40)
    bounds = {"demographic_parity_ratio": {"min": 0.9}}
    with pytest.raises(DataError, match="chosen on validation rows, and no row is of that part"):
        choose(make_spec, PartData(part.frame[:0], part.y[:0], None), values[:0], bounds)
    # All of one group are said to be certain, all of the other impossible: no threshold lies beyond.
    certain = np.where(part.frame["g"] == "a", 1.0, 0.0)
    with pytest.raises(DataError, match="no thresholds keep the groups by g within the bounds on 40 rows"):
        choose(make_spec, part, np.stack([1 - certain, certain], axis=1), bounds)

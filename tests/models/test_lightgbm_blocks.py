"""LightGBM on blocks of rows gives the trees that it gives on all of them at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from engine.errors import DataError, RecipeError
from engine.models.family import Array, Problem, Rows
from engine.models.lightgbm import FAMILY
from engine.tasks.task import TargetKind
from tests.models.problems import make_problem

PARAMS = {"n_estimators": 30, "num_leaves": 7, "min_child_samples": 10}


@dataclass(frozen=True)
class Cut:
    """Rows as blocks of 300."""

    rows: Rows
    classes: Array

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.rows.y)

    def __iter__(self) -> Iterator[Rows]:
        """Yield the blocks in order."""
        for at in range(0, self.n_rows, 300):
            block = slice(at, at + 300)
            weights = None if self.rows.weights is None else self.rows.weights[block]
            yield Rows(self.rows.x[block], self.rows.y[block], weights)


def rows(n: int, kind: TargetKind, *, seed: int = 0, weighted: bool = False) -> Rows:
    """Return rows of two numbers, one with gaps, and a category."""
    rng = np.random.default_rng(seed)
    x = np.stack([rng.normal(size=n), rng.normal(size=n), rng.integers(0, 4, n)], axis=1)
    score = 2 * x[:, 0] + (x[:, 2] == 3) + 0.5 * rng.normal(size=n)
    x[rng.random(n) < 0.1, 1] = np.nan
    targets = {
        "binary": (score > 0).astype(np.int64),
        "multiclass": np.digitize(score, [-1, 1]).astype(np.int64) * 2,  # class 1 and 3 are not there
        "continuous": score,
    }
    return Rows(x, targets[kind], rng.uniform(0.5, 2, n) if weighted else None)


def problem(train: Rows, kind: TargetKind, *, validation: Rows | None = None, **params: object) -> Problem:
    """Return a problem on these rows."""
    return make_problem(
        train,
        kind,
        validation=validation,
        n_classes={"binary": 2, "multiclass": 5, "continuous": 1}[kind],
        category_sizes={2: 4},
        params={**PARAMS, **params},
    )


def classes_of(rows: Rows, kind: TargetKind) -> Array:
    """Return the classes of some rows."""
    return np.empty(0, np.int64) if kind == "continuous" else np.unique(rows.y)


@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous"])
def test_blocks_give_the_trees_of_all_rows(kind: TargetKind, weighted: bool) -> None:
    """With all rows as the sample that bins them: the same answers, rounds and importances."""
    train, held = rows(2000, kind, weighted=weighted), rows(500, kind, seed=1, weighted=weighted)
    asked = problem(train, kind, validation=held, early_stopping_rounds=5)
    whole = FAMILY.fit(asked)
    found = FAMILY.fit_blocks(asked, Cut(train, classes_of(train, kind)))
    np.testing.assert_allclose(found.predict(held.x), whole.predict(held.x), rtol=1e-12, atol=1e-12)
    assert found.n_iterations == whole.n_iterations
    np.testing.assert_allclose(np.asarray(found.importances), np.asarray(whole.importances))


def test_the_sample_bins_and_all_rows_teach() -> None:
    """Of a sample of 300 rows the bins are a little other, and the model is that of all the rows."""
    train, test = rows(6000, "binary"), rows(3000, "binary", seed=1)
    few = Rows(train.x[:300], train.y[:300], None)
    found, of_few, whole = (
        FAMILY.fit_blocks(problem(few, "binary"), Cut(train, np.array([0, 1]))),
        FAMILY.fit(problem(few, "binary")),
        FAMILY.fit(problem(train, "binary")),
    )
    losses = [-np.log(one.predict(test.x)[np.arange(3000), test.y]).mean() for one in (found, of_few, whole)]
    assert losses[0] < losses[1]
    assert losses[0] == pytest.approx(losses[2], abs=0.01)


def test_what_blocks_can_not_do_is_refused() -> None:
    """Weights of classes, which need all rows; and one class, of which nothing is learnt."""
    train = rows(600, "binary")
    with pytest.raises(RecipeError, match="class_weight needs all rows at once, and they are streamed"):
        FAMILY.fit_blocks(problem(train, "binary", class_weight="balanced"), Cut(train, np.array([0, 1])))
    with pytest.raises(DataError, match="all of one class"):
        FAMILY.fit_blocks(problem(train, "binary"), Cut(train, np.array([1])))

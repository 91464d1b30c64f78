"""The `hist_gradient_boosting` family against scikit-learn."""

from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from engine.features.needs import Needs
from engine.models.family import Rows
from engine.models.hist_gradient_boosting import FAMILY
from engine.recipe.spec_model import ModelSpec

KINDS = ["binary", "multiclass", "continuous"]
PARAMS = {"max_iter": 40, "max_leaf_nodes": 15}


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_is_the_boosting(cases: ModuleType, kind: str) -> None:
    """The graph answers as the boosting does: on missing values and levels, at thresholds and beside them."""
    fitted = FAMILY.fit(cases.problem(kind, params=PARAMS))
    n_outputs = cases.N_CLASSES[kind]
    x = cases.table(kind, n=500, missing=True, seed=3).x
    hard = cases.hard_rows(fitted, x, n_outputs=n_outputs, missing=True)

    assert cases.largest_difference(fitted, x, n_outputs=n_outputs) <= FAMILY.tolerance
    assert cases.largest_difference(fitted, hard, n_outputs=n_outputs) <= FAMILY.tolerance


@pytest.mark.parametrize("kind", KINDS)
def test_missing_only_when_asked(cases: ModuleType, kind: str) -> None:
    """NaN goes the same way in the graph where training had none."""
    fitted = FAMILY.fit(cases.problem(kind, params=PARAMS, missing=False))
    x = cases.table(kind, n=500, missing=True, seed=3).x

    assert cases.largest_difference(fitted, x, n_outputs=cases.N_CLASSES[kind]) <= FAMILY.tolerance


@pytest.mark.parametrize("name", ["adult", "penguins", "diamonds"])
def test_real_data(cases: ModuleType, name: str) -> None:
    """On 2000 rows of real data the graph answers as the boosting does."""
    problem = cases.real(name, params=PARAMS, missing=True)

    assert (
        cases.largest_difference(FAMILY.fit(problem), problem.train.x, n_outputs=problem.n_classes)
        <= FAMILY.tolerance
    )


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_same(cases: ModuleType, kind: str) -> None:
    """Two fits on equal rows and seed write the same bytes and answer the same bits."""
    problem = cases.problem(kind, params=PARAMS, weights=True)
    one, two = FAMILY.fit(problem), FAMILY.fit(problem)
    shape = {"width": cases.WIDTH, "n_outputs": problem.n_classes}

    assert cases.model_of(one, **shape) == cases.model_of(two, **shape)
    assert one.predict(problem.train.x).tobytes() == two.predict(problem.train.x).tobytes()


def test_no_rows_and_one_row(cases: ModuleType) -> None:
    """0 rows are answered with 0 rows and 1 with 1, by the family and by the graph."""
    problem = cases.problem("continuous", params=PARAMS)
    fitted = FAMILY.fit(problem)
    model = cases.model_of(fitted, width=cases.WIDTH, n_outputs=1)

    for n in (0, 1):
        assert fitted.predict(problem.train.x[:n]).shape == (n,)
        assert cases.run(model, problem.train.x[:n]).shape == (n, 1)


def test_stopping_early_on_the_given_rows(cases: ModuleType) -> None:
    """With validation rows the fit stops ten iterations after those rows were answered best."""
    told: list[tuple[int, int, float | None]] = []
    problem = cases.problem("binary", params={"max_iter": 500})

    fitted = FAMILY.fit(problem, lambda *facts: told.append(facts))

    scores = fitted.estimator.validation_score_
    assert fitted.n_iterations == len(scores) - 1 == int(np.argmax(scores)) + 10 < 500
    assert problem.validation is not None
    p = fitted.predict(problem.validation.x)[np.arange(300), problem.validation.y]
    assert told == [(fitted.n_iterations, 500, pytest.approx(np.log(p).mean()))]


@pytest.mark.parametrize("how", ["no rows", "not wished"])
def test_not_stopping(cases: ModuleType, how: str) -> None:
    """Without validation rows, or where the recipe says so, every iteration runs."""
    wished = {} if how == "no rows" else {"early_stopping": False}
    problem = cases.problem("binary", params={"max_iter": 120, **wished}, validation=how != "no rows")

    assert FAMILY.fit(problem).n_iterations == 120


def test_the_cap_and_the_gains(cases: ModuleType) -> None:
    """`max_iterations` caps the trees; what says most about the target has the largest gain."""
    problem = cases.problem("binary", params=PARAMS, max_iterations=5)
    x = problem.train.x.copy()
    y = np.isin(x[:, 3], [0, 4, 7]).astype(np.int64)

    fitted = FAMILY.fit(replace(problem, train=Rows(x=x, y=y, weights=None), validation=None))

    assert fitted.n_iterations == 5
    assert fitted.importances is not None
    assert fitted.importances.sum() == pytest.approx(1.0)
    assert fitted.importances[3] > 0.99


def test_one_level_and_what_is_missing(cases: ModuleType) -> None:
    """A category of one level is told from a missing one, which scikit-learn's own categories fail at."""
    random = np.random.default_rng(0)
    x = np.column_stack([random.choice([0.0, np.nan], 700), random.integers(0, 5, 700).astype(float)])
    y = (np.isnan(x[:, 0]) ^ (x[:, 1] > 2)).astype(np.int64)
    problem = cases.problem("binary", params={"max_iter": 20}, validation=False)
    problem = replace(problem, train=Rows(x=x, y=y, weights=None), category_sizes={0: 1, 1: 5})

    fitted = FAMILY.fit(problem)

    assert np.array_equal(fitted.predict(x).argmax(axis=1), y)
    assert cases.largest_difference(fitted, x, n_outputs=2) <= FAMILY.tolerance


@pytest.mark.parametrize("kind", ["binary", "continuous"])
def test_a_column_without_a_value_is_no_obstacle(cases: ModuleType, kind: str) -> None:
    """A column that training rows hold nothing in teaches nothing, and what is there later changes nothing."""
    problem = cases.problem(kind, params={"max_iter": 20})
    assert problem.validation is not None
    empty = [problem.train.x.copy(), problem.validation.x.copy()]
    for x in empty:
        x[:, 0] = np.nan
    train, validation = replace(problem.train, x=empty[0]), replace(problem.validation, x=empty[1])

    fitted = FAMILY.fit(replace(problem, train=train, validation=validation))

    want = fitted.predict(train.x)
    assert np.ptp(want) > 0
    assert fitted.importances is not None
    assert fitted.importances[0] == 0
    np.testing.assert_array_equal(fitted.predict(problem.train.x), want)
    n_outputs = want.reshape(len(want), -1).shape[1]
    for x in (train.x, problem.train.x):
        assert cases.largest_difference(fitted, x, n_outputs=n_outputs) <= FAMILY.tolerance


def test_a_class_that_training_lacks(cases: ModuleType) -> None:
    """A class seen in validation only gets probability 0, and its rows do not stop the fit."""
    problem = cases.problem("multiclass", params=PARAMS)
    kept = problem.train.y != 1
    train = Rows(x=problem.train.x[kept], y=problem.train.y[kept], weights=None)

    fitted = FAMILY.fit(replace(problem, train=train))

    assert not fitted.predict(train.x)[:, 1].any()
    assert cases.largest_difference(fitted, train.x, n_outputs=3) <= FAMILY.tolerance


def test_needs_and_check() -> None:
    """A bin is kept for levels that training has not seen; the family says who sets what no recipe may."""
    few = ModelSpec(family="hist_gradient_boosting", params={"max_bins": 64}, space={})
    model = ModelSpec(
        family="hist_gradient_boosting", params={"categorical_features": (1,), "random_state": 1}, space={}
    )

    assert FAMILY.needs(few) == Needs(categories="native", missing="ok", scale=False, max_categories=63)
    assert FAMILY.needs(model).max_categories == 254
    assert FAMILY.check(few, "regression") == []
    assert [str(message) for message in FAMILY.check(model, "classification")] == [
        "model.params.categorical_features\n"
        "  'categorical_features' is set by schema.columns\n"
        "  try: engine options model/hist_gradient_boosting",
        "model.params.random_state\n"
        "  'random_state' is set by seed\n"
        "  try: engine options model/hist_gradient_boosting",
    ]

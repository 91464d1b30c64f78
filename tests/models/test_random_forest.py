"""The `random_forest` family against scikit-learn."""

from types import ModuleType

import numpy as np
import pytest

from engine.errors import RecipeError
from engine.features.needs import Needs
from engine.models.random_forest import FAMILY
from engine.recipe.spec_model import ModelSpec

KINDS = ["binary", "multiclass", "continuous"]
PARAMS = {"n_estimators": 15, "min_samples_leaf": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_is_the_forest(cases: ModuleType, kind: str) -> None:
    """The graph answers as the forest does, also at thresholds and a float or a double beside them."""
    fitted = FAMILY.fit(cases.problem(kind, params=PARAMS, missing=False))
    n_outputs = cases.N_CLASSES[kind]
    x = cases.table(kind, n=500, missing=False, seed=3).x
    hard = cases.hard_rows(fitted, x, n_outputs=n_outputs, missing=False)

    assert cases.largest_difference(fitted, x, n_outputs=n_outputs) <= FAMILY.tolerance
    assert cases.largest_difference(fitted, hard, n_outputs=n_outputs) <= FAMILY.tolerance


@pytest.mark.parametrize("name", ["adult", "penguins", "diamonds"])
def test_real_data(cases: ModuleType, name: str) -> None:
    """On 2000 rows of real data the graph answers as the forest does."""
    problem = cases.real(name, params=PARAMS, missing=False)

    assert (
        cases.largest_difference(FAMILY.fit(problem), problem.train.x, n_outputs=problem.n_classes)
        <= FAMILY.tolerance
    )


@pytest.mark.parametrize("kind", KINDS)
def test_twice_the_same(cases: ModuleType, kind: str) -> None:
    """Two fits on equal rows and seed write the same bytes and answer the same bits."""
    problem = cases.problem(kind, params=PARAMS, missing=False, weights=True)
    one, two = FAMILY.fit(problem), FAMILY.fit(problem)
    shape = {"width": cases.WIDTH, "n_outputs": problem.n_classes}

    assert cases.model_of(one, **shape) == cases.model_of(two, **shape)
    assert one.predict(problem.train.x).tobytes() == two.predict(problem.train.x).tobytes()


def test_no_rows_and_one_row(cases: ModuleType) -> None:
    """0 rows are answered with 0 rows and 1 with 1, by the family and by the graph."""
    problem = cases.problem("multiclass", params=PARAMS, missing=False)
    fitted = FAMILY.fit(problem)
    model = cases.model_of(fitted, width=cases.WIDTH, n_outputs=3)

    for n in (0, 1):
        assert fitted.predict(problem.train.x[:n]).shape == (n, 3)
        assert cases.run(model, problem.train.x[:n]).shape == (n, 3)


def test_a_number_that_the_library_refuses_is_a_mistake_of_the_recipe(cases: ModuleType) -> None:
    """One beyond single precision, which no training row had."""
    fitted = FAMILY.fit(cases.problem("binary", params=PARAMS, missing=False))
    x = cases.table("binary", n=2, missing=False).x
    x[0, 0] = 1e50
    with pytest.raises(RecipeError, match="RandomForestClassifier could not answer"):
        fitted.predict(x)


def test_the_cap_and_what_is_told(cases: ModuleType) -> None:
    """`max_iterations` caps the trees, progress is told, and the importances are the library's own."""
    told: list[tuple[int, int, float | None]] = []
    problem = cases.problem("binary", params=PARAMS, missing=False, max_iterations=4)

    fitted = FAMILY.fit(problem, lambda *facts: told.append(facts))

    assert fitted.n_iterations == len(fitted.estimator.estimators_) == 4
    assert told == [(4, 4, None)]
    assert fitted.importances is not None
    np.testing.assert_allclose(fitted.importances, fitted.estimator.feature_importances_)
    assert fitted.to_skops() is None


def test_weights_count(cases: ModuleType) -> None:
    """Weights of rows change the forest."""
    plain = FAMILY.fit(cases.problem("binary", params=PARAMS, missing=False))
    weighted = FAMILY.fit(cases.problem("binary", params=PARAMS, missing=False, weights=True))
    x = cases.table("binary", n=100, missing=False).x

    assert not np.array_equal(plain.predict(x), weighted.predict(x))


def test_needs_and_check() -> None:
    """The family takes level indices with nothing missing, and names what it does not know."""
    model = ModelSpec(family="random_forest", params={"n_estimator": 5, "n_jobs": 2}, space={})

    assert FAMILY.needs(model) == Needs(
        categories="codes", missing="impute", scale=False, max_categories=None
    )
    assert FAMILY.deployed_as(model) == "graph"
    assert [str(message) for message in FAMILY.check(model, "classification")] == [
        "model.params.n_estimator\n"
        "  'n_estimator' is not a parameter of random_forest\n"
        "  did you mean 'n_estimators'?\n"
        "  allowed: bootstrap, ccp_alpha, class_weight, criterion, max_depth, max_features, max_leaf_nodes, "
        "max_samples, min_impurity_decrease, min_samples_leaf and 5 more\n"
        "  try: engine options model/random_forest",
        "model.params.n_jobs\n"
        "  'n_jobs' is set by compute.threads\n"
        "  try: engine options model/random_forest",
    ]

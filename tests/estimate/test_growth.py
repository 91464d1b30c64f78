from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from engine.estimate.growth import MEASURED, Fit, Growth, Typical, growth, learning_rate
from engine.names import FAMILIES
from engine.recipe import text
from engine.recipe.find import shipped
from engine.recipe.spec_model import ModelSpec

# Of classes, 100 rows keep 10 rounds at a rate of 1, and four times as many rows twice as many.
TYPICAL = dict.fromkeys(MEASURED, Typical(1.0, 3.0, 0.5))


def model_of(family: str, params: Mapping[str, object] | None = None) -> ModelSpec:
    """Return the model that `conf/` has, with its params or others."""
    value = text.read(shipped("conf") / "model" / f"{family}.yaml").mapping()
    return ModelSpec.model_validate_json(
        json.dumps({**value, **({} if params is None else {"params": params})})
    )


def fit_of(**changes: object) -> Fit:
    """Return a fit of 10,000 rows of 16 columns with 4 numbers; of two classes, which may stop."""
    known = {"n_train": 10_000.0, "n_features": 16.0, "n_numbers": 4.0, "n_outputs": 1, "may_stop": True}
    return Fit(**{**known, "limit": None, "is_continuous": False, **changes})  # type: ignore[arg-type]


def grown(family: str, params: Mapping[str, object] | None = None, **changes: object) -> Growth:
    """Return what a model of a measured family grows to."""
    found = growth(model_of(family, params), fit_of(**changes), TYPICAL)
    assert found is not None
    return found


def test_every_family_that_we_ship_is_measured_but_two() -> None:
    """A family is known here, or its plan says that there is no measure."""
    assert {*MEASURED, "sklearn", "sgd"} == set(FAMILIES.names())
    assert growth(model_of("sklearn", {}), fit_of(), TYPICAL) is None


@pytest.mark.parametrize(
    ("family", "params", "changes", "kept", "rounds"),
    [
        # 100 rounds at a rate of 1, ten times as many at a tenth; then the patience
        ("lightgbm", {"n_estimators": 5000, "early_stopping_rounds": 50, "learning_rate": 0.1}, {}, 1000, 1050),
        ("lightgbm", {"n_iter": 5000, "early_stopping_round": 50, "eta": 0.1}, {}, 1000, 1050),
        ("lightgbm", {"n_estimators": 1020, "early_stopping_rounds": 50, "learning_rate": 0.1}, {}, 1000, 1020),
        ("lightgbm", {"n_estimators": 700, "early_stopping_rounds": 50, "learning_rate": 0.1}, {}, 700, 700),
        ("lightgbm", {"n_estimators": 700, "learning_rate": 0.5}, {}, 700, 700),
        ("lightgbm", {"n_estimators": 700, "early_stopping_rounds": 50}, {"may_stop": False}, 700, 700),
        ("lightgbm", {"n_estimators": 700, "early_stopping_rounds": 50}, {"limit": 20}, 20, 20),
        ("lightgbm", {}, {}, 100, 100),
        ("xgboost", {}, {}, 100, 100),
        ("xgboost", {"n_estimators": 5000, "early_stopping_rounds": 30, "eta": 0.5}, {}, 200, 230),
        ("xgboost", {"n_estimators": 5000, "early_stopping_rounds": 30}, {}, 100 / 0.3, 100 / 0.3 + 30),
        ("hist_gradient_boosting", {"max_iter": 5000, "n_iter_no_change": 10}, {}, 1000, 1010),
        ("random_forest", {"n_estimators": 40}, {}, 40, 40),
        ("random_forest", {"n_estimators": 40}, {"limit": 20}, 20, 20),
    ],
)  # fmt: skip
def test_rounds_follow_the_parameters_by_whatever_name(
    family: str, params: dict[str, object], changes: dict[str, object], kept: float, rounds: float
) -> None:
    """Early stopping, the rate, the limits and the library's defaults decide how many rounds there are."""
    found = grown(family, params, **changes)
    assert found.kept == pytest.approx(kept)
    assert found.rounds == pytest.approx(rounds)


@pytest.mark.parametrize(
    ("family", "params", "changes", "leaves"),
    [
        ("lightgbm", {"num_leaves": 31, "min_child_samples": 20}, {}, 31),
        ("lightgbm", {"num_leaves": 31, "max_depth": 3}, {}, 8),
        ("lightgbm", {"num_leaves": 31, "min_child_samples": 20}, {"n_train": 200.0}, 10),
        ("xgboost", {"max_depth": 6}, {}, 64),
        ("xgboost", {"max_depth": 6, "max_leaves": 10}, {}, 10),
        ("hist_gradient_boosting", {}, {}, 31),
        ("random_forest", {"min_samples_leaf": 2}, {}, 10_000 * 0.632 / 2),
        ("random_forest", {"min_samples_leaf": 0.01}, {}, 63.2),
        ("random_forest", {"max_depth": 5}, {}, 32),
    ],
)
def test_leaves_are_bounded_by_parameters_and_by_rows(
    family: str, params: dict[str, object], changes: dict[str, object], leaves: float
) -> None:
    """A tree has no more leaves than its parameters and its rows allow."""
    assert grown(family, params, **changes).leaves == pytest.approx(leaves, rel=0.001)


def test_a_number_takes_more_rounds_than_classes() -> None:
    """What is typical differs between tasks."""
    params = {"n_estimators": 5000, "early_stopping_rounds": 50, "learning_rate": 0.1}
    assert grown("lightgbm", params, is_continuous=True).kept == pytest.approx(3000)


def test_trees_are_those_of_all_classes() -> None:
    """With three classes each round of boosting keeps three trees; a forest's trees know all classes."""
    params = {"n_estimators": 30}
    assert grown("lightgbm", params, n_outputs=3).trees == 90
    assert grown("random_forest", params, n_outputs=3).trees == 30


@pytest.mark.parametrize(
    ("given", "share"), [("sqrt", 1 / 4), ("log2", 1 / 4), (None, 1.0), (4, 1 / 4), (0.5, 0.5), (1.0, 1.0)]
)
def test_a_forest_looks_at_a_share_of_the_features(given: object, share: float) -> None:
    """`max_features` is a word, a number, or a share, as scikit-learn reads it."""
    assert grown("random_forest", {"max_features": given}).share == share


def test_a_networks_weights_are_counted() -> None:
    """4 numbers with 2 bins each and 12 categories of 3 numbers are 48 inputs, to 10, to one output."""
    params = {
        **model_of("mlp").params,
        "hidden_sizes": [10],
        "n_bins": 2,
        "embedding_size_max": 3,
        "max_epochs": 200,
        "patience": 8,
    }
    found = grown(
        "mlp", {key: list(value) if isinstance(value, tuple) else value for key, value in params.items()}
    )
    assert found.width == 4 * 3 + 12 * 3
    assert found.weights == 48 * 10 + 10
    assert (found.kept, found.rounds, found.limit) == (100, 108, 200)


@pytest.mark.parametrize(
    ("family", "params", "rate"),
    [("lightgbm", {}, 0.1), ("xgboost", {"eta": 0.02}, 0.02), ("mlp", None, 1.0), ("logistic", {}, 1.0)],
)
def test_the_rate_that_divides_the_rounds(family: str, params: dict[str, object] | None, rate: float) -> None:
    """Boosting has a rate, by whatever name or by default; for other families it is 1."""
    assert learning_rate(model_of(family, params)) == rate


def test_linear_models_have_one_round() -> None:
    """They grow no trees and hold few weights."""
    assert grown("ridge") == Growth()

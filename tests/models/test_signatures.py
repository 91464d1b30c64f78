"""The shipped index of estimators and parameters."""

import warnings

import numpy as np
import pytest

from engine.models.params import SIGNATURES, estimators, index


def test_the_index_is_that_of_the_installed_libraries() -> None:
    """`python -m engine.models._signatures` would write the very bytes that are shipped."""
    from engine.models._signatures import build, to_json

    assert to_json(build()) == SIGNATURES.read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # 2026-11: scikit-learn's estimators warn of their own defaults
def test_what_is_said_of_deployment_is_what_happens() -> None:
    """`plan` says how a class is deployed, and fitting and writing every class does just that."""
    from engine.models._signatures import with_ways

    said, seen = (
        {name: signature.deployed_as for name, signature in made.libraries["sklearn"].items()}
        for made in (index(), with_ways(index()))
    )
    assert said == seen


def test_the_index_holds_what_scikit_learn_has() -> None:
    """Classes that fit a table alone are in it, and what needs another estimator or target is not."""
    known = estimators("sklearn")
    assert len(known) == 73
    assert {"ExtraTreesClassifier", "KNeighborsRegressor", "SVC", "TweedieRegressor"} <= {*known}
    assert not {"StackingClassifier", "MultiTaskLasso", "IsotonicRegression", "CategoricalNB"} & {*known}
    assert all(signature.module.startswith("sklearn.") for signature in known.values())


@pytest.mark.parametrize(
    ("name", "kind", "probabilities", "ways", "missing"),
    [
        ("RandomForestClassifier", "classifier", True, {}, True),
        ("LogisticRegression", "classifier", True, {}, False),
        ("LinearSVC", "classifier", False, {}, False),
        ("SGDClassifier", "classifier", False, {"loss": ("log_loss", "modified_huber")}, False),
        ("Ridge", "regressor", False, {}, False),
    ],
)
def test_what_an_estimator_can_do(
    name: str, kind: str, probabilities: bool, ways: dict[str, tuple[str, ...]], missing: bool
) -> None:
    """The index knows kind, probabilities and missing values of a class."""
    signature = estimators("sklearn")[name]
    assert (signature.kind, signature.probabilities, signature.probabilities_with, signature.missing) == (
        kind,
        probabilities,
        ways,
        missing,
    )


def test_xgboosts_aliases_are_aliases() -> None:
    """Each native name of XGBoost that stands for a constructor's gives the very same model."""
    import xgboost

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 3)), rng.normal(size=80)
    values = {"learning_rate": 0.5, "reg_lambda": 3.0, "reg_alpha": 2.0, "gamma": 1.0, "random_state": 4}
    known = estimators("xgboost")["XGBRegressor"].parameters
    aliases = {name: known[name].same_as for name in known if known[name].same_as in values}
    assert aliases == {
        "eta": "learning_rate",
        "lambda": "reg_lambda",
        "alpha": "reg_alpha",
        "min_split_loss": "gamma",
        "seed": "random_state",
    }
    for alias, name in aliases.items():
        by_alias, by_name = (
            xgboost.XGBRegressor(n_estimators=3, subsample=0.5, n_jobs=1, **{given: values[name]}).fit(x, y)
            for given in (alias, name)
        )
        assert np.array_equal(by_alias.predict(x), by_name.predict(x)), alias


def test_ranges_of_the_boosters_are_theirs() -> None:
    """A value at the edge of each range of the index is one that the library takes."""
    import lightgbm
    import xgboost

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    makers = {
        "lightgbm": lambda **given: lightgbm.LGBMRegressor(n_jobs=1, verbosity=-1, **given),
        "xgboost": lambda **given: xgboost.XGBRegressor(n_jobs=1, verbosity=0, **given),
    }
    for library, estimator in (("lightgbm", "LGBMRegressor"), ("xgboost", "XGBRegressor")):
        for name, parameter in estimators(library)[estimator].parameters.items():
            for accepted in parameter.accepts or ():
                if accepted.low is None or name in {"early_stopping_rounds", "early_stopping_round"}:
                    continue
                edge = accepted.low + (0.5 if accepted.low_open else 0)
                value = int(edge) if accepted.type == "integer" else edge
                with warnings.catch_warnings(action="ignore"):  # of an alias beside the constructor's default
                    made = makers[library](**{"n_estimators": 2, name: value})
                    assert np.isfinite(made.fit(x, y).predict(x)).all(), name

"""Checking parameters by name, type and range against the shipped index."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep

from engine.errors import Message
from engine.models.params import Accepted, Given, check_params, check_value, estimators, known_params
from engine.names import FAMILIES
from engine.recipe.spec_model import ModelSpec

MODELS = Path(__file__).parents[2] / "conf" / "model"
TRY = "engine options model/random_forest"


def _check(
    params: dict[str, Given], *, library: str = "sklearn", estimator: str = "RandomForestClassifier"
) -> list[Message]:
    model = ModelSpec(family="random_forest", params=params, space={})
    return check_params(
        model, library=library, estimator=estimator, family="random_forest", managed={"random_state": "seed"}
    )


def test_right_parameters_give_no_messages() -> None:
    """What scikit-learn takes, of each of its kinds, is taken."""
    params = {
        "n_estimators": 10,
        "criterion": "entropy",
        "max_depth": None,
        "max_features": 0.5,
        "bootstrap": False,
        "class_weight": "balanced",
        "monotonic_cst": (0, 1),
    }
    assert _check(params) == []


def test_a_misspelt_name_is_told_in_five_facts() -> None:
    """The whole text of the message that DESIGN promises."""
    (message,) = _check({"n_estimator": 3})
    assert str(message) == (
        "model.params.n_estimator\n"
        "  'n_estimator' is not a parameter of random_forest\n"
        "  did you mean 'n_estimators'?\n"
        "  allowed: bootstrap, ccp_alpha, class_weight, criterion, max_depth, max_features, max_leaf_nodes, "
        "max_samples, min_impurity_decrease, min_samples_leaf and 8 more\n"
        "  try: engine options model/random_forest"
    )


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("random_state", 1, "'random_state' is set by seed"),
        ("max_depth", True, "'max_depth' must be an integer of at least 1 or null, not true"),
        ("max_depth", 0, "'max_depth' must be an integer of at least 1 or null, not 0"),
        ("max_depth", 2.0, "'max_depth' must be an integer of at least 1 or null, not 2.0"),
        ("ccp_alpha", "a", "'ccp_alpha' must be a number of at least 0, not 'a'"),
        ("criterion", None, "'criterion' must be one of the allowed words, not null"),
        ("bootstrap", 1, "'bootstrap' must be a boolean, not 1"),
        (
            "max_features",
            "sqr",
            "'max_features' must be an integer of at least 1, a number above 0 and at most 1, "
            "one of the allowed words or null, not 'sqr'",
        ),
        (
            "min_samples_leaf",
            1.0,
            "'min_samples_leaf' must be an integer of at least 1 or a number above 0 and below 1, not 1.0",
        ),
        (
            "class_weight",
            {"a": 1.0},
            "'class_weight' must be one of the allowed words or null, not {'a': 1.0}",
        ),
    ],
)
def test_a_wrong_value_is_told(name: str, value: Given, what: str) -> None:
    """Each kind of constraint of scikit-learn is kept, and said in words."""
    (message,) = _check({name: value})
    assert (message.what, message.key, message.try_) == (what, f"model.params.{name}", TRY)


def test_a_wrong_word_gets_the_nearest_right_one() -> None:
    """Options are listed, and the nearest is suggested."""
    (message,) = _check({"criterion": "ginni"})
    assert (message.suggestion, message.allowed) == ("gini", ("entropy", "gini", "log_loss"))


def test_all_mistakes_come_in_the_order_of_the_recipe() -> None:
    """One report holds every mistake."""
    assert [message.key for message in _check({"zzz": 1, "n_jobs": "a", "max_depth": 3, "criterion": 0})] == [
        "model.params.zzz",
        "model.params.n_jobs",
        "model.params.criterion",
    ]


@pytest.mark.parametrize(
    ("library", "estimator", "params", "whats"),
    [
        ("lightgbm", "LGBMClassifier", {"eta": 0.1, "feature_fraction": 0.5, "extra_trees": True}, []),
        ("lightgbm", "LGBMClassifier", {"random_seed": 1}, ["'random_seed' is set by seed"]),
        (
            "lightgbm",
            "LGBMRegressor",
            {"learning_rate": 0.1, "shrinkage_rate": 0.2},
            ["'shrinkage_rate' and 'learning_rate' are two names of one parameter"],
        ),
        (
            "lightgbm",
            "LGBMClassifier",
            {"max_leaf": 1},
            ["'max_leaf' must be an integer of at least 2 and at most 131072, not 1"],
        ),
        ("xgboost", "XGBClassifier", {"eta": 0.3, "lambda": 1, "max_depth": 4}, []),
        ("xgboost", "XGBRegressor", {"seed": 3}, ["'seed' is set by seed"]),
        (
            "xgboost",
            "XGBRegressor",
            {"subsample": 1.5},
            ["'subsample' must be a number above 0 and at most 1 or null, not 1.5"],
        ),
    ],
)
def test_native_names_and_aliases_of_the_boosters(
    library: str, estimator: str, params: dict[str, Given], whats: list[str]
) -> None:
    """LightGBM's and XGBoost's own names count as the constructor's, with its types and its managers."""
    assert [message.what for message in _check(params, library=library, estimator=estimator)] == whats


@pytest.mark.parametrize("name", ["config", "data", "output_model", "machines", "snapshot_freq"])
def test_what_reaches_files_and_machines_cannot_be_named(name: str) -> None:
    """A stranger's recipe can't make LightGBM read, write or connect."""
    assert name not in known_params("lightgbm", "LGBMClassifier")


def test_a_parameter_that_is_an_object_cannot_be_set() -> None:
    """What YAML can't say is refused in words."""
    (message,) = check_value("x", (), name="kernel", key="model.params.kernel", try_="")
    assert message.what == "'kernel' can't be set in a recipe: it is an object of the library"


@pytest.mark.parametrize(
    ("accepted", "inside", "outside"),
    [
        (Accepted("number", low=0, high=1), (0, 1, 0.5, 1.0), (-0.1, 1.1, True, "0", None)),
        (Accepted("number", low=0, high=1, low_open=True, high_open=True), (0.5,), (0, 1)),
        (Accepted("fraction", high=1), (0.5, 1.0), (1, 2.0)),
        (Accepted("integer"), (-1, 0), (0.0, False)),
        (Accepted("string"), ("any",), (1, None)),
        (Accepted("list"), ((), (1, "a")), ("a", {})),
        (Accepted("mapping"), ({},), ((),)),
    ],
)
def test_bounds_and_types(accepted: Accepted, inside: tuple[Given, ...], outside: tuple[Given, ...]) -> None:
    """A bound belongs to its range unless it is open, and a boolean is no number."""
    taken = [
        value
        for value in (*inside, *outside)
        if not check_value(value, (accepted,), name="x", key="", try_="")
    ]
    assert taken == list(inside)


def test_known_params_are_sorted_and_hold_aliases() -> None:
    """`engine options` can list them as they are."""
    names = known_params("lightgbm", "LGBMClassifier")
    assert list(names) == sorted(names)
    assert {"num_leaves", "max_leaf", "max_leaf_nodes"} <= {*names}


def test_every_default_is_accepted_by_its_own_constraints() -> None:
    """The index contradicts itself nowhere: a default that a recipe can write is one it may write."""
    refused = [
        f"{library}.{name}.{parameter}"
        for library in ("sklearn", "lightgbm", "xgboost")
        for name, signature in estimators(library).items()
        for parameter, known in signature.parameters.items()
        if known.accepts
        and not known.same_as
        and known.default not in {"inf", "-inf", "nan"}  # which a recipe can't write
        and check_value(known.default, known.accepts, name="", key="", try_="")
    ]
    assert refused == []


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_options_are_right(path: Path) -> None:
    """Every file of `conf/model` is named as its family, checks clean, and searches what the family takes."""
    option = yaml.safe_load(path.read_text())
    assert option["family"] == path.stem
    estimator = "ExtraTreesClassifier" if path.stem == "sklearn" else None
    assert option.get("estimator", estimator) in {estimator, "???"}
    family = FAMILIES.load(path.stem)
    task = "regression" if path.stem == "ridge" else "classification"
    parser = OverridesParser.create()
    ends: dict[str, dict[str, Given]] = {"low": {}, "high": {}}
    for name, text in option["space"].items():
        sweep = parser.parse_override(f"x={text}").value()
        edges = (
            (sweep.start, sweep.end) if isinstance(sweep, IntervalSweep) else (sweep.list[0], sweep.list[-1])
        )
        for end, value in zip(ends, edges, strict=True):
            ends[end][name] = tuple(value) if isinstance(value, list) else value
    for searched in ({}, *ends.values()):
        params = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in {**option["params"], **searched}.items()
        }
        model = ModelSpec(family=path.stem, estimator=estimator, params=params, space=option["space"])
        assert list(family.check(model, task)) == []


def test_every_family_has_an_option() -> None:
    """What is registered can be chosen, and nothing else is offered."""
    assert sorted(path.stem for path in MODELS.glob("*.yaml")) == list(FAMILIES.names())


def test_checking_imports_no_library() -> None:
    """`engine plan` stays fast: no library is loaded to check its parameters."""
    code = (
        "import sys\n"
        "from engine.models.params import check_params\n"
        "from engine.recipe.spec import ModelSpec\n"
        "model = ModelSpec(family='sklearn', params={'n_estimators': 1}, space={})\n"
        "check_params(model, library='lightgbm', estimator='LGBMClassifier', family='lightgbm')\n"
        "print(sorted({'sklearn', 'lightgbm', 'xgboost', 'torch', 'onnx', 'scipy'} & {*sys.modules}))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

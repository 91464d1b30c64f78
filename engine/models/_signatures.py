"""Writes `signatures.json` from the installed libraries: `python -m engine.models._signatures`.

Imported by nothing at run time: it loads every library. What a recipe from a stranger must not do (files,
network, other machines) is left out, so it can't be named.
"""

from __future__ import annotations

import inspect
import json
import math
import numbers
import types
import typing
import warnings
from importlib.metadata import version

import lightgbm
import msgspec
import numpy as np
import sklearn.utils._param_validation as validation
import xgboost
from lightgbm.basic import _ConfigAliases
from msgspec.structs import replace
from sklearn.utils import get_tags
from sklearn.utils.discovery import all_estimators

from engine.durable import write_bytes
from engine.models.family import Problem, Rows
from engine.models.params import SIGNATURES, Accepted, DeployedAs, Index, Parameter, Signature, index
from engine.models.sklearn import FAMILY
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind

_DISTRIBUTIONS = ("scikit-learn", "lightgbm", "xgboost-cpu", "skl2onnx")
# Read or write files, open sockets, or drive LightGBM's own command line
# (https://lightgbm.readthedocs.io/en/stable/Parameters.html).
_LIGHTGBM_REFUSED = """
    config task data valid input_model output_model output_result snapshot_freq save_binary convert_model
    convert_model_language machines machine_list_filename num_machines local_listen_port time_out
    parser_config_file forcedsplits_filename forcedbins_filename header label_column weight_column
    group_column ignore_column two_round pre_partition precise_float_parser num_iteration_predict
    start_iteration_predict predict_raw_score predict_leaf_index predict_contrib predict_disable_shape_check
""".split()  # noqa: SIM905 - thirty names are read as words
# Native names of XGBoost beyond its scikit-learn constructor, and the constructor's name of each alias
# (https://xgboost.readthedocs.io/en/stable/parameter.html).
_XGBOOST_ALIASES = {
    "eta": "learning_rate",
    "lambda": "reg_lambda",
    "alpha": "reg_alpha",
    "min_split_loss": "gamma",
    "nthread": "n_jobs",
    "seed": "random_state",
}
_XGBOOST_NATIVE = """
    num_class seed_per_iteration max_cached_hist_node huber_slope tweedie_variance_power sample_type
    normalize_type rate_drop one_drop skip_drop feature_selector top_k updater
""".split()  # noqa: SIM905
# Types and ranges of both boosters, from the same two pages; their annotations tell types only.
_COUNT = (Accepted("integer", low=1), Accepted("null"))
_NOT_NEGATIVE = (Accepted("number", low=0), Accepted("null"))
_POSITIVE = (Accepted("number", low=0, low_open=True), Accepted("null"))
_SHARE = (Accepted("number", low=0, low_open=True, high=1), Accepted("null"))
_SWITCH = (Accepted("boolean"), Accepted("null"))
_RANGES: dict[str, dict[str, tuple[Accepted, ...]]] = {
    "lightgbm": {
        "bagging_by_query": _SWITCH,
        "boost_from_average": _SWITCH,
        "cat_l2": _NOT_NEGATIVE,
        "cat_smooth": _NOT_NEGATIVE,
        "colsample_bytree": _SHARE,
        "deterministic": _SWITCH,
        "early_stopping_round": _COUNT,
        "enable_bundle": _SWITCH,
        "extra_trees": _SWITCH,
        "feature_fraction_bynode": _SHARE,
        "force_col_wise": _SWITCH,
        "force_row_wise": _SWITCH,
        "is_unbalance": _SWITCH,
        "learning_rate": _POSITIVE,
        "linear_lambda": _NOT_NEGATIVE,
        "linear_tree": _SWITCH,
        "max_bin": (Accepted("integer", low=2), Accepted("null")),
        "max_cat_threshold": _COUNT,
        "max_cat_to_onehot": _COUNT,
        "min_child_samples": (Accepted("integer", low=0),),
        "min_child_weight": _NOT_NEGATIVE,
        "min_data_per_group": _COUNT,
        "min_split_gain": _NOT_NEGATIVE,
        "n_estimators": _COUNT,
        "num_leaves": (Accepted("integer", low=2, high=131072),),
        "path_smooth": _NOT_NEGATIVE,
        "reg_alpha": _NOT_NEGATIVE,
        "reg_lambda": _NOT_NEGATIVE,
        "scale_pos_weight": _POSITIVE,
        "subsample": _SHARE,
        "subsample_freq": (Accepted("integer", low=0),),
        "use_missing": _SWITCH,
        "zero_as_missing": _SWITCH,
    },
    "xgboost": {
        "colsample_bylevel": _SHARE,
        "colsample_bynode": _SHARE,
        "colsample_bytree": _SHARE,
        "early_stopping_rounds": _COUNT,
        "gamma": _NOT_NEGATIVE,
        "learning_rate": (Accepted("number", low=0, low_open=True, high=1), Accepted("null")),
        "max_bin": (Accepted("integer", low=2), Accepted("null")),
        "max_cat_threshold": _COUNT,
        "max_cat_to_onehot": _COUNT,
        "max_delta_step": _NOT_NEGATIVE,
        "max_depth": (Accepted("integer", low=0), Accepted("null")),
        "max_leaves": (Accepted("integer", low=0), Accepted("null")),
        "min_child_weight": _NOT_NEGATIVE,
        "n_estimators": _COUNT,
        "num_parallel_tree": _COUNT,
        "reg_alpha": _NOT_NEGATIVE,
        "reg_lambda": _NOT_NEGATIVE,
        "scale_pos_weight": _POSITIVE,
        "subsample": _SHARE,
    },
}
_WAYS: tuple[DeployedAs, ...] = ("graph", "converter", "skops")
_LEFT_OUT = {
    "CategoricalNB": "fails on a level it has not seen",
    "CCA": "wants two targets",
    "PLSCanonical": "wants two targets",
    "RadiusNeighborsClassifier": "has no answer for a row without neighbours",
    "RadiusNeighborsRegressor": "has no answer for a row without neighbours",
    "SelfTrainingClassifier": "is nothing without another estimator",
}


def build() -> Index:
    """Return the index of the installed libraries; `deployed_as` stays as the shipped index has it."""
    libraries = {
        "lightgbm": {
            cls.__name__: _lightgbm(cls) for cls in (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor)
        },
        "sklearn": _sklearn(),
        "xgboost": {cls.__name__: _xgboost(cls) for cls in (xgboost.XGBClassifier, xgboost.XGBRegressor)},
    }
    return Index({name: version(name) for name in _DISTRIBUTIONS}, libraries)


def to_json(made: Index) -> bytes:
    """Return the index as JSON, a parameter a line; equal indices give equal bytes."""
    return (_lines(msgspec.to_builtins(made, order="deterministic"), depth=5) + "\n").encode()


def _lines(value: object, *, depth: int, indent: str = "") -> str:
    if not depth or not isinstance(value, dict) or not value:
        return json.dumps(value)
    inner = indent + " "
    items = [
        f"{inner}{json.dumps(key)}: {_lines(item, depth=depth - 1, indent=inner)}"
        for key, item in value.items()
    ]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"


def _sklearn() -> dict[str, Signature]:
    shipped = index().libraries["sklearn"] if SIGNATURES.exists() else {}
    found = {}
    for kind in ("classifier", "regressor"):
        for name, cls in all_estimators(type_filter=kind):
            estimator = None if name in _LEFT_OUT else _made(cls)
            if estimator is None or not _fits_a_table(estimator):
                continue
            deployed_as: DeployedAs = shipped[name].deployed_as if name in shipped else "skops"
            found[name] = _signature(estimator, kind=kind, deployed_as=deployed_as)
    return dict(sorted(found.items()))


def _made(cls: type) -> object | None:
    """Make an estimator without arguments, or None where it wants some or warns of its removal."""
    try:
        with warnings.catch_warnings(action="error"):
            estimator: object = cls()
    except (TypeError, FutureWarning):
        return None
    return estimator


def _fits_a_table(estimator: object) -> bool:
    """Tell whether it learns one column from a table of several."""
    tags = get_tags(estimator)
    return (
        tags.input_tags.two_d_array and tags.target_tags.single_output and not tags.target_tags.two_d_labels
    )


def _signature(estimator: object, *, kind: str, deployed_as: DeployedAs) -> Signature:
    cls = type(estimator)
    constraints: dict[str, object] = getattr(cls, "_parameter_constraints", {})
    parameters = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        default = parameter.default
        if isinstance(default, str) and default in {"deprecated", "warn"}:
            continue
        accepts = _from_constraints(constraints[name], name=name) if name in constraints else None
        parameters[name] = Parameter(_plain(default), accepts)
    tags = get_tags(estimator)
    has = kind == "classifier" and hasattr(estimator, "predict_proba")
    return Signature(
        parameters,
        module=cls.__module__,
        kind=kind,  # type: ignore[arg-type]
        probabilities=has,
        probabilities_with={} if has or kind == "regressor" else _probabilities_with(cls, parameters),
        missing=tags.input_tags.allow_nan,
        non_negative=tags.input_tags.positive_only,
        deployed_as=deployed_as,
    )


def _probabilities_with(cls: type, parameters: dict[str, Parameter]) -> dict[str, tuple[bool | str, ...]]:
    found: dict[str, tuple[bool | str, ...]] = {}
    for name, parameter in parameters.items():
        choices: list[bool | str] = []
        for accepted in parameter.accepts or ():
            choices += [True] if accepted.type == "boolean" else accepted.options
        giving = tuple(choice for choice in choices if hasattr(cls(**{name: choice}), "predict_proba"))
        if giving:
            found[name] = giving
    return found


def _from_constraints(constraints: object, *, name: str) -> tuple[Accepted, ...] | None:
    """Translate scikit-learn's constraints; kinds that YAML can't say (objects, callables) are left out."""
    if not isinstance(constraints, list):
        return None
    found: list[Accepted] = []
    for constraint in constraints:
        found += _from_constraint(constraint)
    if name == "class_weight":  # its keys would be our indices of classes, which no recipe knows
        found = [accepted for accepted in found if accepted.type not in {"mapping", "list"}]
    return tuple(dict.fromkeys(found))


def _from_constraint(constraint: object) -> list[Accepted]:
    words = {
        None: [Accepted("null")],
        "boolean": [Accepted("boolean")],
        "verbose": [Accepted("integer", low=0), Accepted("boolean")],
        "random_state": [Accepted("integer", low=0, high=2**32 - 1), Accepted("null")],
        "cv_object": [Accepted("integer", low=2), Accepted("null")],
        "array-like": [Accepted("list")],
        dict: [Accepted("mapping")],
        list: [Accepted("list")],
        tuple: [Accepted("list")],
        str: [Accepted("string")],
        bool: [Accepted("boolean")],
        numbers.Integral: [Accepted("integer")],
        numbers.Real: [Accepted("number")],
    }
    if isinstance(constraint, validation.StrOptions):
        return [Accepted("string", options=tuple(sorted(constraint.options - constraint.deprecated)))]
    if isinstance(constraint, validation.Interval):
        return [_interval(constraint)]
    hashable = constraint is None or isinstance(constraint, str | type)
    return words.get(constraint, []) if hashable else []  # type: ignore[call-overload]


def _interval(interval: validation.Interval) -> Accepted:
    kinds = {numbers.Integral: "integer", numbers.Real: "number", validation.RealNotInt: "fraction"}
    low = None if interval.left is None or math.isinf(interval.left) else float(interval.left)
    high = None if interval.right is None or math.isinf(interval.right) else float(interval.right)
    return Accepted(
        kinds[interval.type],  # type: ignore[arg-type]
        low=low,
        high=high,
        low_open=low is not None and interval.closed in {"right", "neither"},
        high_open=high is not None and interval.closed in {"left", "neither"},
    )


def _lightgbm(cls: type) -> Signature:
    parameters = _from_annotations(cls)
    for names in _ConfigAliases._get_all_param_aliases().values():  # noqa: SLF001 - no public list
        if not {*names}.isdisjoint(_LIGHTGBM_REFUSED):
            continue
        ours = next((name for name in names if name in parameters), names[0])
        parameters.setdefault(ours, Parameter())
        parameters.update({name: Parameter(same_as=ours) for name in names if name != ours})
    return _ranged(parameters, "lightgbm")


def _xgboost(cls: type) -> Signature:
    parameters = {**_from_annotations(xgboost.XGBModel), **_from_annotations(cls)}
    parameters.update({name: Parameter() for name in _XGBOOST_NATIVE})
    parameters.update({name: Parameter(same_as=ours) for name, ours in _XGBOOST_ALIASES.items()})
    return _ranged(parameters, "xgboost")


def _ranged(parameters: dict[str, Parameter], library: str) -> Signature:
    for name, accepts in _RANGES[library].items():
        parameters[name] = Parameter(parameters[name].default, accepts)
    return Signature(dict(sorted(parameters.items())))


def _from_annotations(cls: type) -> dict[str, Parameter]:
    hints = typing.get_type_hints(vars(cls)["__init__"])
    found = {}
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            found[name] = Parameter(_plain(parameter.default), _from_annotation(hints.get(name)))
    return found


def _from_annotation(hint: object) -> tuple[Accepted, ...] | None:
    """Translate a union of plain types; None where nothing is known."""
    plain = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        type(None): "null",
        list: "list",
        dict: "mapping",
    }
    if hint is None or hint is typing.Any:
        return None
    union = typing.get_origin(hint) in {typing.Union, types.UnionType}
    members = typing.get_args(hint) if union else (hint,)
    kinds = [plain.get(typing.get_origin(member) or member) for member in members]
    return tuple(Accepted(kind) for kind in dict.fromkeys(kinds) if kind)  # type: ignore[arg-type]


def _plain(default: object) -> bool | int | float | str | tuple[int | float, ...] | None:
    """Return a default as JSON can hold it; what JSON can't hold is told in words."""
    if isinstance(default, tuple) and all(isinstance(item, int | float) for item in default):
        return default
    if default is None or isinstance(default, bool | int | str):
        return default
    if isinstance(default, float) and math.isfinite(default):
        return float(default)  # numpy's is one too
    return str(default)


def probe(name: str, signature: Signature) -> DeployedAs:
    """Fit an estimator to a few made rows and see how it is written; of several tasks, the least of them."""
    rng = np.random.default_rng(0)
    numbers, levels = rng.normal(size=(200, 3)), rng.integers(0, 3, 200)
    score = numbers[:, 0] - numbers[:, 1] + (levels == 1) + rng.normal(scale=0.3, size=200)
    params = {parameter: values[0] for parameter, values in signature.probabilities_with.items()}
    model = ModelSpec(
        family="sklearn",
        estimator=name,
        params=dict(params),
        space={},
    )
    codes = FAMILY.needs(model).categories == "codes"
    # One level is left out of the 0/1 columns: some estimators refuse columns that sum to one.
    x = np.column_stack([numbers, levels if codes else np.eye(3)[levels][:, 1:]])
    ways = []
    kinds: tuple[TargetKind, ...] = ("binary", "multiclass")
    for kind in kinds if signature.kind == "classifier" else ("continuous",):
        bounds = {"binary": [0.5], "multiclass": [0.0, 1.0]}.get(kind)
        y = np.abs(score) + 0.1 if bounds is None else np.digitize(score, bounds).astype(np.int64)
        problem = Problem(
            train=Rows(np.abs(x) if signature.non_negative else x, y, None),
            validation=None,
            kind=kind,
            n_classes=1 if bounds is None else len(bounds) + 1,
            feature_names=tuple(f"x{place}" for place in range(x.shape[1])),
            category_sizes={},
            estimator=name,
            params=dict(params),
            seed=0,
            threads=1,
            device="cpu",
            max_iterations=None,
        )
        ways.append(FAMILY.fit(problem).deployed_as)
    return max(ways, key=_WAYS.index)


def with_ways(made: Index) -> Index:
    """Return the index with every scikit-learn estimator of use probed; the shipped one must name them."""
    probed = {
        name: replace(signature, deployed_as=probe(name, signature)) if _usable(signature) else signature
        for name, signature in made.libraries["sklearn"].items()
    }
    return Index(made.versions, {**made.libraries, "sklearn": probed})


def _usable(signature: Signature) -> bool:
    return signature.kind == "regressor" or signature.probabilities or bool(signature.probabilities_with)


if __name__ == "__main__":
    write_bytes(SIGNATURES, to_json(build()))
    index.cache_clear()
    with warnings.catch_warnings(action="ignore"):
        write_bytes(SIGNATURES, to_json(with_ways(build())))

"""The `lightgbm` family: native categories, early stopping on validation, the same answer every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import DataError, RecipeError
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, Problem, Progress
from engine.models.params import estimators
from engine.models.tree_family import FittedTrees, TreeFamily, library_params, shares
from engine.recipe.spec_model import ModelSpec

_ESTIMATORS = {"classification": "LGBMClassifier", "regression": "LGBMRegressor"}
# The third method, `advanced`, does not keep the constraints (4.7), and crashes where there are none.
_MONOTONE_METHODS = ("basic", "intermediate")
_BOOSTINGS = ("gbdt", "dart", "rf", "goss")


def _needs(_: ModelSpec) -> Needs:
    return Needs(categories="native", missing="ok", scale=False, max_categories=None)


def _train(problem: Problem, classes: Array, progress: Progress | None) -> FittedTrees:
    import lightgbm

    made = lightgbm.LGBMClassifier if len(classes) else lightgbm.LGBMRegressor
    params = _by_constructor_names(problem)
    _check_monotone(params, problem)
    _check_target(problem)
    # Dropped trees change what was kept, so LightGBM does not stop dart early.
    if problem.validation is None or params.get("boosting_type") == "dart":
        params.pop("early_stopping_round", None)
    estimator = made(
        **params,
        random_state=problem.seed,
        n_jobs=problem.threads,
        deterministic=True,
        force_col_wise=True,
        verbosity=-1,
    )
    if problem.max_iterations is not None:
        estimator.n_estimators = min(estimator.n_estimators, problem.max_iterations)
    watched = {}
    if (validation := problem.validation) is not None:
        weights = None if validation.weights is None else [validation.weights]
        watched = {"eval_X": validation.x, "eval_y": validation.y, "eval_sample_weight": weights}
    try:
        estimator.fit(
            problem.train.x,
            problem.train.y,
            sample_weight=problem.train.weights,
            categorical_feature=sorted(problem.category_sizes),
            callbacks=None if progress is None else [_report(progress)],
            **watched,
        )
    except lightgbm.basic.LightGBMError as exc:
        # What follows is the place in LightGBM's own source.
        raise ValueError(str(exc).partition(" at /")[0]) from exc
    booster = estimator.booster_
    kept = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    return FittedTrees(
        estimator=estimator,
        writer=_write,
        classes=classes,
        n_classes=problem.n_classes,
        threads=problem.threads,
        n_iterations=kept,
        importances=shares(booster.feature_importance("gain", iteration=kept)),
    )


def _by_constructor_names(problem: Problem) -> dict[str, Any]:
    """Name parameters as the constructor does: beside a default of its own, an alias would lose."""
    task = "regression" if problem.kind == "continuous" else "classification"
    known = estimators("lightgbm")[_ESTIMATORS[task]].parameters
    given = library_params(problem.params)
    return {known[name].same_as or name if name in known else name: value for name, value in given.items()}


def _check_monotone(params: Mapping[str, Any], problem: Problem) -> None:
    """Refuse constraints on which LightGBM (4.7) aborts the whole process."""
    signs = params.get("monotone_constraints")
    key, names = "model.params.monotone_constraints", problem.feature_names
    if signs is None:
        return
    if not isinstance(signs, list) or any(sign not in (-1, 0, 1) for sign in signs):
        raise RecipeError.of("monotone_constraints must be a list of -1, 0 and 1", key=key)
    if len(signs) != len(names):
        what = f"monotone_constraints has {len(signs)} values, and the features are {len(names)}"
        raise RecipeError.of(f"{what}: {', '.join(names)}", key=key)
    if held := [names[place] for place in sorted(problem.category_sizes) if signs[place]]:
        what = f"'{held[0]}' is a category, which has no order that an answer could follow"
        raise RecipeError.of(f"{what}; its monotone constraint must be 0", key=key)


def _check_target(problem: Problem) -> None:
    """Refuse values that would become infinite: LightGBM holds targets in single precision."""
    largest, most = float(np.abs(problem.train.y).max()), float(np.finfo(np.float32).max)
    if largest > most:
        what = f"lightgbm takes no target beyond {most:.3g}, and there is one of {largest:.3g}"
        raise DataError.of(what, key="schema.target")


def _report(progress: Progress) -> Callable[[Any], None]:
    def after_iteration(environment: Any) -> None:
        loss = None
        for _, _, value, is_greater_better, *_ in environment.evaluation_result_list[:1]:
            loss = -float(value) if is_greater_better else float(value)
        progress(environment.iteration + 1, environment.end_iteration, loss)

    return after_iteration


def _write(estimator: Any, graph: Graph, x: str, *, n_classes: int) -> str:
    from engine.models.trees_lightgbm import write_lightgbm

    del n_classes  # the model knows
    return write_lightgbm(graph, x, text=estimator.booster_.model_to_string())


FAMILY = TreeFamily(
    name="lightgbm",
    tolerance=1e-9,
    tells_loss=True,
    library="lightgbm",
    estimators=MappingProxyType(_ESTIMATORS),
    managed=MappingProxyType(
        {
            "random_state": "seed",
            "n_jobs": "compute.threads",
            "device_type": "compute.device",
            "categorical_feature": "schema.columns",
            "num_class": "the target",
            "deterministic": "the engine",
            "force_col_wise": "the engine",
            "force_row_wise": "the engine",
            "verbosity": "the engine",
            # These answer with what the graph can't: values within a leaf, and sums cut short.
            "linear_tree": "the engine",
            "pred_early_stop": "the engine",
        }
    ),
    prepared=_needs,
    train=_train,
    choices=MappingProxyType(
        {
            "classification": {
                "objective": ("binary", "cross_entropy", "multiclass", "multiclassova"),
                "boosting_type": _BOOSTINGS,
                "monotone_constraints_method": _MONOTONE_METHODS,
            },
            "regression": {
                "objective": (
                    *("regression", "regression_l1", "l2", "l1", "mse", "mae", "rmse", "mape"),
                    *("huber", "fair", "quantile", "poisson", "gamma", "tweedie"),
                ),
                "boosting_type": _BOOSTINGS,
                "monotone_constraints_method": _MONOTONE_METHODS,
            },
        }
    ),
)

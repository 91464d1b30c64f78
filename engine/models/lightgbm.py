"""The `lightgbm` family: native categories, early stopping on validation, the same answer every time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from engine.errors import DataError, RecipeError
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, Blocks, Problem, Progress
from engine.models.margin import Margin
from engine.models.params import estimators
from engine.models.tree_family import (
    LIBRARY_FAULTS,
    FittedTrees,
    TreeFamily,
    known_rows,
    library_params,
    not_fitted,
    shares,
    trained_classes,
)
from engine.recipe.spec_model import ModelSpec

_ESTIMATORS = {"classification": "LGBMClassifier", "regression": "LGBMRegressor"}
# The third method, `advanced`, does not keep the constraints (4.7), and crashes where there are none.
_MONOTONE_METHODS = ("basic", "intermediate")
_TWO = 2
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
        # LightGBM (4.7) counts the classes of y from 0 itself, and those of `eval_y` not.
        y = np.searchsorted(classes, validation.y) if len(classes) else validation.y
        watched = {"eval_X": validation.x, "eval_y": y, "eval_sample_weight": weights}
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
    return _fitted(estimator, problem, classes)


def _fitted(estimator: Any, problem: Problem, classes: Array) -> FittedTrees:
    booster = estimator.booster_
    kept = booster.best_iteration if booster.best_iteration > 0 else booster.current_iteration()
    return FittedTrees(
        estimator=estimator,
        writer=_write,
        reader=_read,
        adder=_added if _adds_odds(booster) else None,
        classes=classes,
        n_classes=problem.n_classes,
        threads=problem.threads,
        n_iterations=kept,
        importances=shares(booster.feature_importance("gain", iteration=kept)),
    )


def _train_blocks(problem: Problem, blocks: Blocks, progress: Progress | None) -> FittedTrees:
    import lightgbm

    from engine.models.lightgbm_blocks import train_blocks

    params = _by_constructor_names(problem)
    _check_monotone(params, problem)
    _check_target(problem)
    if params.pop("class_weight", None) is not None:
        raise RecipeError.of(
            "class_weight needs all rows at once, and they are streamed",
            key="model.params.class_weight",
        )
    if problem.validation is None or params.get("boosting_type") == "dart":
        params.pop("early_stopping_round", None)
    known = estimators("lightgbm")["LGBMClassifier"].parameters
    n_rounds = params.pop("n_estimators", known["n_estimators"].default)
    if problem.max_iterations is not None:
        n_rounds = min(n_rounds, problem.max_iterations)
    params.setdefault("objective", _objective(problem, blocks.classes))
    if len(blocks.classes) > _TWO:
        params["num_class"] = len(blocks.classes)
    params |= {
        "seed": problem.seed,
        "num_threads": problem.threads,
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }
    callbacks = [] if progress is None else [_report(progress)]
    try:
        estimator = train_blocks(problem, blocks, params, n_rounds=n_rounds, callbacks=callbacks)
    except lightgbm.basic.LightGBMError as exc:
        # What follows is the place in LightGBM's own source.
        raise ValueError(str(exc).partition(" at /")[0]) from exc
    return _fitted(estimator, problem, blocks.classes)


def _objective(problem: Problem, classes: Array) -> str:
    """Return what LightGBM's estimators take where nothing is said."""
    if problem.kind == "continuous":
        return "regression"
    return "binary" if len(classes) == _TWO else "multiclass"


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


def _read(estimator: Any, *, classes: tuple[int, ...]) -> Margin:
    from engine.models.trees_lightgbm import lightgbm_margin

    return lightgbm_margin(estimator.booster_.model_to_string(), classes=classes)


def _adds_odds(booster: Any) -> bool:
    """Tell whether LightGBM's own contributions are to log-odds or values: neither averaged nor scaled."""
    head = booster.model_to_string(num_iteration=1).partition("\nTree=")[0]
    return "average_output" not in head and ("sigmoid:" not in head or "sigmoid:1\n" in head)


def _added(estimator: Any, x: Array, threads: int) -> Array:
    told = estimator.booster_.predict(x, pred_contrib=True, num_threads=threads)
    return np.asarray(told, np.float64).reshape(len(x), -1, x.shape[1] + 1)


@dataclass(frozen=True)
class LightGBM(TreeFamily):
    """The family, which can also learn from rows that come in blocks."""

    goes_again: bool = False

    def fit_blocks(self, problem: Problem, blocks: Blocks, progress: Progress | None = None) -> FittedTrees:
        """Fit on all blocks, binned by the problem's own training rows.

        Raises
        ------
        RecipeError
            If the library refuses the parameters, or the data with them.
        DataError
            If the training rows are all of one class.
        """
        if problem.kind != "continuous":
            trained_classes(blocks.classes, kind=problem.kind)
        known = replace(problem, validation=known_rows(problem.validation, blocks.classes))
        try:
            return _train_blocks(known, blocks, progress)
        except LIBRARY_FAULTS as exc:
            raise not_fitted(self.name, exc) from exc


FAMILY = LightGBM(
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

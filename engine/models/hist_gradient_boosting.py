"""The `hist_gradient_boosting` family: scikit-learn's histogram boosting, with native categories."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from engine.features.needs import Needs
from engine.models.family import Array, Problem, Progress
from engine.models.tree_family import FittedTrees, TreeFamily, library_params, shares
from engine.models.trees_sklearn import sklearn_margin, write_sklearn_trees
from engine.recipe.spec_model import ModelSpec

# A level takes a bin of the 255 that there are at most; one is kept for levels that training has not seen.
_MAX_BINS = 255


def _needs(model: ModelSpec) -> Needs:
    bins = model.params.get("max_bins")
    most = min(bins, _MAX_BINS) if isinstance(bins, int) else _MAX_BINS
    return Needs(categories="native", missing="ok", scale=False, max_categories=most - 1)


def _train(problem: Problem, classes: Array, progress: Progress | None) -> FittedTrees:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    made = HistGradientBoostingClassifier if len(classes) else HistGradientBoostingRegressor
    params = library_params(problem.params)
    validation = problem.validation if params.pop("early_stopping", None) is not False else None
    estimator = made(
        **params,
        random_state=problem.seed,
        categorical_features=_categorical(problem),
        early_stopping=validation is not None,
    )
    if problem.max_iterations is not None:
        estimator.max_iter = min(estimator.max_iter, problem.max_iterations)
    watched = {}
    if validation is not None:
        watched = {"X_val": validation.x, "y_val": validation.y, "sample_weight_val": validation.weights}
    with threadpool_limits(problem.threads, user_api="openmp"):
        estimator.fit(_with_values(problem.train.x), problem.train.y, problem.train.weights, **watched)
    if progress is not None:
        score = float(estimator.validation_score_[-1]) if validation is not None else None
        progress(estimator.n_iter_, estimator.max_iter, score)
    return FittedTrees(
        estimator=estimator,
        writer=write_sklearn_trees,
        reader=sklearn_margin,
        adder=None,
        classes=classes,
        n_classes=problem.n_classes,
        threads=problem.threads,
        n_iterations=estimator.n_iter_,
        importances=shares(_gains(estimator, n_features=problem.train.x.shape[1])),
    )


def _categorical(problem: Problem) -> list[int] | None:
    """Return the columns of categories, but those of one level, which are numbers as well as not.

    A split of one level from what is missing is written by scikit-learn (1.9.1) with another split's set of
    levels, and so predicted wrongly.
    """
    return [column for column, size in problem.category_sizes.items() if size > 1] or None


def _with_values(x: Array) -> Array:
    """Return x with 0 throughout each column that has no value, which scikit-learn (1.9) can't cut into bins.

    No split falls in a constant column, so whatever stands there later does not matter.
    """
    empty = np.isnan(x).all(axis=0)
    return np.where(empty, 0.0, x) if empty.any() else x


def _gains(estimator: Any, *, n_features: int) -> Array:
    """Sum the gain of each column's splits; scikit-learn keeps gains, and gives no importances of its own."""
    gains = np.zeros(n_features)
    columns = np.arange(n_features)
    if estimator.is_categorical_ is not None:
        # The estimator moves categories to the front.
        columns = np.argsort(~estimator.is_categorical_, kind="stable")
    for stage in estimator._predictors:  # noqa: SLF001 - the nodes are nowhere else
        for predictor in stage:
            splits = predictor.nodes[predictor.nodes["is_leaf"] == 0]
            np.add.at(gains, columns[splits["feature_idx"]], splits["gain"])
    return gains


FAMILY = TreeFamily(
    name="hist_gradient_boosting",
    tolerance=1e-9,
    tells_loss=False,
    library="sklearn",
    estimators=MappingProxyType(
        {
            "classification": "HistGradientBoostingClassifier",
            "regression": "HistGradientBoostingRegressor",
        }
    ),
    managed=MappingProxyType(
        {
            "random_state": "seed",
            "categorical_features": "schema.columns",
            "validation_fraction": "split.validation",
            "verbose": "the engine",
            "warm_start": "the engine",
        }
    ),
    prepared=_needs,
    train=_train,
)

"""The `random_forest` family: scikit-learn's forests on level indices and imputed numbers."""

from __future__ import annotations

from types import MappingProxyType

from engine.features.needs import Needs
from engine.models.family import Array, Problem, Progress
from engine.models.tree_family import FittedTrees, TreeFamily, library_params, shares
from engine.models.trees_sklearn import sklearn_margin, write_sklearn_trees
from engine.recipe.spec_model import ModelSpec


def _needs(_: ModelSpec) -> Needs:
    return Needs(categories="codes", missing="impute", scale=False, max_categories=None)


def _train(problem: Problem, classes: Array, progress: Progress | None) -> FittedTrees:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    made = RandomForestClassifier if len(classes) else RandomForestRegressor
    estimator = made(**library_params(problem.params), random_state=problem.seed, n_jobs=problem.threads)
    if problem.max_iterations is not None:
        estimator.n_estimators = min(estimator.n_estimators, problem.max_iterations)
    estimator.fit(problem.train.x, problem.train.y, sample_weight=problem.train.weights)
    # With several threads the trees are summed in the order in which they finish.
    estimator.n_jobs = 1
    if progress is not None:
        progress(estimator.n_estimators, estimator.n_estimators, None)
    return FittedTrees(
        estimator=estimator,
        writer=write_sklearn_trees,
        reader=sklearn_margin,
        adder=None,
        classes=classes,
        n_classes=problem.n_classes,
        threads=problem.threads,
        n_iterations=len(estimator.estimators_),
        importances=shares(estimator.feature_importances_),
    )


FAMILY = TreeFamily(
    name="random_forest",
    tolerance=1e-9,
    tells_loss=False,
    library="sklearn",
    estimators=MappingProxyType(
        {"classification": "RandomForestClassifier", "regression": "RandomForestRegressor"}
    ),
    managed=MappingProxyType(
        {
            "random_state": "seed",
            "n_jobs": "compute.threads",
            "verbose": "the engine",
            "warm_start": "the engine",
        }
    ),
    prepared=_needs,
    train=_train,
)

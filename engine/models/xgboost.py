"""The `xgboost` family: histogram trees, native categories, early stopping with the best trees kept."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np

from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, Problem, Progress
from engine.models.margin import Margin
from engine.models.tree_family import FittedTrees, TreeFamily, library_params, shares
from engine.recipe.spec_model import ModelSpec

_BOOSTERS = ("gbtree", "dart")
_GREATER_IS_BETTER = ("auc", "pre", "map", "ndcg")


def _needs(_: ModelSpec) -> Needs:
    return Needs(categories="native", missing="ok", scale=False, max_categories=None)


def _train(problem: Problem, classes: Array, progress: Progress | None) -> FittedTrees:
    import xgboost

    params = library_params(problem.params)
    patience = params.pop("early_stopping_rounds", None)
    validation = problem.validation
    callbacks = [] if progress is None else [_report(progress, total=_rounds(problem))]
    if patience is not None and validation is not None:
        callbacks.append(xgboost.callback.EarlyStopping(rounds=patience, save_best=True))
    width = problem.train.x.shape[1]
    made = xgboost.XGBClassifier if len(classes) else xgboost.XGBRegressor
    estimator = made(
        **{**params, "n_estimators": _rounds(problem)},
        random_state=problem.seed,
        n_jobs=problem.threads,
        device=problem.device,
        tree_method="hist",
        enable_categorical=True,
        feature_types=["c" if column in problem.category_sizes else "q" for column in range(width)],
        callbacks=callbacks or None,
        verbosity=0,
    )
    watched = {}
    if validation is not None:
        weights = None if validation.weights is None else [validation.weights]
        judged = (validation.x, _coded(validation.y, classes))
        watched = {"eval_set": [judged], "sample_weight_eval_set": weights}
    estimator.fit(
        problem.train.x,
        _coded(problem.train.y, classes),
        sample_weight=problem.train.weights,
        verbose=False,
        **watched,
    )
    # What watched the fit is of no use to what was fitted, and can't travel between processes.
    estimator.set_params(callbacks=None)
    booster = estimator.get_booster()
    gains = booster.get_score(importance_type="total_gain")
    return FittedTrees(
        estimator=estimator,
        writer=_write,
        reader=_read,
        adder=_added,
        classes=classes,
        n_classes=problem.n_classes,
        threads=problem.threads,
        n_iterations=booster.num_boosted_rounds(),
        importances=shares(np.array([gains.get(f"f{column}", 0.0) for column in range(width)])),
    )


def _rounds(problem: Problem) -> int:
    import xgboost

    given = problem.params.get("n_estimators")
    rounds = given if isinstance(given, int) else xgboost.XGBModel().get_num_boosting_rounds()
    return int(rounds if problem.max_iterations is None else min(rounds, problem.max_iterations))


def _coded(y: Array, classes: Array) -> Array:
    """Give the classes of training numbers without gaps, as XGBoost wants them."""
    return np.searchsorted(classes, y) if len(classes) else y


def _report(progress: Progress, *, total: int) -> object:
    import xgboost

    class Report(xgboost.callback.TrainingCallback):  # type: ignore[misc]
        """Tells `progress` of each round and its score on validation."""

        def after_iteration(
            self, model: Any, epoch: int, evals_log: dict[str, dict[str, list[float]]]
        ) -> bool:
            """Report, and go on."""
            del model
            losses = [
                -float(values[-1]) if _is_greater_better(name) else float(values[-1])
                for metrics in evals_log.values()
                for name, values in metrics.items()
            ]
            progress(epoch + 1, total, losses[0] if losses else None)
            return False

    return Report()


def _is_greater_better(metric: str) -> bool:
    """Tell it as XGBoost's own early stopping does."""
    return metric != "mape" and metric.startswith(_GREATER_IS_BETTER)


def _write(estimator: Any, graph: Graph, x: str, *, n_classes: int) -> str:
    from engine.models.trees_xgboost import write_xgboost

    del n_classes  # the model knows
    return write_xgboost(graph, x, text=bytes(estimator.get_booster().save_raw("json")))


def _read(estimator: Any, *, classes: tuple[int, ...]) -> Margin:
    from engine.models.trees_xgboost import xgboost_margin

    return xgboost_margin(bytes(estimator.get_booster().save_raw("json")), classes=classes)


def _added(estimator: Any, x: Array, threads: int) -> Array:
    import xgboost

    rows = xgboost.DMatrix(x, feature_types=estimator.feature_types, enable_categorical=True, nthread=threads)
    told = estimator.get_booster().predict(rows, pred_contribs=True)
    return np.asarray(told, np.float64).reshape(len(x), -1, x.shape[1] + 1)


FAMILY = TreeFamily(
    name="xgboost",
    # XGBoost compares and sums in float; the graph does too, and differs in the last bits of the link.
    tolerance=1e-5,
    tells_loss=True,
    library="xgboost",
    estimators=MappingProxyType({"classification": "XGBClassifier", "regression": "XGBRegressor"}),
    managed=MappingProxyType(
        {
            "random_state": "seed",
            "n_jobs": "compute.threads",
            "device": "compute.device",
            "feature_types": "schema.columns",
            "enable_categorical": "schema.columns",
            "missing": "schema.columns",
            "num_class": "the target",
            "callbacks": "the engine",
            "multi_strategy": "the engine",
            "tree_method": "the engine",
            "verbosity": "the engine",
        }
    ),
    prepared=_needs,
    train=_train,
    choices=MappingProxyType(
        {
            "classification": {"objective": ("binary:logistic", "multi:softprob"), "booster": _BOOSTERS},
            "regression": {
                "objective": (
                    *("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror"),
                    *("reg:logistic", "reg:gamma", "reg:tweedie", "count:poisson"),
                ),
                "booster": _BOOSTERS,
            },
        }
    ),
)

"""The `sklearn` family: any scikit-learn classifier or regressor of the index, by class name, never by path.

The index is `signatures.json`; how a fitted estimator becomes a graph is in `sklearn_graph`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from engine.errors import EngineError, Message, RecipeError, nearest
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, ParamValue, Problem, Progress
from engine.models.margin import Margin
from engine.models.params import DeployedAs, Parameter, Signature, check_params, estimators, settable
from engine.models.tree_family import LIBRARY_FAULTS, classes_of, not_fitted
from engine.models.treeshap import Added
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind

_MANAGED = {"random_state": "seed", "n_jobs": "compute.threads"}
# Warns when it is given any, since scikit-learn 1.8; the threads are those of its BLAS.
_JOBS_OF_NO_EFFECT = frozenset({"LogisticRegression"})
_TREE_PACKAGES = ("sklearn.tree.", "sklearn.ensemble.")
_ITERATIONS = ("n_estimators", "max_iter", "n_iter")
_NOT_GIVEN = "???"  # what conf/model/sklearn.yaml has, for the recipe to say
_SAMPLE_ROWS = 256
_TRY = "engine options model/sklearn"


@dataclass(frozen=True)
class SklearnFamily:
    """The family of everything in scikit-learn that has no family of its own."""

    name: str = "sklearn"
    tasks: frozenset[TargetKind] = frozenset({"binary", "multiclass", "continuous"})
    tolerance: float = 1e-5
    tells_loss: bool = False

    def needs(self, model: ModelSpec) -> Needs:
        """Give trees level indices, and everything else 0/1 columns and standardised numbers."""
        signature = estimators("sklearn").get(model.estimator or "")
        if signature is not None and signature.module.startswith(_TREE_PACKAGES):
            return Needs(categories="codes", missing="impute", scale=False, max_categories=100)
        scale = signature is None or not signature.non_negative
        return Needs(categories="onehot", missing="impute", scale=scale, max_categories=100)

    def ignores_seed(self, model: ModelSpec) -> bool:
        """Tell whether the estimator's constructor takes no random state."""
        signature = estimators("sklearn").get(model.estimator or "")
        return signature is not None and "random_state" not in signature.parameters

    def check(self, model: ModelSpec, task: str) -> Sequence[Message]:
        """Check the estimator against the index and the task, then the parameters against its constructor."""
        index = estimators("sklearn")
        kind = "classifier" if task == "classification" else "regressor"
        usable = _usable(task)
        key, allowed = "model.estimator", tuple(usable)
        if model.estimator is None or model.estimator == _NOT_GIVEN:
            what = "the sklearn family needs the class name of an estimator"
            return [Message(what, key, allowed=allowed, try_=_TRY)]
        if model.estimator not in index:
            what = f"'{model.estimator}' is not an estimator of the sklearn family"
            near = nearest(model.estimator, usable)
            return [Message(what, key, suggestion=near, allowed=allowed, try_=_TRY)]
        signature = index[model.estimator]
        if signature.kind != kind:
            what = f"'{model.estimator}' is a {signature.kind}, and the task is {task}"
            near = nearest(_other_kind(model.estimator), usable)
            return [Message(what, key, suggestion=near, allowed=allowed, try_=_TRY)]
        if model.estimator not in usable:
            return [Message(f"'{model.estimator}' gives no probabilities", key, allowed=allowed, try_=_TRY)]
        managed = {name: setter for name, setter in _MANAGED.items() if name in signature.parameters}
        messages = check_params(
            model, library="sklearn", estimator=model.estimator, family=model.estimator, managed=managed
        )
        return [*_probabilities(model, signature, kind=kind), *messages]

    def parameters(self, *, estimator: str | None, task: str) -> Mapping[str, Parameter]:
        """Return what an estimator's constructor takes and the engine does not set."""
        known = estimator is not None and estimator in _usable(task)
        return settable("sklearn", str(estimator), _MANAGED) if known else {}

    def named_estimators(self, task: str) -> tuple[str, ...]:
        """Return the estimators that do the task, by class name."""
        return tuple(_usable(task))

    def deployed_as(self, model: ModelSpec) -> DeployedAs:
        """Say how this estimator was seen to be written when the index was made."""
        signature = estimators("sklearn").get(model.estimator or "")
        return "skops" if signature is None else signature.deployed_as

    def fit(self, problem: Problem, progress: Progress | None = None) -> FittedSklearn:
        """Fit the named estimator on the training rows; the validation rows are not used.

        Raises
        ------
        RecipeError
            If the estimator takes no weights and there are some, or refuses its parameters or the data.
        EngineError
            If what it learnt answers with NaN or infinity.
        DataError
            If the training rows are of one class.
        """
        from sklearn.utils.validation import has_fit_parameter

        name = problem.estimator or ""
        classes_of(problem)
        estimator = _made(problem, estimators("sklearn")[name])
        weights = {} if problem.train.weights is None else {"sample_weight": problem.train.weights}
        if weights and not has_fit_parameter(estimator, "sample_weight"):
            raise RecipeError.of(f"{name} takes no weights", key="model.estimator")
        try:
            _fit(estimator, problem, weights)
        except LIBRARY_FAULTS as exc:
            raise not_fitted(name, exc) from exc
        if estimators("sklearn")[name].module.startswith(_TREE_PACKAGES) and hasattr(estimator, "n_jobs"):
            # With several threads the trees are summed in the order in which they finish.
            estimator.n_jobs = 1
        rows = problem.train.x[:_SAMPLE_ROWS]
        fitted = FittedSklearn(
            estimator=estimator,
            n_classes=problem.n_classes,
            # Points between rows too: off the training rows a graph is easily wrong. Not half-way, where
            # neighbours are equally near and rounding chooses between them.
            sample=np.concatenate([rows, 0.625 * rows[:-1] + 0.375 * rows[1:]]),
            importances=_importances(estimator, problem.train.x.shape[1]),
        )
        if not np.isfinite(fitted.predict(fitted.sample)).all():
            raise EngineError.of(f"{name} diverged: it answers with NaN or infinity", key="model.params")
        if progress is not None:
            progress(1, 1, None)
        return fitted


@dataclass(frozen=True)
class FittedSklearn:
    """A fitted estimator, and rows on which a graph of it is tried: `sample`, shape (n, n_features)."""

    estimator: object
    n_classes: int
    sample: Array
    importances: Array | None
    n_iterations: int | None = None

    def predict(self, x: Array) -> Array:
        """Return probabilities (n, n_classes), or values (n,); 0 rows are answered with 0 rows."""
        from engine.models.sklearn_graph import answer

        return answer(self.estimator, x, n_classes=self.n_classes)

    @property
    def deployed_as(self) -> DeployedAs:
        """How this very estimator is written."""
        return self._way[0]

    def write(self, graph: Graph, x: str) -> str | None:
        """Write the estimator by the first way that answers as it does on the sample rows, if any does."""
        writer = self._way[1]
        return None if writer is None else writer(graph, x)

    def to_skops(self) -> bytes | None:
        """Return the estimator in skops' format where it has no graph, else None."""
        from engine.models.skops import write_skops

        return write_skops(self.estimator) if self._way[1] is None else None

    def margin(self) -> Margin | None:
        """Return the sums of trees that we know how to read, else None."""
        from engine.models.trees_sklearn import sklearn_margin

        classes = np.asarray(getattr(self.estimator, "classes_", ()), np.int64)
        return sklearn_margin(self.estimator, classes=tuple(classes.tolist()))

    def added(self, x: Array) -> Added | None:
        """Return what the columns add, where the model is such a sum."""
        margin = self.margin()
        return None if margin is None else margin.added(x)

    @cached_property
    def _way(self) -> tuple[DeployedAs, Callable[[Graph, str], str | None] | None]:
        from engine.models.sklearn_graph import choose_writer

        return choose_writer(self.estimator, n_classes=self.n_classes, sample=self.sample)


def _usable(task: str) -> dict[str, Signature]:
    """Return the estimators of a task's kind; of classifiers those that have probabilities."""
    kind = "classifier" if task == "classification" else "regressor"
    return {
        name: signature
        for name, signature in estimators("sklearn").items()
        if signature.kind == kind
        and (kind == "regressor" or signature.probabilities or signature.probabilities_with)
    }


def _made(problem: Problem, signature: Signature) -> object:
    import importlib

    params: dict[str, ParamValue] = dict(problem.params)
    if "random_state" in signature.parameters:
        params["random_state"] = problem.seed
    if "n_jobs" in signature.parameters and problem.estimator not in _JOBS_OF_NO_EFFECT:
        params["n_jobs"] = problem.threads
    if problem.max_iterations is not None:
        for name in _ITERATIONS:
            if name in signature.parameters:
                params[name] = _capped(params, signature, name=name, cap=problem.max_iterations)
    made: object = getattr(importlib.import_module(signature.module), problem.estimator or "")(**params)
    return made


def _capped(params: Mapping[str, ParamValue], signature: Signature, *, name: str, cap: int) -> int:
    value = params.get(name, signature.parameters[name].default)
    return min(value, cap) if isinstance(value, int) and value > 0 else cap


def _fit(estimator: object, problem: Problem, weights: Mapping[str, Array]) -> None:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(problem.threads), warnings.catch_warnings():
        if problem.max_iterations is not None:  # stopping early is what was asked for
            warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(problem.train.x, problem.train.y, **weights)  # type: ignore[attr-defined]


def _probabilities(model: ModelSpec, signature: Signature, *, kind: str) -> list[Message]:
    if kind == "regressor" or signature.probabilities:
        return []
    ways = signature.probabilities_with
    if any(model.params.get(name) in values for name, values in ways.items()):
        return []
    name, values = next(iter(ways.items()))
    words = tuple(str(value) for value in values)
    what = f"'{model.estimator}' gives probabilities only with {name}: {' or '.join(words)}"
    return [Message(what, f"model.params.{name}", allowed=words, try_=_TRY)]


def _other_kind(name: str) -> str:
    swapped = name.replace("Regress", "Classif")
    if swapped == name:
        return name.replace("Classifier", "Regressor")
    return swapped.replace("Classifor", "Classifier").replace("Classifion", "Regression")


def _importances(estimator: object, n_features: int) -> Array | None:
    """Return the library's own importances, or the size of the coefficients, summing to 1."""
    values = getattr(estimator, "feature_importances_", None)
    if values is None and hasattr(estimator, "coef_"):
        values = np.abs(np.atleast_2d(np.asarray(estimator.coef_, np.float64))).mean(axis=0)
    if values is None or np.shape(values) != (n_features,) or not np.sum(values) > 0:
        return None
    shares: Array = np.asarray(values, np.float64) / np.sum(values)
    return shares


FAMILY = SklearnFamily()

"""Linear families: `logistic` (scikit-learn's LogisticRegression) and `ridge` (Ridge), written in double."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Protocol

import numpy as np

from engine.errors import EngineError, Message
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, ParamValue, Problem, Progress
from engine.models.margin import Margin, linear_margin
from engine.models.params import Parameter, check_params, settable
from engine.models.treeshap import Added
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind

# What every linear model is given.
NEEDS = Needs(categories="onehot", missing="impute", scale=True, max_categories=100)
_SHUFFLING = ("sag", "saga", "liblinear")
_ONE_PROBABILITY = 2  # of two classes scikit-learn keeps the coefficients of the last alone


class _Estimator(Protocol):
    coef_: Array
    intercept_: Array
    max_iter: int | None

    def fit(self, x: Array, y: Array, sample_weight: Array | None = None) -> object: ...


@dataclass(frozen=True)
class Linear:
    """A linear family.

    Attributes
    ----------
    estimator
        Class of `sklearn.linear_model`.
    task
        The task whose targets it takes.
    managed
        Parameters that the engine sets, and the recipe's key that says them.
    """

    name: str
    tasks: frozenset[TargetKind]
    estimator: Literal["LogisticRegression", "Ridge"]
    task: str
    managed: Mapping[str, str]
    tolerance: float = 1e-9
    tells_loss: bool = False

    def needs(self, model: ModelSpec) -> Needs:
        """Give standardised numbers without gaps, and one 0/1 column a level of at most 100."""
        del model
        return NEEDS

    def ignores_seed(self, model: ModelSpec) -> bool:
        """Tell that nothing is drawn, but by the solvers that go through the rows in a random order."""
        return model.params.get("solver") not in _SHUFFLING

    def check(self, model: ModelSpec, task: str) -> Sequence[Message]:
        """Check the task, then the parameters against the constructor's."""
        messages = []
        if task != self.task:
            messages.append(Message(f"{self.name} does not do {task}", key="model.family"))
        return messages + check_params(
            model, library="sklearn", estimator=self.estimator, family=self.name, managed=self.managed
        )

    def parameters(self, *, estimator: str | None, task: str) -> Mapping[str, Parameter]:
        """Return what the constructor takes and the engine does not set."""
        return settable("sklearn", self.estimator, self.managed) if task == self.task else {}

    def named_estimators(self, task: str) -> tuple[str, ...]:
        """Return none: the family is one estimator."""
        return ()

    def deployed_as(self, model: ModelSpec) -> Literal["graph"]:
        """Say that we write it ourselves."""
        del model
        return "graph"

    def fit(self, problem: Problem, progress: Progress | None = None) -> FittedLinear:
        """Fit on the training rows; the validation rows are not used.

        Raises
        ------
        RecipeError
            If scikit-learn refuses the parameters together.
        DataError
            If the training rows hold one class.
        EngineError
            If the coefficients are not finite.
        """
        from engine.models.tree_family import LIBRARY_FAULTS, classes_of, not_fitted

        classes = classes_of(problem)
        estimator = _made(self, problem)
        try:
            _fit(estimator, problem)
        except LIBRARY_FAULTS as exc:
            raise not_fitted(self.name, exc) from exc
        if not (np.isfinite(estimator.coef_).all() and np.isfinite(estimator.intercept_).all()):
            raise EngineError.of(f"{self.name} diverged: its coefficients are not finite", key="model.params")
        if progress is not None:
            progress(1, 1, None)
        return FittedLinear(
            estimator=estimator,
            classes=classes,
            n_classes=problem.n_classes,
            importances=importances_of(estimator.coef_, problem.train.x),
            means=problem.train.x.mean(axis=0),
        )


@dataclass(frozen=True)
class FittedLinear:
    """A fitted linear model.

    Attributes
    ----------
    classes
        Those of training, in the order of its columns, shape (k,).
    means
        Of the training rows' columns, shape (d,).
    n_iterations
        Epochs; a solver's iterations are neither trees nor epochs.
    is_each
        Whether each of more than two classes has a logistic function against the rest.
    """

    estimator: _Estimator
    classes: Array
    n_classes: int
    importances: Array | None
    means: Array
    n_iterations: int | None = None
    is_each: bool = False

    def predict(self, x: Array) -> Array:
        """Return probabilities (n, n_classes), or values (n,); 0 rows are answered with 0 rows."""
        from engine.models.sklearn_graph import answer

        return answer(self.estimator, x, n_classes=self.n_classes)

    def write(self, graph: Graph, x: str) -> str:
        """Write coefficients, intercept and, for classes, the logistic function or softmax.

        As `predict_proba` of LogisticRegression has them: 1 / (1 + e^-m) of two classes, softmax of more; of
        SGDClassifier more have the logistic function of each against the rest, their sum brought to 1.
        """
        from engine.models.probabilities import write_two_classes, write_widened

        coefficients = np.atleast_2d(self.estimator.coef_).astype(np.float64)
        intercept = np.atleast_1d(self.estimator.intercept_).astype(np.float64)
        product = graph.node("MatMul", [x, graph.constant(np.ascontiguousarray(coefficients.T))])
        margin = graph.node("Add", [product, graph.constant(intercept)])
        if not len(self.classes):
            return margin
        is_two = len(self.classes) == _ONE_PROBABILITY
        if is_two or self.is_each:
            # Not `Sigmoid`: onnxruntime's rounds probabilities below 1e-16 to 0.
            odds_against = graph.node("Exp", [graph.node("Neg", [margin])])
            known = graph.node("Reciprocal", [graph.node("Add", [odds_against, graph.constant(1.0)])])
            if is_two:
                known = write_two_classes(graph, known)
            else:
                total = graph.node("ReduceSum", [known, graph.constant([1])], keepdims=1)
                known = graph.node("Div", [known, total])
        else:
            known = graph.node("Softmax", [margin], axis=1)
        return write_widened(graph, known, classes=self.classes, n_classes=self.n_classes)

    def to_skops(self) -> None:
        """Return None: the model is in the graph."""

    def margin(self) -> Margin:
        """Return the coefficients, and the means from which each column is counted."""
        return linear_margin(
            self.estimator.coef_, self.estimator.intercept_, means=self.means, classes=self.classes
        )

    def added(self, x: Array) -> Added:
        """Return what the columns add."""
        return self.margin().added(x)


def _made(family: Linear, problem: Problem) -> _Estimator:
    from sklearn.linear_model import LogisticRegression, Ridge

    constructors: Mapping[str, Callable[..., _Estimator]] = {
        "LogisticRegression": LogisticRegression,
        "Ridge": Ridge,
    }
    params: dict[str, ParamValue] = {**problem.params, "random_state": problem.seed}
    made = constructors[family.estimator](**params)
    cap = problem.max_iterations
    if cap is not None and made.max_iter is not None:
        made.max_iter = min(made.max_iter, cap)
    return made


def _fit(estimator: _Estimator, problem: Problem) -> None:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    with threadpool_limits(problem.threads), warnings.catch_warnings():
        if problem.max_iterations is not None:  # stopping early is what was asked for
            warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(problem.train.x, problem.train.y, sample_weight=problem.train.weights)


def importances_of(coefficients: Array, x: Array) -> Array | None:
    """Return |coefficient| x standard deviation, averaged over classes, summing to 1; None if all are 0."""
    sizes: Array = np.abs(np.atleast_2d(coefficients)).mean(axis=0) * x.std(axis=0)
    total = sizes.sum()
    return sizes / total if total > 0 and np.isfinite(total) else None


LOGISTIC = Linear(
    name="logistic",
    tasks=frozenset({"binary", "multiclass"}),
    estimator="LogisticRegression",
    task="classification",
    # scikit-learn's n_jobs has had no effect here since 1.8; the threads are those of its BLAS.
    managed=MappingProxyType({"random_state": "seed", "n_jobs": "compute.threads"}),
)
RIDGE = Linear(
    name="ridge",
    tasks=frozenset({"continuous"}),
    estimator="Ridge",
    task="regression",
    managed=MappingProxyType({"random_state": "seed"}),
)

"""The `sgd` family: a linear model learnt a block of rows at a time, so that the rows need never be whole.

scikit-learn's SGDClassifier (logistic loss) and SGDRegressor, by `partial_fit`; the engine cuts the blocks,
counts the epochs and stops them by the validation rows. Written in double, as the other linear families are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from engine.errors import EngineError, Message, nearest
from engine.features.needs import Needs
from engine.models.family import Array, Blocks, Fitted, Problem, Progress, Rows
from engine.models.linear import NEEDS, FittedLinear, importances_of
from engine.models.params import Accepted, Parameter, check_params, estimators, settable
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind

# Rows of a block: few enough to be in memory, and many more than one step needs.
BLOCK_ROWS = 65_536
_ESTIMATORS = MappingProxyType({"classification": "SGDClassifier", "regression": "SGDRegressor"})
# The others change with the loss of an epoch, or are for losses without probabilities.
_RATES = ("constant", "invscaling", "optimal")
_TWO = 2
_PARAMS_OF_THE_LOOP = ("max_iter", "tol", "n_iter_no_change")
_MANAGED = {
    "random_state": "seed",
    "n_jobs": "compute.threads",
    "class_weight": "model.balance",
    "early_stopping": "split.validation",
    "validation_fraction": "split.validation",
    "shuffle": "the engine",
    "warm_start": "the engine",
    "verbose": "the engine",
}


@dataclass(frozen=True)
class Sgd:
    """The family of linear models that learn from blocks of rows."""

    name: str = "sgd"
    tasks: frozenset[TargetKind] = frozenset({"binary", "multiclass", "continuous"})
    tolerance: float = 1e-9
    tells_loss: bool = True
    goes_again: bool = True

    def needs(self, model: ModelSpec) -> Needs:
        """Give standardised numbers without gaps, and one 0/1 column a level of at most 100."""
        del model
        return NEEDS

    def check(self, model: ModelSpec, task: str) -> Sequence[Message]:
        """Check the task, the parameters against the constructor, and the learning rate."""
        try_ = f"engine options model/{self.name}"
        if task not in _ESTIMATORS:
            return [Message(f"{self.name} does not do {task}", "model.family", try_=try_)]
        messages = check_params(
            model,
            library="sklearn",
            estimator=_ESTIMATORS[task],
            family=self.name,
            managed=_managed(task),
        )
        rate = model.params.get("learning_rate")
        if isinstance(rate, str) and rate not in _RATES and not messages:
            what = f"{self.name} learns a block at a time, and can't with learning_rate '{rate}'"
            key, near = "model.params.learning_rate", nearest(rate, _RATES)
            messages.append(Message(what, key, suggestion=near, allowed=_RATES, try_=try_))
        return messages

    def parameters(self, *, estimator: str | None, task: str) -> Mapping[str, Parameter]:
        """Return what the constructor takes and the engine does not set."""
        if task not in _ESTIMATORS:
            return {}
        known = settable("sklearn", _ESTIMATORS[task], _managed(task))
        rates = (Accepted(type="string", options=_RATES),)
        return known | {"learning_rate": Parameter(known["learning_rate"].default, rates)}

    def named_estimators(self, task: str) -> tuple[str, ...]:
        """Return none: the task says which class it is."""
        return ()

    def deployed_as(self, model: ModelSpec) -> Literal["graph"]:
        """Say that we write it ourselves."""
        del model
        return "graph"

    def fit(self, problem: Problem, progress: Progress | None = None) -> Fitted:
        """Fit on the training rows, cut into blocks in an order that the seed draws.

        Raises
        ------
        RecipeError
            If scikit-learn refuses the parameters together.
        DataError
            If the training rows hold one class.
        EngineError
            If the coefficients are not finite.
        """
        from engine.models.tree_family import classes_of

        blocks = _Cut(problem.train, seed=problem.seed, classes=classes_of(problem))
        return self.fit_blocks(problem, blocks, progress)

    def fit_blocks(self, problem: Problem, blocks: Blocks, progress: Progress | None = None) -> Fitted:
        """Fit on rows that come in blocks, in the order in which they come, again in each epoch.

        Raises
        ------
        RecipeError, EngineError
            As `fit`.
        """
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        from engine.models.tree_family import LIBRARY_FAULTS, known_rows, not_fitted

        course = _Descent(problem, known_rows(problem.validation, blocks.classes), blocks.classes)
        try:
            with threadpool_limits(problem.threads), np.errstate(over="ignore", invalid="ignore"):
                course.descend(blocks, progress)
        except LIBRARY_FAULTS as exc:
            if course.is_beyond:
                raise _diverged() from exc
            raise not_fitted(self.name, exc) from exc
        return course.fitted()


@dataclass(frozen=True)
class _Cut:
    """Rows in memory as blocks, in an order that the seed draws."""

    rows: Rows
    seed: int
    classes: Array

    @property
    def n_rows(self) -> int:
        return len(self.rows.y)

    def __iter__(self) -> Iterator[Rows]:
        x, y, weights = self.rows.x, self.rows.y, self.rows.weights
        order = np.random.default_rng(self.seed).permutation(len(y))
        for start in range(0, len(y), BLOCK_ROWS):
            at = order[start : start + BLOCK_ROWS]
            yield Rows(x[at], y[at], None if weights is None else weights[at])


@dataclass
class _Descent:
    """Epochs of steps down the loss, and the best coefficients so far.

    A number is predicted in units of the training rows' standard deviation, from their mean, so that one step
    size suits all; the coefficients are brought back to its own units.
    """

    problem: Problem
    validation: Rows | None
    classes: Array
    n_epochs: int = 0
    is_beyond: bool = False
    _center: float = 0.0
    _spread: float = 1.0
    _estimator: Any = None
    _best: tuple[Array, Array, int] | None = None
    _settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        params = dict(self.problem.params)
        task = "classification" if len(self.classes) else "regression"
        known = estimators("sklearn")[_ESTIMATORS[task]].parameters
        self._settings = {name: params.pop(name, known[name].default) for name in _PARAMS_OF_THE_LOOP}
        if not len(self.classes):
            self._center, self._spread = _units(self.problem.train)
            if "epsilon" in params or task == "regression":
                epsilon = params.get("epsilon", known["epsilon"].default)
                params["epsilon"] = float(epsilon) / self._spread  # type: ignore[arg-type]
        self._estimator = _made(task, params, seed=self.problem.seed)

    def descend(self, blocks: Blocks, progress: Progress | None) -> None:
        """Go through all blocks once an epoch, until the validation rows' loss gets no better."""
        limit, patience, least = self._limit(), int(self._settings["n_iter_no_change"]), self._settings["tol"]
        known = {"classes": self.classes} if len(self.classes) else {}
        best, n_worse = math.inf, 0
        for epoch in range(1, limit + 1):
            for rows in blocks:
                y = rows.y if len(self.classes) else (rows.y - self._center) / self._spread
                self._estimator.partial_fit(rows.x, y, sample_weight=rows.weights, **known)
                self._require_finite()
            self.n_epochs = epoch
            loss = self._loss()
            if progress is not None:
                progress(epoch, limit, loss)
            if loss is None:
                continue
            n_worse = 0 if loss < best - (least or 0.0) else n_worse + 1
            if loss < best:
                best = loss
                self._best = (self._estimator.coef_.copy(), self._estimator.intercept_.copy(), epoch)
            if least is not None and n_worse >= patience:
                return

    def fitted(self) -> FittedLinear:
        """Return the model of the best epoch; without validation rows, that of the last."""
        estimator = self._estimator
        last = (estimator.coef_, estimator.intercept_, self.n_epochs)
        coefficients, intercept, epoch = self._best or last
        estimator.coef_ = coefficients * self._spread
        estimator.intercept_ = intercept * self._spread + self._center
        self._require_finite()
        return FittedLinear(
            estimator=estimator,
            classes=self.classes,
            n_classes=self.problem.n_classes,
            n_iterations=epoch,
            is_each=True,
            importances=importances_of(estimator.coef_, self.problem.train.x),
            means=self.problem.train.x.mean(axis=0),
        )

    def _limit(self) -> int:
        most, cap = int(self._settings["max_iter"]), self.problem.max_iterations
        return most if cap is None else min(most, cap)

    def _loss(self) -> float | None:
        """Return the mean loss on the validation rows: of classes their log loss, of a number its square."""
        rows = self.validation
        if rows is None:
            return None
        if not len(self.classes):
            y = (rows.y - self._center) / self._spread
            losses = (self._estimator.predict(rows.x) - y) ** 2
        else:
            places = np.searchsorted(self.classes, rows.y)
            given = self._estimator.predict_proba(rows.x)[np.arange(len(places)), places]
            losses = -np.log(np.maximum(given, np.finfo(np.float64).tiny))
        return float(np.average(losses, weights=rows.weights))

    def _require_finite(self) -> None:
        finite = np.isfinite(self._estimator.coef_).all() and np.isfinite(self._estimator.intercept_).all()
        if not finite:
            self.is_beyond = True
            raise _diverged()


def _diverged() -> EngineError:
    return EngineError.of("sgd diverged: its coefficients are not finite", key="model.params")


def _managed(task: str) -> dict[str, str]:
    """Return what the engine sets; of classes the loss too, as only the logistic one has probabilities."""
    known = estimators("sklearn")[_ESTIMATORS[task]].parameters
    managed = {name: setter for name, setter in _MANAGED.items() if name in known}
    return managed | ({"loss": "the engine"} if task == "classification" else {})


def _made(task: str, params: Mapping[str, Any], *, seed: int) -> Any:
    from sklearn.linear_model import SGDClassifier, SGDRegressor

    # One state through all blocks: a number would draw the same order in each.
    state = np.random.RandomState(seed)
    if task == "classification":
        return SGDClassifier(**{**params, "loss": "log_loss", "random_state": state})
    return SGDRegressor(**{**params, "random_state": state})


def _units(rows: Rows) -> tuple[float, float]:
    """Return mean and standard deviation of the training rows' target; 1 where they are all the same."""
    with np.errstate(over="ignore", invalid="ignore"):
        center = float(np.average(rows.y, weights=rows.weights))
        spread = float(np.sqrt(np.average((rows.y - center) ** 2, weights=rows.weights)))
    if not (math.isfinite(center) and math.isfinite(spread)):
        raise _diverged()
    return center, spread if spread > 0 else 1.0


FAMILY = Sgd()

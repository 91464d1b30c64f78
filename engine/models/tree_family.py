"""What the tree families share: the checks, the classes that training holds, and a fitted ensemble.

A family's own module says its needs, how its library is called, and which reader writes its trees.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Literal, Protocol

import numpy as np

from engine.errors import DataError, Message, RecipeError, nearest
from engine.features.needs import Needs
from engine.graph import Graph
from engine.models.family import Array, ParamValue, Problem, Progress, Rows
from engine.models.margin import Margin
from engine.models.params import Accepted, Parameter, check_params, estimators, settable
from engine.models.probabilities import write_widened
from engine.models.treeshap import Added
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import TargetKind

# What libraries raise of parameters and data that they can't take.
LIBRARY_FAULTS = (ValueError, TypeError, LookupError, ArithmeticError, NotImplementedError)
_SOURCE_PLACE = re.compile(r"^\[\d\d:\d\d:\d\d\] \S+:\d+: ")


class Writer(Protocol):
    """Writes an estimator's answer: probabilities (rows, n_classes), or values (rows, 1)."""

    def __call__(self, estimator: Any, graph: Graph, x: str, *, n_classes: int) -> str | None:
        """Return the tensor, or None if the estimator has no graph."""


class Reader(Protocol):
    """Reads an estimator's sums."""

    def __call__(self, estimator: Any, *, classes: tuple[int, ...]) -> Margin | None:
        """Return the sums, about `classes`, those that training held; None if they can't be read."""


@dataclass(frozen=True)
class FittedTrees:
    """A fitted ensemble: the library's estimator, the reader that writes it, and the one of its sums.

    Attributes
    ----------
    adder
        The library's own contributions to the estimator's margin, where it has them: of x (n, d) an array of
        shape (n, k, d + 1), the base last.
    classes
        The class of each of the estimator's columns, shape (k,); empty for a continuous target.
    """

    estimator: Any
    writer: Writer
    reader: Reader
    adder: Callable[[Any, Array, int], Array] | None
    classes: Array
    n_classes: int
    n_iterations: int | None
    importances: Array | None
    threads: int

    def predict(self, x: Array) -> Array:
        """Return the library's own answer: probabilities (n, n_classes), or values (n,), also of 0 rows.

        Raises
        ------
        RecipeError
            If the library refuses the rows.
        """
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        if not len(x):
            return np.empty((0, self.n_classes) if self.n_classes > 1 else 0)
        try:
            with (
                threadpool_limits(self.threads, user_api="openmp"),
                np.errstate(over="ignore", invalid="ignore"),
            ):
                if self.n_classes == 1:
                    return np.asarray(self.estimator.predict(x), np.float64)
                answer = np.zeros((len(x), self.n_classes))
                answer[:, self.classes] = self.estimator.predict_proba(x)
        except LIBRARY_FAULTS as exc:
            # scikit-learn's forests take no number beyond single precision.
            raise not_fitted(type(self.estimator).__name__, exc, did="answer") from exc
        return answer

    def write(self, graph: Graph, x: str) -> str | None:
        """Write the trees; classes that training lacked are columns of 0."""
        written = self.writer(self.estimator, graph, x, n_classes=max(len(self.classes), 1))
        if written is None or self.n_classes == 1:
            return written
        return write_widened(graph, written, classes=self.classes, n_classes=self.n_classes)

    def to_skops(self) -> bytes | None:
        """Return None: there is always a graph."""
        return None

    def margin(self) -> Margin | None:
        """Return the sums behind the answer."""
        return self.reader(self.estimator, classes=tuple(self.classes.tolist()))

    def added(self, x: Array) -> Added | None:
        """Return what the columns add, by the library where it can tell, else as `margin` does."""
        if self.adder is None or not len(x):
            margin = self.margin()
            return None if margin is None else margin.added(x)
        told = self.adder(self.estimator, x, self.threads)
        return Added(told[0, :, -1], np.ascontiguousarray(told[:, :, :-1].transpose(0, 2, 1)))


@dataclass(frozen=True)
class TreeFamily:
    """A family of trees, as data: what its library takes, and the function that trains it.

    Attributes
    ----------
    estimators
        The library's class for each task.
    managed
        Parameters that the engine sets, and what sets them.
    choices
        Parameters with fewer options here than in the library, by task: what has a link in the graph.
    train
        Fits on a problem with the classes of its training rows.
    """

    name: str
    tolerance: float
    tells_loss: bool
    library: str
    estimators: Mapping[str, str]
    managed: Mapping[str, str]
    prepared: Callable[[ModelSpec], Needs]
    train: Callable[[Problem, Array, Progress | None], FittedTrees]
    choices: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=lambda: MappingProxyType({}))
    tasks: frozenset[TargetKind] = frozenset({"binary", "multiclass", "continuous"})

    def needs(self, model: ModelSpec) -> Needs:
        """Return what the preparation must give."""
        return self.prepared(model)

    def check(self, model: ModelSpec, task: str) -> Sequence[Message]:
        """Check the task, the parameters against the constructor, and the options that have a graph."""
        if task not in self.estimators:
            what = f"{self.name} does not do {task}"
            return [
                Message(what, "model.family", allowed=tuple(self.estimators), try_="engine options model")
            ]
        messages = check_params(
            model,
            library=self.library,
            estimator=self.estimators[task],
            family=self.name,
            managed=self.managed,
        )
        return [*messages, *self._check_choices(model, task)]

    def parameters(self, *, estimator: str | None, task: str) -> Mapping[str, Parameter]:
        """Return what the constructor takes and the engine does not set; of options, those with a graph."""
        if task not in self.estimators:
            return {}
        known = settable(self.library, self.estimators[task], self.managed)
        for name, options in self.choices.get(task, {}).items():
            others = [one for one in known[name].accepts or () if one.type != "string"]
            accepts = (Accepted(type="string", options=tuple(options)), *others)
            known[name] = Parameter(known[name].default, accepts)
        return known

    def named_estimators(self, task: str) -> tuple[str, ...]:
        """Return none: the task says which class it is."""
        return ()

    def deployed_as(self, model: ModelSpec) -> Literal["graph", "converter", "skops"]:
        """Say that the trees are written by our own writer, whatever the parameters."""
        del model
        return "graph"

    def fit(self, problem: Problem, progress: Progress | None = None) -> FittedTrees:
        """Fit on the training rows; stop early on the validation rows where the library can.

        Raises
        ------
        RecipeError
            If the library refuses the parameters, or the data with them.
        DataError
            If the training rows are all of one class.
        """
        classes = classes_of(problem)
        known = replace(problem, validation=known_rows(problem.validation, classes))
        try:
            return self.train(known, classes, progress)
        except LIBRARY_FAULTS as exc:
            raise not_fitted(self.name, exc) from exc

    def _check_choices(self, model: ModelSpec, task: str) -> list[Message]:
        messages = []
        known = estimators(self.library)[self.estimators[task]].parameters
        for name, value in model.params.items():
            # An alias has the choices of what it stands for.
            of = known[name].same_as or name if name in known else name
            options = self.choices.get(task, {}).get(of)
            if options is not None and isinstance(value, str) and value not in options:
                messages.append(
                    Message(
                        f"{self.name} can't be deployed with {name} '{value}' for {task}",
                        f"model.params.{name}",
                        suggestion=nearest(value, options),
                        allowed=tuple(options),
                        try_=f"engine options model/{self.name}",
                    )
                )
        return messages


def not_fitted(name: str, exc: Exception, *, did: str = "be fitted") -> RecipeError:
    """Return what is told of a library that could not do something: its first words, without its own places.

    XGBoost puts the hour and the line of its source before them, and a stack trace behind.
    """
    lines = [_SOURCE_PLACE.sub("", line).strip() for line in str(exc).splitlines()]
    words = next(filter(None, lines), "no reason is given")
    kind = "" if isinstance(exc, ValueError) else f"{type(exc).__name__}: "
    return RecipeError.of(f"{name} could not {did}: {kind}{words}", key="model.params")


def classes_of(problem: Problem) -> Array:
    """Return the classes that the training rows hold, as `trained_classes` does."""
    return trained_classes(problem.train.y, kind=problem.kind)


def trained_classes(y: Array, *, kind: TargetKind) -> Array:
    """Return the classes that training rows hold, sorted, shape (k,); none for a continuous target.

    A split by group or time may leave out some; the libraries then know fewer classes than the task.

    Raises
    ------
    DataError
        If all training rows are of one class: there is nothing to learn.
    """
    if kind == "continuous":
        return np.empty(0, np.int64)
    classes = np.unique(y).astype(np.int64)
    if len(classes) < 2:  # noqa: PLR2004 - to tell apart takes two
        raise DataError.of(f"the {len(y)} training rows are all of one class", key="schema.target")
    return classes


def known_rows(rows: Rows | None, classes: Array) -> Rows | None:
    """Return the validation rows whose class was trained, or None if there are none."""
    if rows is None or not len(rows.y):
        return None
    known = np.isin(rows.y, classes) if len(classes) else np.ones(len(rows.y), bool)
    if known.all():
        return rows
    weights = None if rows.weights is None else rows.weights[known]
    return Rows(x=rows.x[known], y=rows.y[known], weights=weights) if known.any() else None


def library_params(params: Mapping[str, ParamValue]) -> dict[str, Any]:
    """Return parameters as the libraries take them: lists for tuples."""
    return {name: _plain(value) for name, value in params.items()}


def shares(gains: Array) -> Array | None:
    """Return importances that sum to 1, or None where no tree has split or gains are beyond doubles."""
    total = float(np.sum(gains))
    return np.asarray(gains, np.float64) / total if 0 < total < np.inf else None


def _plain(value: ParamValue) -> object:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value

"""What a task is: the target as arrays know it, its metrics, and the shape of a prediction.

A new task is one module with a `TASK` of this protocol, one YAML, and one line in `engine.names`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

import numpy as np
import polars as pl
from pydantic import BaseModel

from engine.data.schema import Schema
from engine.errors import Message
from engine.graph import Graph
from engine.recipe.strict import Scalar

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

TargetKind = Literal["binary", "multiclass", "continuous"]
Array: TypeAlias = "np.ndarray"


@dataclass(frozen=True, slots=True)
class Target:
    """The column to predict, as the arrays know it.

    `classes` holds the class values in the order of probability columns, empty for a continuous target; of a
    binary target the positive class is the last.
    """

    name: str
    kind: TargetKind
    classes: tuple[Scalar, ...] = ()

    @property
    def n_outputs(self) -> int:
        """Width of a model's output: one probability a class, or one value."""
        return max(len(self.classes), 1)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes as text, booleans as `true` and `false`: what stands in `probability_<class>`."""
        return tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in self.classes)


@dataclass(frozen=True, slots=True)
class Scores:
    """What a model says of n rows.

    `values` has shape (n, n_classes) of probabilities, or (n,) of a continuous target. `decisions` has shape
    (n,): the index of the class decided for (after the threshold), or the same values when continuous.
    `worth` has shape (n, 2), what each row is worth decided negative and decided positive, where a recipe
    prices its outcomes row by row, else it is None.
    """

    values: Array
    decisions: Array
    worth: Array | None = None

    def take(self, rows: Array) -> Scores:
        """Return those of some rows, given their indices."""
        worth = None if self.worth is None else self.worth[rows]
        return Scores(self.values[rows], self.decisions[rows], worth)

    def priced(self, worth: Array | None) -> Scores:
        """Return the same with what each row is worth."""
        return Scores(self.values, self.decisions, worth)


# What several metrics are made of, so that a resample of rows pays for it once. Given (y, scores, weights) it
# does what resamples share, such as sorting, and returns `at(w)`: the statistic of the rows when row i
# counts w[i], w of shape (n,) float64, as a float64 array whose shape does not depend on w.
Statistic = Callable[[Array, Scores, "Array | None"], Callable[[Array], Array]]


@dataclass(frozen=True, slots=True)
class Metric:
    """One number that says how good scores are.

    `compute(y, scores, weights)` takes y of shape (n,) (class indices as int64, or float64), and weights of
    shape (n,) or None; it returns NaN where the metric is not defined, such as AUC on one class.

    A metric that is `summary(statistic)` may say so: its intervals then cost far less. `summary` maps
    statistics of shape (..., *shape) to metrics of shape (...). One that does not read the decisions says so
    too: who needs nothing else spares choosing a threshold. `needs` says of what rows it is defined, to stand
    behind "not defined unless".
    """

    name: str
    greater_is_better: bool
    compute: Callable[[Array, Scores, Array | None], float]
    title: str
    statistic: Statistic | None = None
    summary: Callable[[Array], Array] | None = None
    uses_decisions: bool = True
    needs: str = ""


def metric_from(
    statistic: Statistic,
    summary: Callable[[Array], Array],
    *,
    name: str,
    title: str,
    greater_is_better: bool,
    uses_decisions: bool = True,
    needs: str = "",
) -> Metric:
    """Build the metric `summary(statistic)`; the arguments are the fields of `Metric`."""

    def compute(y: Array, scores: Scores, weights: Array | None) -> float:
        w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
        return float(summary(statistic(y, scores, weights)(w)))

    return Metric(name, greater_is_better, compute, title, statistic, summary, uses_decisions, needs)


def ratio(over: Array | float, under: Array | float, *, undefined: float = math.nan) -> Array:
    """Return over / under elementwise, float64, and `undefined` where under is zero."""
    over, under = np.broadcast_arrays(np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64))
    out = np.full(under.shape, undefined)
    np.divide(over, under, out=out, where=under != 0)
    return out


class NoKeys(BaseModel):
    """The keys of a task that has none of its own."""


class Task(Protocol):
    """The contract of a task module.

    Attributes
    ----------
    kinds
        The kinds of target that it predicts.
    keys
        What a recipe may say under `task` besides `kind` and `metric`: each field a key, with its meaning.
    """

    name: str
    kinds: tuple[TargetKind, ...]
    keys: type[BaseModel]

    def metrics(self, kind: TargetKind) -> Mapping[str, Metric]:
        """Return the metrics of this task by name, in the order to show them."""

    def check(self, spec: Spec) -> Sequence[Message]:
        """Return what is wrong with the recipe's `task` keys, metric, target type and `positive`."""

    def metric_names(self, spec: Spec) -> tuple[str, ...]:
        """Return the metrics this recipe may name, from the recipe alone."""

    def target(self, column: pl.Series, schema: Schema) -> Target:
        """Read the target from all its values; raises `DataError` on one class, too few rows, …."""

    def encode(self, column: pl.Series, target: Target) -> Array:
        """Return y of shape (n,): int64 class indices, or float64."""

    def decide(self, graph: Graph, values: str, *, target: Target, threshold: float | str | None) -> str:
        """Write the nodes from a model's output to decisions; add the graph's outputs; return decisions.

        `threshold` is one number, or the tensor, double of shape (rows,), that holds each row's own.
        """

    def to_frame(self, scores: Scores, target: Target) -> pl.DataFrame:
        """Return the columns `prediction` and, for classes, `probability_<class>`."""

    def choose_threshold(
        self,
        y: Array,
        values: Array,
        weights: Array | None,
        *,
        spec: Spec,
        worth: Array | None = None,
    ) -> float | None:
        """Choose the decision threshold on validation rows, or None where the task has none."""

"""Regression: one number for a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.schema import Schema
from engine.data.violation import counted
from engine.errors import DataError, Message
from engine.graph import Graph
from engine.tasks import error, rules
from engine.tasks.refusals import refuse_rows, refuse_too_large
from engine.tasks.task import Array, Metric, NoKeys, Scores, Target, TargetKind

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

_METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            error.RMSE,
            error.MAE,
            error.R2,
            error.MEDIAN_ABSOLUTE_ERROR,
            error.MAX_ERROR,
            error.MAPE,
            error.POISSON_DEVIANCE,
        )
    }
)


class Regression:
    """The task of predicting a number; see `engine.tasks.task.Task` for what each method promises."""

    name = "regression"
    kinds: tuple[TargetKind, ...] = ("continuous",)
    keys = NoKeys

    def metrics(self, kind: TargetKind) -> Mapping[str, Metric]:
        """Return the metrics by name; `kind` is always continuous."""
        del kind
        return _METRICS

    def metric_names(self, spec: Spec) -> tuple[str, ...]:
        """Return the metrics a recipe may name."""
        del spec
        return tuple(_METRICS)

    def check(self, spec: Spec) -> Sequence[Message]:
        """Return what is wrong with the recipe as far as the task knows."""
        messages = [
            *rules.task_keys(spec, task=self.name, extra=self.keys.model_fields),
            *rules.metrics_named(spec, names=self.metric_names(spec), why_not={}),
            *rules.target_typed(spec, types=("number", "integer")),
        ]
        if spec.goal.value is not None:
            what = "'value' prices right and wrong decisions, and task regression makes none"
            messages.append(Message(what, key="goal.value"))
        if spec.schema_.positive is not None:
            messages.append(Message("'positive' is for a target of two classes", key="schema.positive"))
        return messages

    def target(self, column: pl.Series, schema: Schema) -> Target:
        """Return the target.

        Raises
        ------
        DataError
            If a value is null, NaN or infinite, or fewer than two differ.
        """
        name = schema.target.name
        _refuse_undefined(column, name=name)
        if column.n_unique() < 2:  # noqa: PLR2004 - nothing to tell apart
            raise DataError.of(
                f"the target has one value in all {counted(len(column), 'row')}: nothing to learn",
                key=name,
            )
        return Target(name=name, kind="continuous")

    def encode(self, column: pl.Series, target: Target) -> Array:
        """Return y of shape (n,), float64."""
        _refuse_undefined(column, name=target.name)
        return column.cast(pl.Float64).to_numpy(writable=True)

    def decide(self, graph: Graph, values: str, *, target: Target, threshold: float | str | None) -> str:
        """Write `values` (rows, 1) out as `prediction` (rows,), double; return its tensor."""
        del target, threshold
        flat = graph.node("Squeeze", [values, graph.constant([1])])
        graph.output("prediction", flat, np.float64, width=None)
        return flat

    def to_frame(self, scores: Scores, target: Target) -> pl.DataFrame:
        """Return the column `prediction`, Float64."""
        del target
        return pl.DataFrame({"prediction": np.asarray(scores.values, dtype=np.float64)})

    def choose_threshold(
        self,
        y: Array,
        values: Array,
        weights: Array | None,
        *,
        spec: Spec,
        worth: Array | None = None,
    ) -> float | None:
        """Return None: a number needs no threshold."""
        del y, values, weights, spec, worth
        return None


TASK = Regression()


def _refuse_undefined(column: pl.Series, *, name: str) -> None:
    refuse_rows(column.is_null(), name=name, rule="nullable")
    numbers = column.cast(pl.Float64)
    refuse_rows(~numbers.is_finite(), name=name, rule="finite")
    refuse_too_large(numbers, name=name)

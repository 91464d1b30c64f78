"""Classification: one of two or more classes, with a probability for each.

Binary and multiclass differ by the target's number of classes, never by a flag in the recipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
import polars as pl
from pydantic import BaseModel, Field

from engine.data.schema import Column, Schema
from engine.data.violation import counted, show
from engine.errors import DataError, Message, nearest
from engine.graph import Graph
from engine.recipe.spec_table import ColumnSpec
from engine.recipe.strict import Scalar
from engine.tasks import confusion, probability, ranking, rules, value
from engine.tasks.refusals import first_rows, refuse_rows
from engine.tasks.task import Array, Metric, Scores, Target, TargetKind
from engine.tasks.threshold import NEUTRAL, Aim, best_threshold, profit_aim
from engine.tasks.value import PROFIT, RETURN

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

BINARY = 2
MAX_CLASSES = 1000
# More declared integers than this are a quantity, not classes.
MAX_INTEGER_CLASSES = 100
AUTO = "auto"


def _by_name(*metrics: Metric) -> Mapping[str, Metric]:
    return MappingProxyType({metric.name: metric for metric in metrics})


_BINARY_METRICS = _by_name(
    ranking.ROC_AUC,
    ranking.AVERAGE_PRECISION,
    probability.LOG_LOSS,
    probability.BRIER_SCORE,
    confusion.ACCURACY,
    confusion.BALANCED_ACCURACY,
    confusion.F1,
    confusion.PRECISION,
    confusion.RECALL,
    confusion.F1_MACRO,
    confusion.MATTHEWS_CORRCOEF,
    probability.EXPECTED_CALIBRATION_ERROR,
)
_MULTICLASS_METRICS = _by_name(
    ranking.ROC_AUC_MACRO,
    probability.LOG_LOSS,
    probability.BRIER_SCORE,
    confusion.ACCURACY,
    confusion.BALANCED_ACCURACY,
    confusion.F1_MACRO,
    confusion.MATTHEWS_CORRCOEF,
    probability.EXPECTED_CALIBRATION_ERROR,
)
_THRESHOLD_METRICS = _by_name(
    confusion.F1, confusion.BALANCED_ACCURACY, confusion.ACCURACY, confusion.MATTHEWS_CORRCOEF
)


class ClassificationKeys(BaseModel):
    """What a recipe says of classification alone."""

    threshold: (
        Annotated[str, Field(json_schema_extra={"enum": [AUTO, *_THRESHOLD_METRICS, PROFIT]})]
        | Annotated[float, Field(gt=0, lt=1)]
    ) = Field(
        description="the probability from which the positive of two classes is decided, or the metric by "
        "which validation rows choose it; auto: profit where goal.value is declared, else f1",
        examples=["balanced_accuracy"],
    )


class Classification:
    """The task of deciding for a class; see `engine.tasks.task.Task` for what each method promises."""

    name = "classification"
    kinds: tuple[TargetKind, ...] = ("binary", "multiclass")
    keys = ClassificationKeys

    def metrics(self, kind: TargetKind) -> Mapping[str, Metric]:
        """Return the metrics by name; some are for two classes only."""
        return _BINARY_METRICS if kind == "binary" else _MULTICLASS_METRICS

    def metric_names(self, spec: Spec) -> tuple[str, ...]:
        """Return the metrics a recipe may name; all, while it leaves open how many classes there are."""
        n_classes = _n_declared(rules.target_column(spec))
        if n_classes is not None and n_classes > BINARY:
            return tuple(_MULTICLASS_METRICS)
        goal = spec.goal.value
        of_value = () if goal is None else value.value_metrics(goal)
        return (*_BINARY_METRICS, *(metric.name for metric in of_value))

    def check(self, spec: Spec) -> Sequence[Message]:
        """Return what is wrong with the recipe as far as the task knows."""
        return [
            *rules.task_keys(spec, task=self.name, extra=self.keys.model_fields),
            *rules.metrics_named(spec, names=self.metric_names(spec), why_not=_why_not(spec)),
            *rules.target_typed(spec, types=("category", "boolean", "integer")),
            *_check_classes(spec),
            *_check_threshold(spec),
            *value.check_value(spec),
        ]

    def target(self, column: pl.Series, schema: Schema) -> Target:
        """Return the classes in the order of probability columns: sorted, the positive one of two last.

        Raises
        ------
        DataError
            If a value is null; if there is one class, or more than 1,000; if a class has one row; or if
            `positive` is not one of two classes.
        """
        declared = schema.target
        refuse_rows(column.is_null(), name=declared.name, rule="nullable")
        counts = column.value_counts(name="rows").sort(column.name)
        classes: list[Scalar] = counts[column.name].to_list()
        _refuse_classes(classes, counts["rows"].to_list(), column=column, declared=declared)
        if schema.positive is not None:
            classes = _positive_last(classes, positive=schema.positive, declared=declared)
        kind: TargetKind = "binary" if len(classes) == BINARY else "multiclass"
        return Target(name=declared.name, kind=kind, classes=tuple(classes))

    def encode(self, column: pl.Series, target: Target) -> Array:
        """Return y of shape (n,), int64 class indices.

        Raises
        ------
        DataError
            If a value is null or not one of the target's classes.
        """
        refuse_rows(column.is_null(), name=target.name, rule="nullable")
        known = pl.Series(list(target.classes), dtype=column.dtype)
        indices = pl.Series(range(len(known)), dtype=pl.Int64)
        encoded = column.replace_strict(known, indices, default=None, return_dtype=pl.Int64)
        refuse_rows(encoded.is_null(), name=target.name, rule="values")
        return encoded.to_numpy(writable=True)

    def decide(self, graph: Graph, values: str, *, target: Target, threshold: float | str | None) -> str:
        """Write `probability` (rows, k), `decision` (rows,) and `prediction` (rows,); return the decision.

        Of two classes the positive one is decided for from `threshold` on (0.5 if None), else the likeliest.
        """
        if target.kind == "binary":
            column = graph.node("Gather", [values, graph.constant([1])], axis=1)
            positive = graph.node("Squeeze", [column, graph.constant([1])])
            edge = threshold
            if not isinstance(edge, str):
                edge = graph.constant(float(NEUTRAL if edge is None else edge))
            reached = graph.node("GreaterOrEqual", [positive, edge])
            decision = graph.node("Cast", [reached], to=_onnx_int64())
        else:
            decision = graph.node("ArgMax", [values], axis=1, keepdims=0)
        classes = np.array(target.classes)
        prediction = graph.node("Gather", [graph.constant(classes), decision], axis=0)
        graph.output("probability", values, np.float64, width=len(target.classes))
        graph.output("decision", decision, np.int64, width=None)
        graph.output("prediction", prediction, classes.dtype.type, width=None)
        return decision

    def to_frame(self, scores: Scores, target: Target) -> pl.DataFrame:
        """Return `prediction`, of the target's own type, and `probability_<class>`, Float64."""
        classes = pl.Series(list(target.classes))
        columns = {"prediction": classes.gather(pl.Series(scores.decisions, dtype=pl.Int64))}
        for index, name in enumerate(target.class_names):
            columns[f"probability_{name}"] = pl.Series(
                np.ascontiguousarray(scores.values[:, index]), dtype=pl.Float64
            )
        return pl.DataFrame(columns)

    def choose_threshold(
        self,
        y: Array,
        values: Array,
        weights: Array | None,
        *,
        spec: Spec,
        worth: Array | None = None,
    ) -> float | None:
        """Return the threshold that `task.threshold` asks for, in (0, 1); None for more than two classes.

        Parameters
        ----------
        y
            Validation rows, shape (n,), int64 class indices.
        values
            Their probabilities, shape (n, n_classes).
        weights
            Shape (n,), or None.
        spec
            A checked recipe.
        worth
            As of `Scores`; None where every row is worth the same.
        """
        if values.shape[1] != BINARY:
            return None
        aim = self.threshold_aim(y, weights, spec=spec, worth=worth)
        if aim is None:
            return float(cast("float", _threshold(spec)))
        return best_threshold(aim.y, values[:, 1], aim.weights, summary=aim.summary)

    def threshold_aim(
        self, y: Array, weights: Array | None, *, spec: Spec, worth: Array | None = None
    ) -> Aim | None:
        """Return what `task.threshold` is chosen for; None where it is a number."""
        asked = _threshold(spec)
        if isinstance(asked, int | float):
            return None
        goal = spec.goal.value
        by_profit = asked == PROFIT or (asked == AUTO and goal is not None)
        name = confusion.F1.name if asked == AUTO else str(asked)
        if by_profit and worth is not None:
            return profit_aim(worth, weights)
        metric = value.profit_metric(goal) if by_profit and goal else _THRESHOLD_METRICS[name]
        assert metric.summary is not None
        return Aim(y, weights, metric.summary)


TASK = Classification()


def _n_declared(target: ColumnSpec | None) -> int | None:
    """Return how many classes the recipe declares, or None if it leaves that to the data."""
    if target is None:
        return None
    if target.type == "boolean":
        return BINARY
    if target.values is not None:
        return len(target.values)
    low, high = target.min, target.max
    if target.type == "integer" and isinstance(low, int | float) and isinstance(high, int | float):
        return int(high) - int(low) + 1
    return None


def _why_not(spec: Spec) -> Mapping[str, str]:
    n_classes = _n_declared(rules.target_column(spec))
    if n_classes is not None and n_classes > BINARY:
        binary_only = (name for name in (*_BINARY_METRICS, PROFIT, RETURN) if name not in _MULTICLASS_METRICS)
        return {
            name: f"'{name}' is for two classes, and '{spec.schema_.target}' declares {n_classes}"
            for name in binary_only
        }
    return dict(value.NEEDS)


def _check_classes(spec: Spec) -> Iterator[Message]:
    name, positive = spec.schema_.target, spec.schema_.positive
    target = rules.target_column(spec)
    if target is None:
        return
    n_classes = _n_declared(target)
    if target.type == "integer" and (n_classes is None or n_classes > MAX_INTEGER_CLASSES):
        what = (
            f"an integer target needs its classes declared, at most {MAX_INTEGER_CLASSES}; or type: category"
        )
        yield Message(what, key=f"schema.columns.{name}.values")
        return
    if n_classes is not None and n_classes < BINARY:
        what = f"'{name}' declares {n_classes} value, and a class needs another to differ from"
        yield Message(what, key=f"schema.columns.{name}.values")
    if n_classes is not None and n_classes > BINARY:
        if positive is not None:
            what = f"'positive' is for two classes, and '{name}' declares {n_classes}"
            yield Message(what, key="schema.positive")
        if spec.goal.value is not None:
            what = f"'value' prices decisions between two classes, and '{name}' declares {n_classes}"
            yield Message(what, key="goal.value")
        return
    values: tuple[Scalar, ...] | None = (False, True) if target.type == "boolean" else target.values
    if positive is None or values is None or any(rules.same(positive, value) for value in values):
        return
    allowed = tuple(rules.written(value) for value in values)
    # Same text and still not the same: the other type was written.
    alike = rules.written(positive) in allowed
    shown = f"'{positive}'" if isinstance(positive, str) else rules.written(positive)
    what = f"{shown} is not a declared value of '{name}'"
    if alike:
        what += ": it is written as another type there"
    suggestion = "" if alike else nearest(rules.written(positive), allowed)
    yield Message(what, key="schema.positive", suggestion=suggestion, allowed=allowed)


def _threshold(spec: Spec) -> object:
    return (spec.task.model_extra or {}).get("threshold")


def _check_threshold(spec: Spec) -> Iterator[Message]:
    if "threshold" not in (spec.task.model_extra or {}):
        return
    asked = _threshold(spec)
    names = (AUTO, *_THRESHOLD_METRICS, PROFIT)
    allowed = (*names, "a number between 0 and 1")
    n_classes = _n_declared(rules.target_column(spec))
    key = "task.threshold"
    if n_classes is not None and n_classes > BINARY and asked != AUTO:
        what = f"a threshold is for two classes, and '{spec.schema_.target}' declares {n_classes}"
        yield Message(what, key=key, allowed=(AUTO,))
    elif asked == PROFIT and spec.goal.value is None:
        yield Message(value.NEEDS[PROFIT], key=key, allowed=allowed)
    elif isinstance(asked, str):
        if asked not in names:
            yield Message(
                f"'{asked}' is not a metric a threshold can be chosen by",
                key=key,
                suggestion=nearest(asked, names),
                allowed=allowed,
            )
    elif isinstance(asked, bool) or not isinstance(asked, int | float) or not 0 < asked < 1:
        yield Message(f"{asked!r} is not a threshold", key=key, allowed=allowed)


def _refuse_classes(
    classes: Sequence[Scalar], counts: Sequence[int], *, column: pl.Series, declared: Column
) -> None:
    name = declared.name
    hidden = declared.sensitive or declared.pii
    if not classes:
        raise DataError.of("the target has no rows", key=name)
    if len(classes) == 1:
        only = "" if hidden else f" ('{show(rules.written(classes[0]))}')"
        what = f"the target has one class{only} in all {counted(len(column), 'row')}: nothing to learn"
        raise DataError.of(what, key=name)
    if len(classes) > MAX_CLASSES:
        what = f"the target has {len(classes)} classes, and at most {MAX_CLASSES} are possible"
        raise DataError.of(what, key=name)
    rare = [value for value, rows in zip(classes, counts, strict=True) if rows < 2]  # noqa: PLR2004 - one row
    if rare:
        where = first_rows(column.is_in(rare).arg_true().to_list())
        numbers, plural = ", ".join(map(str, where)), "" if len(where) == 1 else "s"
        which = "" if hidden else ": " + ", ".join(f"'{show(rules.written(value))}'" for value in rare[:3])
        which += "" if hidden or len(rare) <= 3 else f" and {len(rare) - 3} more"  # noqa: PLR2004 - three shown
        noun = "class has" if len(rare) == 1 else "classes have"
        what = f"{len(rare)} {noun} fewer than 2 rows{which} (row{plural} {numbers})"
        raise DataError.of(what, key=name)


def _positive_last(classes: list[Scalar], *, positive: Scalar, declared: Column) -> list[Scalar]:
    """Return two classes with the positive one last."""
    hidden = declared.sensitive or declared.pii
    shown = () if hidden else tuple(rules.written(value) for value in classes)
    if len(classes) > BINARY:
        what = f"'positive' is for two classes, and '{declared.name}' has {len(classes)}"
        raise DataError.of(what, key="schema.positive", allowed=("null",))
    if not any(rules.same(positive, value) for value in classes):
        what = f"no row of '{declared.name}' has the positive class '{rules.written(positive)}'"
        suggestion = nearest(rules.written(positive), shown)
        raise DataError.of(what, key="schema.positive", suggestion=suggestion, allowed=shown)
    return sorted(classes, key=lambda value: rules.same(value, positive))


def _onnx_int64() -> int:
    from onnx import TensorProto

    return int(TensorProto.INT64)

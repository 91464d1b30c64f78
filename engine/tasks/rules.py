"""Checks of a recipe that every task makes: its keys, its metric, its target's type."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from engine.errors import Message, nearest
from engine.recipe.spec_table import ColumnSpec, ColumnType
from engine.recipe.strict import Scalar

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

_OWN_KEYS = ("kind", "metric")


def task_keys(spec: Spec, *, task: str, extra: Collection[str]) -> Iterator[Message]:
    """Yield a message for each key of `task` that is unknown or missing; `extra` are the task's own."""
    allowed = (*_OWN_KEYS, *extra)
    given = spec.task.model_extra or {}
    for key in given:
        if key not in extra:
            yield Message(
                f"'{key}' is not a key of task {task}",
                key=f"task.{key}",
                suggestion=nearest(key, allowed),
                allowed=allowed,
                try_=f"engine options task/{task}",
            )
    for key in extra:
        if key not in given:
            yield Message(
                f"task {task} needs '{key}'",
                key=f"task.{key}",
                allowed=allowed,
                try_=f"engine options task/{task}",
            )


def metrics_named(spec: Spec, *, names: Sequence[str], why_not: Mapping[str, str]) -> Iterator[Message]:
    """Yield a message for `goal.metric`, and `task.metric` where it differs, if it is not in `names`.

    `why_not` says of known names why this recipe can't have them.
    """
    given = {"goal.metric": spec.goal.metric}
    if spec.task.metric != spec.goal.metric:
        given["task.metric"] = spec.task.metric
    for key, name in given.items():
        if name not in names:
            what = why_not.get(name, f"'{name}' is not a metric of task {spec.task.kind}")
            suggestion = "" if name in why_not else nearest(name, names)
            yield Message(
                what,
                key=key,
                suggestion=suggestion,
                allowed=tuple(names),
                try_="engine options goal.metric",
            )


def target_typed(spec: Spec, *, types: Sequence[ColumnType]) -> Iterator[Message]:
    """Yield a message if the target is of a type the task can't predict.

    That it is declared at all is the schema's rule, and said there.
    """
    declared = target_column(spec)
    if declared is not None and declared.type not in types:
        name = spec.schema_.target
        yield Message(
            f"task {spec.task.kind} can't predict '{name}', of type {declared.type}",
            key=f"schema.columns.{name}.type",
            allowed=tuple(types),
        )


def target_column(spec: Spec) -> ColumnSpec | None:
    """Return the declared target, or None if there is none."""
    return spec.schema_.columns.get(spec.schema_.target)


def written(value: Scalar) -> str:
    """Return a value as a recipe writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def same(one: Scalar, other: Scalar) -> bool:
    """Say whether two values are the same and of one type: 1 is not true."""
    return type(one) is type(other) and one == other

"""What a recipe may ask for so that groups are decided for more alike: checked here, done in training."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Message, nearest
from engine.evaluation.gates import GROUPING_TYPES
from engine.recipe.spec import Spec


def check_mitigation(spec: Spec, *, has_classes: bool) -> Iterator[Message]:
    """Yield what is wrong with `model.fairness`; `has_classes` tells whether the task's targets have."""
    asked, schema = spec.model.fairness, spec.schema_
    if asked is None:
        return
    if not has_classes:
        what = f"{asked.kind} makes group and class independent, and task {spec.task.kind} has no classes"
        yield Message(what, "model.fairness")
        return
    if spec.tune.kind != "none" and spec.tune.models:
        what = "what is done for fairness belongs to one model, and tune.models searches among several"
        yield Message(what, "model.fairness", try_="tune.models: []")
    allowed = tuple(
        name
        for name, column in schema.columns.items()
        if column.type in GROUPING_TYPES and name != schema.target
    )
    if not asked.by:
        yield Message(
            f"{asked.kind} needs a column whose groups are weighed", "model.fairness.by", allowed=allowed
        )
    for place, name in enumerate(asked.by):
        if name in asked.by[:place]:
            yield Message(f"'{name}' stands twice", "model.fairness.by")
        elif name not in allowed:
            column = schema.columns.get(name)
            what = f"'{name}' is not a declared column"
            if column is not None:
                is_target = name == schema.target
                why = "the target" if is_target else f"of type {column.type}, which makes no groups"
                what = f"'{name}' is {why}"
            yield Message(what, "model.fairness.by", suggestion=nearest(name, allowed), allowed=allowed)

"""What a recipe may ask for so that groups are decided for more alike: checked here, done in training."""

from __future__ import annotations

from collections.abc import Iterator

from engine.errors import Message
from engine.evaluation.gates import Grouping
from engine.recipe.spec import Spec


def check_mitigation(spec: Spec, *, has_classes: bool) -> Iterator[Message]:
    """Yield what is wrong with `model.fairness`; `has_classes` tells whether the task's targets have."""
    asked = spec.model.fairness
    if asked is None:
        return
    if not has_classes:
        what = f"{asked.kind} makes group and class independent, and task {spec.task.kind} has no classes"
        yield Message(what, "model.fairness")
        return
    if spec.tune.kind != "none" and spec.tune.models:
        what = "what is done for fairness belongs to one model, and tune.models searches among several"
        yield Message(what, "model.fairness", try_="tune.models: []")
    grouping = Grouping()
    if not asked.by:
        what = f"{asked.kind} needs a column whose groups are weighed"
        yield Message(what, "model.fairness.by", allowed=grouping.columns(spec))
    yield from grouping.check(asked.by, key="model.fairness.by", spec=spec)

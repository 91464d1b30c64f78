"""Everything that is wrong with a recipe and can be seen without its data: each room is asked about its part.

A section that is not known is not asked about, and a name with a near right one counts as that one, so that
no mistake is told of that follows from another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from engine.data.declared import check_schema
from engine.data.schema import declare
from engine.data.split import check_split
from engine.errors import EngineError, Message
from engine.evaluation.gates import check_gates
from engine.features.prepare import unprepared
from engine.models.family import Family
from engine.models.space import check_space
from engine.names import DEPLOYMENTS, FAMILIES, TASKS, Registry
from engine.recipe.draft import Draft
from engine.recipe.places import Places
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath
from engine.tasks.task import Task

_MAY_BE_SECRET: tuple[KeyPath, ...] = (("data", "path"),)


def find_mistakes(draft: Draft) -> Iterator[Message]:
    """Yield what every room finds wrong with its part; a message's key is relative to the recipe."""
    spec = draft.spec
    yield from _resolved_elsewhere(spec)
    task: Task | None = None
    if draft.knows("task"):
        named, wrong = _named(TASKS, spec.task.kind, "task")
        yield from wrong
        task = cast("Task | None", named)
    if draft.knows("schema", "task"):
        wrong = check_schema(spec)
        yield from wrong
        if not wrong:
            yield from unprepared(declare(spec).columns)
    if draft.knows("schema", "split"):
        yield from check_split(spec)
    if task is not None and draft.knows("schema", "goal"):
        yield from task.check(spec)
        yield from check_gates(spec, task.metric_names(spec))
    if draft.knows("model"):
        yield from _model_mistakes(spec, task)
    if draft.knows("deploy"):
        yield from _named(DEPLOYMENTS, spec.deploy.kind, "deploy")[1]


def _resolved_elsewhere(spec: Spec) -> Iterator[Message]:
    """Refuse the environment's values where they would be written out: they may only find the data."""
    allowed = tuple(".".join(known) for known in _MAY_BE_SECRET)
    for path in sorted(spec.from_environment.difference(_MAY_BE_SECRET)):
        yield Message(
            "a value from the environment would be written out here", ".".join(path), allowed=allowed
        )


def _named(registry: Registry, name: str, section: str) -> tuple[object | None, list[Message]]:
    """Return what a name stands for, or what the name near it does, and what is wrong with it."""
    try:
        return registry.load(name), []
    except EngineError as error:
        (said,) = error.messages
    key = f"{section}.{'family' if section == 'model' else 'kind'}"
    message = Message(
        said.what, key, suggestion=said.suggestion, allowed=said.allowed, try_=f"engine options {section}"
    )
    return registry.load(said.suggestion) if said.suggestion else None, [message]


def _model_mistakes(spec: Spec, task: Task | None) -> Iterator[Message]:
    named, wrong = _named(FAMILIES, spec.model.family, "model")
    yield from wrong
    yield from _of_family(spec, named, task, is_named=not wrong)


def _of_family(spec: Spec, named: object | None, task: Task | None, *, is_named: bool) -> Iterator[Message]:
    family = cast("Family | None", named)
    if family is None or task is None:
        return
    if spec.model.estimator is not None and not family.named_estimators(task.name):
        yield Message(f"{family.name} is one estimator: name none", "model.estimator", try_="model: sklearn")
    known = family.parameters(estimator=spec.model.estimator, task=task.name)
    foreign = []
    for message in family.check(spec.model, task.name):
        if message.key == "model.family":
            yield Message(message.what, message.key, allowed=_families_for(task), try_="engine options model")
            return
        if _is_of_another_family(message, spec.places):
            foreign.append(message)
        else:
            yield message
    for message in check_space(spec.model, known, family=family.name):
        if not _is_of_another_family(message, spec.places):
            yield message
    if foreign and is_named:
        names = ", ".join(message.key.removeprefix("model.params.") for message in foreign)
        what = f"{family.name} does not take the params of the option that is chosen: {names}"
        yield Message(what, "model.family", try_=f"model={family.name}, which has its own")


def _is_of_another_family(message: Message, places: Places) -> bool:
    """Tell whether the family alone was changed, and an option's file still has another one's params."""
    path = places.path_of(message.key)
    is_theirs = path[:2] in (("model", "params"), ("model", "space")) and not places.is_given(path)
    return is_theirs and places.is_given(("model", "family"))


def _families_for(task: Task) -> tuple[str, ...]:
    families = {name: cast("Family", FAMILIES.load(name)) for name in FAMILIES.names()}
    return tuple(name for name, family in families.items() if family.tasks.intersection(task.kinds))

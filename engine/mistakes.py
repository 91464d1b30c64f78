"""Everything that is wrong with a recipe and can be seen without its data: each room is asked about its part.

A section that is not known is not asked about, and a name with a near right one counts as that one, so that
no mistake is told of that follows from another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from engine.data.declared import check_schema
from engine.data.joins import check_joins
from engine.data.kinds import check_split
from engine.data.quality.population import check_population
from engine.data.schema import declare
from engine.deploy.kubernetes import check_cluster
from engine.errors import EngineError, Message
from engine.evaluation.bounded import not_a_goal
from engine.evaluation.gates import check_gates
from engine.evaluation.mitigation import check_mitigation
from engine.evaluation.slices import check_slices
from engine.features.check import unprepared
from engine.governance.check import check_governance
from engine.machine import has_cuda
from engine.models.calibration import check_calibration
from engine.models.family import Family
from engine.models.space import check_space
from engine.names import DEPLOYMENTS, FAMILIES, TASKS, Registry
from engine.recipe.draft import Draft
from engine.recipe.places import Places
from engine.recipe.spec import DeploySpec, Spec
from engine.recipe.text import KeyPath
from engine.studies import check_studies
from engine.tasks.task import Task
from engine.tuning.check import check_search
from engine.tuning.readable import check_readable

_MAX_NAMED = 5
_JOINS: KeyPath = ("data", "join")
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
    yield from _data_mistakes(draft)
    if task is not None and draft.knows("schema", "goal"):
        yield from _task_mistakes(spec, task)
        yield from check_gates(spec, task.metric_names(spec))
    if task is not None and draft.knows("governance", "schema", "goal"):
        yield from check_governance(spec, metrics=task.metric_names(spec))
    yield from _judgement_mistakes(draft, task)
    if draft.knows("model"):
        yield from _model_mistakes(draft, task)
    if draft.knows("model", "tune", "task", "split"):
        yield from check_search(spec)
        yield from check_readable(draft)
    if draft.knows("compute"):
        yield from _device_mistakes(draft)
    if draft.knows("deploy"):
        yield from _deploy_mistakes(spec.deploy, task)


def _judgement_mistakes(draft: Draft, task: Task | None) -> Iterator[Message]:
    if draft.knows("schema", "evaluation"):
        yield from check_slices(draft.spec)
    if task is None:
        return
    has_classes = "continuous" not in task.kinds
    if draft.knows("schema", "model", "tune", "task", "split"):
        yield from check_mitigation(draft.spec, task)
    if draft.knows("schema", "goal", "task", "model", "evaluation"):
        yield from check_studies(draft.spec, has_classes=has_classes)


def _data_mistakes(draft: Draft) -> Iterator[Message]:
    if draft.knows("data"):
        yield from check_joins(draft.spec.data)
    if draft.knows("schema", "data"):
        yield from check_population(draft.spec)
    if draft.knows("schema", "split"):
        yield from check_split(draft.spec)


def _device_mistakes(draft: Draft) -> Iterator[Message]:
    key = "compute.device"
    # Where `cuda` is but our guess, what is wrong with it has been said.
    is_guessed = any(said.key == key for said in draft.mistakes)
    if draft.spec.compute.device == "cuda" and not is_guessed and not has_cuda():
        yield Message("there is no CUDA device on this machine", key, try_="compute=cpu")


def _deploy_mistakes(deploy: DeploySpec, task: Task | None) -> Iterator[Message]:
    yield from _named(DEPLOYMENTS, deploy.kind, "deploy")[1]
    if deploy.abstain_below is not None and task is not None and "continuous" in task.kinds:
        what = f"'abstain_below' asks for a probability, and task {task.name} gives none"
        yield Message(what, key="deploy.abstain_below")
    if deploy.kind == "kubernetes":
        yield from check_cluster(deploy.kubernetes)


def _resolved_elsewhere(spec: Spec) -> Iterator[Message]:
    """Refuse the environment's values where they would be written out: they may only find the data."""
    allowed = tuple(".".join(known) for known in _MAY_BE_SECRET)
    for path in sorted(spec.from_environment.difference(_MAY_BE_SECRET)):
        if path[:2] == _JOINS and path[-1] == "path":
            continue
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


def _task_mistakes(spec: Spec, task: Task) -> Iterator[Message]:
    left: list[str] = []
    for message in task.check(spec):
        if _is_left_by_option(message, spec.places, said=("task", "kind")):
            left.append(message.key.removeprefix("task."))
        else:
            bounded = not_a_goal(spec.goal.metric) if message.key == "goal.metric" else None
            yield bounded or message
    if left:
        what = f"{task.name} does not fit the keys of the option that is chosen: {_few(left)}"
        yield Message(what, "task.kind", try_=f"task={task.name}, which has its own")


def _model_mistakes(draft: Draft, task: Task | None) -> Iterator[Message]:
    spec = draft.spec
    named, wrong = _named(FAMILIES, spec.model.family, "model")
    yield from wrong
    if spec.model.balance is not None and task is not None and "continuous" in task.kinds:
        what = f"balance evens out classes, and {task.name} has none"
        yield Message(what, "model.balance", try_="model.balance: null")
    if draft.knows("split"):
        yield from check_calibration(spec, has_classes=task is None or "continuous" not in task.kinds)
    if draft.knows("tune") and spec.tune.kind == "none":
        # What nobody wrote and no search reads is not read here either: its grammar takes its time.
        space = spec.model.space.items()
        own = {name: text for name, text in space if not spec.places.is_ours(("model", "space", name))}
        spec = spec.model_copy(update={"model": spec.model.model_copy(update={"space": own})})
    yield from _of_family(spec, named, task, is_named=not wrong)


def _of_family(spec: Spec, named: object | None, task: Task | None, *, is_named: bool) -> Iterator[Message]:
    family = cast("Family | None", named)
    if family is None or task is None:
        return
    if spec.model.estimator is not None and not family.named_estimators(task.name):
        yield Message(f"{family.name} is one estimator: name none", "model.estimator", try_="model: sklearn")
    known = family.parameters(estimator=spec.model.estimator, task=task.name)
    model = spec.model.model_copy(update={"family": family.name})
    left: list[str] = []
    for message in family.check(model, task.name):
        if message.key == "model.family":
            yield Message(message.what, message.key, allowed=_families_for(task), try_="engine options model")
            return
        if _is_left_by_option(message, spec.places, said=("model", "family")):
            left.append(message.key.removeprefix("model.params."))
        else:
            yield message
    for message in check_space(model, known, family=family.name):
        if not _is_left_by_option(message, spec.places, said=("model", "family")):
            yield message
    if left and is_named:
        what = f"{family.name} does not fit the params of the option that is chosen: {_few(left)}"
        yield Message(what, "model.family", try_=f"model={family.name}, which has its own")


def _is_left_by_option(message: Message, places: Places, *, said: KeyPath) -> bool:
    """Tell whether a key comes from an option's file, though the recipe says `said` without that option."""
    path = places.path_of(message.key)
    is_given = places.is_given(path)
    if not places.is_default(path):
        is_given = any(places.is_given(path[:end]) for end in range(2, len(path) + 1))
    return path[:1] == said[:1] and not is_given and places.is_given(said)


def _few(names: list[str]) -> str:
    rest = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _families_for(task: Task) -> tuple[str, ...]:
    families = {name: cast("Family", FAMILIES.load(name)) for name in FAMILIES.names()}
    return tuple(name for name, family in families.items() if family.tasks.intersection(task.kinds))

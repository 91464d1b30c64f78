"""Gathers the names that a recipe may use from the rooms that own them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from engine.data.quality.finding import DATA_MEANINGS, GREATER_IS_BETTER, OF_CLASSES
from engine.evaluation.fairness import MEANINGS
from engine.evaluation.gates import BUNDLE_MEANINGS
from engine.evaluation.robustness import FALLS
from engine.models.family import Family
from engine.models.params import Accepted, Parameter
from engine.names import DEPLOYMENTS, FAMILIES, TASKS
from engine.recipe.known import FamilyWords, Known, MetricWords, Node, ParamWords, TaskWords
from engine.recipe.spec_value import Value
from engine.recipe.text import Plain
from engine.tasks.task import Metric, Task
from engine.tasks.value import RETURN, value_metrics

_TYPES: Mapping[str, str] = {
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "fraction": "number",
    "string": "string",
    "null": "null",
    "list": "array",
    "mapping": "object",
}


def known_names() -> Known:
    """Return every name that a recipe may use, those of installed packages with ours."""
    tasks = {name: cast("Task", TASKS.load(name)) for name in TASKS.names()}
    families = {name: cast("Family", FAMILIES.load(name)) for name in FAMILIES.names()}
    return Known(
        metrics=tuple(_metrics(tasks)),
        tasks={name: TaskWords(name, _own_keys(task)) for name, task in tasks.items()},
        families={name: _family(family, tasks) for name, family in families.items()},
        deployments=DEPLOYMENTS.names(),
    )


def _metrics(tasks: Mapping[str, Task]) -> Iterable[MetricWords]:
    found: dict[str, Metric] = {}
    owners: dict[str, dict[str, None]] = {}
    for name, task in tasks.items():
        for metric in (metric for kind in task.kinds for metric in task.metrics(kind).values()):
            found.setdefault(metric.name, metric)
            owners.setdefault(metric.name, {})[name] = None
    for metric in found.values():
        yield MetricWords(
            metric.name, metric.title, metric.greater_is_better, tuple(owners[metric.name]), True, ""
        )
    deciding = tuple(name for name, task in tasks.items() if "binary" in task.kinds)
    for metric in value_metrics(Value(currency="in goal.value.currency", action_cost=1.0)):
        needs = "goal.value.action_cost" if metric.name == RETURN else "goal.value"
        yield MetricWords(metric.name, metric.title, metric.greater_is_better, deciding, True, needs)
    for name, meaning in MEANINGS.items():
        yield MetricWords(name, meaning, name.endswith("_ratio"), deciding, False, "by")
    for name, meaning in BUNDLE_MEANINGS.items():
        yield MetricWords(name, meaning, False, tuple(tasks), False, "")
    for name, meaning in FALLS.items():
        yield MetricWords(name, meaning, False, tuple(tasks), False, "evaluation.robustness_rows")
    for name, meaning in DATA_MEANINGS.items():
        owners_of_data = deciding if name in OF_CLASSES else tuple(tasks)
        yield MetricWords(name, meaning, name in GREATER_IS_BETTER, owners_of_data, False, "")


def _own_keys(task: Task) -> dict[str, Node]:
    described: Mapping[str, Node] = task.keys.model_json_schema().get("properties", {})
    return dict(described)


def _family(family: Family, tasks: Mapping[str, Task]) -> FamilyWords:
    by_task = {
        name: family.named_estimators(name)
        for name, task in tasks.items()
        if family.tasks.intersection(task.kinds)
    }
    params = {
        name: _params([family.parameters(estimator=name or None, task=task) for task in by_task])
        for name in sorted({name for names in by_task.values() for name in names}) or [""]
    }
    return FamilyWords(family.name, by_task, params)


def _params(by_task: Iterable[Mapping[str, Parameter]]) -> dict[str, ParamWords]:
    """Join what the tasks' estimators take; where two differ, either is taken."""
    joined: dict[str, list[Parameter]] = {}
    for parameters in by_task:
        for name, parameter in parameters.items():
            joined.setdefault(name, []).append(parameter)
    aliases: dict[str, list[str]] = {}
    for name, (first, *_) in joined.items():
        if first.same_as:
            aliases.setdefault(first.same_as, []).append(name)
    return {
        name: ParamWords(_node(same), _plain(same[0].default), tuple(aliases.get(name, ())))
        for name, same in sorted(joined.items())
        if not same[0].same_as
    }


def _node(parameters: Iterable[Parameter]) -> Node:
    kinds: list[Plain] = []
    for parameter in parameters:
        if parameter.accepts is None:
            return {}
        kinds += [node for accepted in parameter.accepts if (node := _accepted(accepted)) not in kinds]
    first = kinds[0]
    return first if len(kinds) == 1 and isinstance(first, dict) else {"anyOf": kinds}


def _accepted(accepted: Accepted) -> Node:
    if accepted.options:
        return {"enum": list(accepted.options)}
    node: Node = {"type": _TYPES[accepted.type]}
    if accepted.low is not None:
        node["exclusiveMinimum" if accepted.low_open else "minimum"] = accepted.low
    if accepted.high is not None:
        node["exclusiveMaximum" if accepted.high_open else "maximum"] = accepted.high
    return node


def _plain(default: object) -> Plain:
    plain: Plain = json.loads(json.dumps(default))
    return plain

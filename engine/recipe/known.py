"""The names that a recipe may use and that other rooms own, as data: metrics, tasks, families, deployments.

`recipe/` stands below those rooms, so whoever describes the language hands them in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.recipe.text import Plain

# A piece of JSON Schema.
Node = dict[str, Plain]


@dataclass(frozen=True, slots=True)
class MetricWords:
    """A metric that a recipe may name.

    Attributes
    ----------
    tasks
        The tasks that have it.
    can_select
        Whether `goal.metric` may name it; every metric can be bounded by a gate.
    needs
        What else the recipe must say for it: `goal.value`, `by`, or nothing.
    """

    name: str
    meaning: str
    greater_is_better: bool
    tasks: tuple[str, ...]
    can_select: bool
    needs: str


@dataclass(frozen=True, slots=True)
class TaskWords:
    """A task: the keys that it alone has under `task`, each with its JSON Schema."""

    name: str
    keys: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class ParamWords:
    """A parameter: what it takes, the library's default, and its other names."""

    node: Node
    default: Plain
    aliases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FamilyWords:
    """A family.

    Attributes
    ----------
    by_task
        For each task that it does, the names that `model.estimator` may have: none where it takes no name.
    params
        The parameters of each estimator; a family that takes no name has "" alone.
    """

    name: str
    by_task: Mapping[str, tuple[str, ...]]
    params: Mapping[str, Mapping[str, ParamWords]]

    @property
    def estimators(self) -> tuple[str, ...]:
        """The names that `model.estimator` may have, whatever the task."""
        return tuple(name for name in self.params if name)


@dataclass(frozen=True, slots=True)
class Known:
    """All the names, each kind in the order to show it."""

    metrics: tuple[MetricWords, ...]
    tasks: Mapping[str, TaskWords]
    families: Mapping[str, FamilyWords]
    deployments: tuple[str, ...]

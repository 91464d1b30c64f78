"""What a study is: one look at a finished model from one side, kept as facts.

A new study is one module with a `STUDY` of this protocol, a key of `evaluation` that asks for it, and one
line in `engine.names`. Its top is light, as `engine plan` reads it: what computes is imported inside `look`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from engine.errors import Message
from engine.recipe.spec import Spec

if TYPE_CHECKING:
    from engine.data.schema import Schema
    from engine.evaluation.judge import Judgement
    from engine.models.family import Progress
    from engine.tasks.task import Target, Task
    from engine.training.fit import Model
    from engine.training.parts import Divided


@dataclass(frozen=True, slots=True)
class Subject:
    """A finished model, the rows that it learnt from and is judged on, and what was measured of it.

    Attributes
    ----------
    spec
        With the model that a search chose, where there was one.
    progress
        Hears how much of one study is done.
    """

    spec: Spec
    task: Task
    schema: Schema
    divided: Divided
    model: Model
    judgement: Judgement
    progress: Progress

    @property
    def target(self) -> Target:
        """What is predicted."""
        return self.divided.target

    @property
    def features(self) -> tuple[str, ...]:
        """The raw columns that the model may read."""
        return tuple(column.name for column in self.schema.features)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a study found.

    Attributes
    ----------
    facts
        In JSON, for `metrics.json` under the study's name; None leaves nothing there.
    measured
        Values that `goal.gates` may bound, by the names in `Study.measures`.
    notes
        What a person should know at once, a sentence each.
    """

    facts: Mapping[str, object] | None
    measured: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class Study(Protocol):
    """One way to look at a finished model."""

    @property
    def name(self) -> str:
        """What it is called: a step of the run, a key of `metrics.json`."""

    def is_wanted(self, spec: Spec) -> bool:
        """Tell whether a recipe asks for it."""

    def check(self, spec: Spec, *, has_classes: bool) -> Iterator[Message]:
        """Yield what is wrong with what a recipe asks of it; `has_classes` tells whether its task has."""

    def does(self, spec: Spec) -> str:
        """Say in a few words what it does, for the plan."""

    def n_fits(self, spec: Spec) -> int:
        """Return how many models it fits."""

    def look(self, subject: Subject) -> Finding:
        """Look at a finished model."""

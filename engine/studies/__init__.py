"""Studies: looks at a finished model from many sides; each is a module, a step and a part of the facts.

They come after the scores and before the verdict, as a gate may bound what a study measured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import cast

from engine.errors import Message
from engine.names import STUDIES
from engine.recipe.spec import Spec
from engine.studies.study import Finding, Study, Subject

__all__ = ["Finding", "Studied", "Study", "Subject", "check_studies", "study", "wanted_studies"]


@dataclass(frozen=True, slots=True)
class Studied:
    """What all studies found: facts by study, measures by name, and sentences for people."""

    facts: Mapping[str, Mapping[str, object]]
    measured: Mapping[str, float]
    notes: tuple[str, ...]


def wanted_studies(spec: Spec) -> tuple[Study, ...]:
    """Return the studies that a recipe asks for, in the order in which they are made."""
    known = (cast("Study", STUDIES.load(name)) for name in STUDIES.names())
    return tuple(one for one in known if one.is_wanted(spec))


def check_studies(spec: Spec, *, has_classes: bool) -> Iterator[Message]:
    """Yield what is wrong with the studies that a recipe asks for."""
    for one in wanted_studies(spec):
        yield from one.check(spec, has_classes=has_classes)


def study(subject: Subject, *, step: Callable[[str], AbstractContextManager[None]]) -> Studied:
    """Make the studies that the subject's recipe asks for, each in a step of its own name."""
    facts: dict[str, Mapping[str, object]] = {}
    measured: dict[str, float] = {}
    notes: list[str] = []
    for one in wanted_studies(subject.spec):
        with step(one.name):
            found = one.look(subject)
        if found.facts is not None:
            facts[one.name] = found.facts
        measured |= found.measured
        notes += found.notes
    return Studied(facts, measured, tuple(notes))

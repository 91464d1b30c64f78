"""A divided table looked over before anything is fitted: its profile, and what makes a result doubtful."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from engine.data.kinds import KINDS
from engine.data.pointers import Pointer, find_pointer
from engine.data.profile import Profile, profile
from engine.data.quality.finding import Quality
from engine.data.quality.inspection import inspect
from engine.data.table import Table
from engine.evaluation.gates import missed_by_data
from engine.recipe.spec import Spec
from engine.training.parts import Divided


def look_over(table: Table, divided: Divided, *, spec: Spec) -> tuple[Profile, Quality]:
    """Describe each column of a table, and check the data's quality."""
    parts, target = divided.parts, divided.target
    found = profile(table, parts=parts)
    in_time = KINDS[spec.split.kind].in_time
    quality = inspect(
        table,
        parts=parts,
        y=divided.whole.y,
        classes=target.class_names if target.classes else (),
        profile=found,
        population=spec.data.population,
        in_time=bool(table.schema.of_role("time")) if in_time is None else in_time,
        seed=spec.seed,
    )
    return found if table.streamed is None else table.streamed.overall.onto(found), quality


def tracked(table: Table, *, spec: Spec) -> Pointer | None:
    """Return what DVC says of the file that was read, if it does."""
    path = Path(table.source.path)
    pointer = find_pointer(path) if path.exists() else None
    # The pointer is named after the data, whose path the environment may have given.
    is_secret = ("data", "path") in spec.from_environment
    return replace(pointer, file="") if pointer is not None and is_secret else pointer


def alarms(quality: Quality, *, spec: Spec) -> tuple[str, ...]:
    """Return what to know before a fit, a sentence each: serious findings, gates that are missed already."""
    serious = (finding.what for finding in quality.serious)
    return (*serious, *missed_by_data(spec.goal.gates, measured=quality.measures))

"""Nested cross-validation: what a whole search is worth, on rows that have chosen nothing.

The score by which a search chose flatters its winner. Here the search is done anew inside the training rows
of each fold, and what wins there is judged on the fold: Cawley and Talbot, "On Over-fitting in Model
Selection and Subsequent Selection Bias in Performance Evaluation" (JMLR 2010).
"""

from __future__ import annotations

from functools import reduce
from pathlib import Path

import numpy as np

from engine.data.schema import Schema
from engine.data.split import Array, Fold
from engine.tasks.task import Task
from engine.training.folds import Choose, Chosen
from engine.training.parts import Divided
from engine.tuning.objective import Lesson
from engine.tuning.trial import Outcome, Trial
from engine.tuning.tune import search_lessons
from engine.tuning.tuned import Tuned


def choose_inside(
    tuned: Tuned | None, divided: Divided, *, schema: Schema, task: Task, folder: Path
) -> Choose | None:
    """Return what chooses a model anew inside each fold, None where the recipe asks for no such search.

    Parameters
    ----------
    folder
        Where each fold's journal is kept; what stands there is not done again.
    """
    if tuned is None or not tuned.is_nested:
        return None
    spec = tuned.spec

    def choose(index: int) -> Chosen | None:
        taught = inner_lessons(divided, index, n_folds=spec.split.folds or 0, by=spec.tune.objective)
        if not taught:
            return None
        folder.mkdir(exist_ok=True)
        found = search_lessons(
            taught,
            schema=schema,
            task=task,
            target=divided.target,
            spec=spec,
            journal=folder / f"fold-{index}.jsonl",
            states=folder / f"states-{index}",
            progress=_pass,
            tried=_hear,
        )
        if found.search.is_interrupted:
            # What a part of a search chose is no answer; its trials are kept for who resumes.
            raise KeyboardInterrupt
        return Chosen(found.model, found.course)

    return choose


def inner_lessons(divided: Divided, index: int, *, n_folds: int, by: str) -> tuple[Lesson, ...]:
    """Return what the search inside one fold learns from and is scored by: no row that the fold judges.

    The other folds of the same repeat, cut down to the training rows of this one: what keeps those apart
    (groups, time and its gaps) keeps these apart, too. The first fold in time has none.

    Parameters
    ----------
    by
        `folds`, or `validation`: then the first of them alone, as the search outside has the first fold.
    """
    folds = divided.parts.folds
    known = _union(folds[index].train, folds[index].validation)
    first = index - index % n_folds
    others = [fold for place, fold in enumerate(folds[first : first + n_folds], first) if place != index]
    cut = [Fold(*(_both(rows, known) for rows in (one.train, one.validation, one.judged))) for one in others]
    inner = [one for one in cut if len(one.train) and len(one.judged)]
    take = divided.whole.take
    if by == "folds":
        return tuple(Lesson(take(one.train), take(one.validation), take(one.judged)) for one in inner)
    judged = [(take(_union(one.train, one.validation)), take(one.judged)) for one in inner[:1]]
    return tuple(Lesson(train, scored, scored) for train, scored in judged)


def _union(*rows: Array) -> Array:
    return reduce(np.union1d, rows)


def _both(rows: Array, known: Array) -> Array:
    return np.intersect1d(rows, known, assume_unique=True)


def _pass(done: int, total: int, score: float | None) -> None:
    """Tell nothing: the progress of the step is of its folds."""


def _hear(trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
    """Tell nothing, as above."""

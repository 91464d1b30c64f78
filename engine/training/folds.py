"""Cross-validation: every fold of a `kfold` split validates once, on a model fitted on the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from engine.data.schema import Schema
from engine.evaluation.evaluate import PartScores, evaluate
from engine.models.decide import decide_values
from engine.models.family import Course
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import Task
from engine.training.fit import fit_candidate
from engine.training.parts import Divided


@dataclass(frozen=True, slots=True)
class FoldScores:
    """A metric over the folds: its mean, and each fold's value in order."""

    mean: float | None
    folds: tuple[float | None, ...]

    def to_json(self) -> dict[str, object]:
        """Return the form of `metrics.json`; `low` and `high` are the smallest and the largest fold."""
        known = [value for value in self.folds if value is not None]
        low, high = (min(known), max(known)) if known else (None, None)
        return {"value": self.mean, "low": low, "high": high, "folds": list(self.folds)}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The model that is fitted on one fold, and the stages of its training, if any."""

    model: ModelSpec
    course: Course | None


# Given the place of a fold; None where nothing can be chosen by its training rows.
Choose = Callable[[int], Chosen | None]


def score_folds(
    divided: Divided,
    *,
    schema: Schema,
    task: Task,
    spec: Spec,
    progress: Callable[[int, int, float | None], None],
    course: Course | None = None,
    choose: Choose | None = None,
) -> dict[str, object]:
    """Fit and score each fold; the preparation is fitted anew on each fold's training rows.

    Parameters
    ----------
    choose
        What is fitted on each fold, chosen by its training rows; None: the recipe's model on all of them.

    Returns
    -------
    dict
        By metric, in the form of `metrics.json`, with every fold's value under `folds`. Decisions are made at
        the task's neutral threshold: a fold's own rows choose nothing, neither a threshold nor when to stop.
    """
    target, folds = divided.target, divided.parts.folds
    rows: list[dict[str, float]] = []
    for index, fold in enumerate(folds):
        chosen = Chosen(spec.model, course) if choose is None else choose(index)
        if chosen is None:
            rows.append({})
            continue
        judged = divided.whole.take(fold.judged)
        candidate = fit_candidate(
            chosen.model,
            train=divided.whole.take(fold.train),
            validation=divided.whole.take(fold.validation),
            schema=schema,
            target=target,
            spec=spec,
            course=chosen.course,
        )
        scores = decide_values(candidate.predict(judged.frame), task=task, target=target, threshold=None)
        part = PartScores(judged.y, scores.priced(judged.worth), judged.weights, pl.DataFrame())
        found = evaluate({"validation": part}, spec=spec, task=task, target=target, seed=spec.seed)
        rows.append({name: interval.value for name, interval in found.metrics["validation"].items()})
        progress(index + 1, len(folds), None)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: _over_folds([row.get(name, math.nan) for row in rows]).to_json() for name in names}


def _over_folds(values: Sequence[float]) -> FoldScores:
    finite = [value if math.isfinite(value) else None for value in values]
    known = [value for value in finite if value is not None]
    return FoldScores(math.fsum(known) / len(known) if known else None, tuple(finite))

"""Searches a recipe's space on its training and validation rows; test rows are never seen here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from engine.data.schema import Schema
from engine.errors import EngineError
from engine.evaluation.wanted import wanted
from engine.machine import n_threads
from engine.models.family import Course
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import Task
from engine.training.parts import Divided
from engine.tuning.candidates import candidates
from engine.tuning.execute import run_trials
from engine.tuning.journal import Journal
from engine.tuning.objective import Lesson, Objective, course
from engine.tuning.search import Search, Winner
from engine.tuning.states import States
from engine.tuning.strategy import strategy
from engine.tuning.table import trials_frame
from engine.tuning.trial import Outcome, Trial


class Tried(Protocol):
    """Who hears of each trial that has ended."""

    def __call__(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Hear of one, and whether it is the best so far."""


class NoneScoredError(EngineError):
    """No trial of a search could be scored; the same trials would fail again."""


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    model
        The recipe's model with the params that won.
    course
        The stages in which the winner was trained; None where it was fitted in one go.
    remarks
        What a person should know of how the trials ran, a sentence each.
    """

    model: ModelSpec
    winner: Winner
    search: Search
    course: Course | None = None
    remarks: tuple[str, ...] = ()

    def frame(self) -> pl.DataFrame:
        """Return every trial as a row, as `trials_frame` says."""
        journal = self.search.journal
        ended = sorted(journal.outcomes)
        return trials_frame((journal.trials[index], journal.outcomes[index]) for index in ended)

    def to_json(self) -> dict[str, object]:
        """Return what `facts.json` keeps of the search.

        Returns
        -------
        dict
            `trials failed stopped_early infeasible repeats`, numbers of each; `winner` (`trial model params
            score mean seeds stages`, the last the params of each stage of pbt, else null); `first`, the score
            of the params as they stand, where they were tried; `stopped`, by `user` or `time`, else null.
        """
        journal, winner = self.search.journal, self.winner
        searched = self.search.searched()
        is_standing = searched and not searched[0][0].params and self.course is None
        first = searched[0][1].score if is_standing else None
        return {
            "trials": len(searched),
            "failed": sum(outcome.state == "failed" for _, outcome in searched),
            "stopped_early": sum(outcome.state == "stopped" for _, outcome in searched),
            "infeasible": sum(bool(outcome.missed) for _, outcome in searched),
            "repeats": len(journal.outcomes) - len(searched),
            "winner": {
                "trial": winner.trial.index,
                "model": winner.trial.model,
                "params": dict(winner.trial.params),
                "score": winner.outcome.score,
                "mean": winner.mean,
                "seeds": winner.n_seeds,
                "stages": None if self.course is None else list(map(dict, winner.trial.stages)),
            },
            "first": first,
            "stopped": "user" if self.search.is_interrupted else "time" if self.search.is_stopped else None,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it, a sentence each."""
        outcomes = self.search.journal.outcomes.values()
        found = list(self.remarks)
        failed = [outcome for outcome in outcomes if outcome.state == "failed"]
        if failed:
            found.append(f"{len(failed)} of {len(outcomes)} trials failed: {failed[0].error}")
        if not self.winner.outcome.is_feasible:
            missed = ", ".join(self.winner.outcome.missed)
            found.append(f"no trial met every gate; the one that came nearest missed {missed}")
        if self.search.is_interrupted:
            found.append(f"stopped by the user after {len(outcomes)} trials: the best so far has won")
        elif self.search.is_stopped:
            found.append(f"tune.max_seconds ended it after {len(outcomes)} trials: another run may differ")
        return tuple(found)


def tune(
    divided: Divided,
    *,
    schema: Schema,
    task: Task,
    spec: Spec,
    journal: Path,
    states: Path,
    progress: Callable[[int, int, float | None], None],
    tried: Tried,
) -> Tuned:
    """Search, and keep the journal of it; what stands there already is not done again.

    `states` is a folder for what fits in stages have come to; it is gone in the end.

    Raises
    ------
    NoneScoredError
        If no trial could be scored.
    """
    target = divided.target
    goal = wanted(spec, task=task, target=target).goal
    found = candidates(spec)
    kept = Journal(journal)
    search = Search(
        strategy(spec, found, maximize=goal.greater_is_better),
        kept,
        tune=spec.tune,
        seed=spec.seed,
        maximize=goal.greater_is_better,
    )
    kept_states = States(states)
    objective = Objective(
        spec,
        schema,
        target,
        lessons(divided, spec),
        found,
        threads=n_threads(spec.compute),
        states=kept_states,
    )

    def heard(outcome: Outcome, done: int, total: int, best: Outcome | None) -> None:
        _forget(kept_states, kept, outcome.index, size=spec.tune.population)
        tried(kept.trials[outcome.index], outcome, is_best=best is not None and best.index == outcome.index)
        progress(done, total, None if best is None else best.score)

    remarks = run_trials(search, objective, heard=heard)
    winner = search.winner()
    if winner is None:
        errors = [outcome.error for outcome in kept.outcomes.values() if outcome.error]
        what = f"none of {len(kept.outcomes)} trials could be scored"
        # What was cut short might have found something.
        kind = EngineError if search.is_stopped else NoneScoredError
        raise kind.of(f"{what}: {errors[0]}" if errors else what)
    kept_states.remove()
    stages = course(winner.trial, spec=spec, candidates=found)
    return Tuned(found.model_of(winner.trial), winner, search, stages, remarks)


def _forget(states: States, journal: Journal, index: int, *, size: int | None) -> None:
    """Remove what generations came to that no trial goes on from any more: all but the latest whole one."""
    if size is None or index not in journal.trials or journal.trials[index].repeats is not None:
        return
    first = index // size * size
    if all(one in journal.outcomes for one in range(first, first + size)):
        latest = [journal.trials[one] for one in range(first, first + size)]
        before = [journal.trials[one] for one in range(max(first - size, 0), first)]
        states.forget(before, but=latest)


def lessons(divided: Divided, spec: Spec) -> tuple[Lesson, ...]:
    """Return what the fits of one trial learn from and are scored by."""
    if spec.tune.objective == "folds":
        take = divided.whole.take
        return tuple(
            Lesson(take(fold.train), take(fold.validation), take(fold.judged)) for fold in divided.parts.folds
        )
    validation = divided.validation
    return (Lesson(divided.train, validation, validation),)

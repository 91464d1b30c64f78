"""Searches a recipe's space on its training and validation rows; test rows are never seen here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from engine import durable
from engine.data.schema import Schema
from engine.data.violation import counted
from engine.errors import EngineError
from engine.evaluation.wanted import wanted
from engine.machine import fixed_threads, n_threads
from engine.models.family import Course
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import Target, Task
from engine.training.parts import Divided
from engine.tuning.candidates import candidates
from engine.tuning.execute import run_trials
from engine.tuning.journal import Journal, replay
from engine.tuning.noise import gain_of, is_asked
from engine.tuning.objective import Lesson, Objective, course
from engine.tuning.search import Finalist, Search
from engine.tuning.states import States
from engine.tuning.strategy import strategy
from engine.tuning.trial import Outcome, Trial
from engine.tuning.tuned import Gain, Tuned


class Tried(Protocol):
    """Who hears of each trial that has ended."""

    def __call__(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Hear of one, and whether it is the best so far."""


class NoneScoredError(EngineError):
    """No trial of a search could be scored; the same trials would fail again."""


@dataclass(frozen=True)
class Before:
    """A search that was stopped before its end, of a run that stays as it is.

    Attributes
    ----------
    run
        Its id.
    journal
        Its journal.
    is_done_again
        Whether just the trials that had ended there are done again; else they count as done, and the search
        goes on to its end.
    """

    run: str
    journal: Path
    is_done_again: bool


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
    before: Before | None = None,
) -> Tuned:
    """Search, and keep the journal of it; what stands there already is not done again.

    `states` is a folder for what fits in stages have come to; it is gone in the end.

    Raises
    ------
    NoneScoredError
        If no trial could be scored.
    """
    only, took = _take_over(before, journal)
    found = search_lessons(
        lessons(divided, spec),
        schema=schema,
        task=task,
        target=divided.target,
        spec=spec,
        journal=journal,
        states=states,
        progress=progress,
        tried=tried,
        only=only,
    )
    gain = _gain(found.search, found.objective)
    return Tuned(found.model, found.winner, found.search, spec, gain, found.course, (*took, *found.remarks))


@dataclass(frozen=True)
class Searched:
    """A search that has ended, with what measured its trials."""

    search: Search
    objective: Objective
    winner: Finalist
    remarks: tuple[str, ...]

    @property
    def model(self) -> ModelSpec:
        """The model with the params that won."""
        return self.objective.candidates.model_of(self.winner.trial)

    @property
    def course(self) -> Course | None:
        """The stages in which the winner was trained; None where it was fitted in one go."""
        objective = self.objective
        return course(self.winner.trial, spec=objective.spec, candidates=objective.candidates)


def search_lessons(
    taught: tuple[Lesson, ...],
    *,
    schema: Schema,
    task: Task,
    target: Target,
    spec: Spec,
    journal: Path,
    states: Path,
    progress: Callable[[int, int, float | None], None],
    tried: Tried,
    only: frozenset[int] | None = None,
) -> Searched:
    """Search as a recipe says, by what the lessons teach and judge.

    Raises
    ------
    NoneScoredError
        If no trial could be scored.
    """
    goal = wanted(spec, task=task, target=target).goal
    found, kept, kept_states = candidates(spec), Journal(journal), States(states)
    search = Search(
        strategy(spec, found, maximize=goal.greater_is_better),
        kept,
        candidates=found,
        tune=spec.tune,
        seed=spec.seed,
        maximize=goal.greater_is_better,
        only=only,
    )
    threads = n_threads(spec.compute)
    objective = Objective(spec, schema, target, taught, found, threads=threads, states=kept_states)

    def heard(outcome: Outcome, done: int, total: int, best: Outcome | None) -> None:
        _forget(kept_states, kept, outcome.index, size=spec.tune.population)
        tried(kept.trials[outcome.index], outcome, is_best=best is not None and best.index == outcome.index)
        progress(done, total, None if best is None else best.score)

    remarks = run_trials(search, objective, heard=heard)
    if search.is_interrupted:
        search.settle()
    winner = search.winner()
    if winner is None:
        raise _none_scored(search)
    kept_states.remove()
    return Searched(search, objective, winner, remarks)


def _none_scored(search: Search) -> EngineError:
    outcomes = search.journal.outcomes.values()
    errors = [outcome.error for outcome in outcomes if outcome.error]
    what = f"none of {len(outcomes)} trials could be scored"
    if len(outcomes) == 1:
        what = "the one trial could not be scored"
    # What was cut short might have found something.
    kind = EngineError if search.is_stopped else NoneScoredError
    return kind.of(f"{what}: {errors[0]}" if errors else what)


def _take_over(before: Before | None, journal: Path) -> tuple[frozenset[int] | None, tuple[str, ...]]:
    """Return which trials alone are to be done, None for all; put what is taken over into the journal."""
    if before is None:
        return None, ()
    _, outcomes = replay(before.journal)
    if before.is_done_again:
        return frozenset(outcomes), ()
    if not journal.exists():
        durable.write_bytes(journal, before.journal.read_bytes())
    return None, (f"{counted(len(outcomes), 'trial')} of run {before.run}, which was stopped, taken over",)


def _gain(search: Search, objective: Objective) -> Gain | None:
    """Return how much better the winner is than the params as they stand, and how sure that is."""
    winner, standing = search.winner(), search.standing()
    if winner is None or standing is None or standing[1].score is None:
        return None
    again = next((one for one in search.finalists() if one.trial.index == standing[0].index), None)
    mean, own = (standing[1].score, winner.outcome.score) if again is None else (again.mean, winner.mean)
    assert own is not None
    value = own - mean if search.maximize else mean - own
    gain = Gain(value, mean, 1 if again is None else winner.n_seeds)
    if value <= 0 or search.is_interrupted or search.only is not None or not is_asked(objective):
        return gain
    with fixed_threads(objective.threads):
        noise = gain_of(winner.trial, standing[0], objective=objective)
    return replace(gain, low=noise.low, high=noise.high, n_rows=objective.lessons[0].judged.n_rows)


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

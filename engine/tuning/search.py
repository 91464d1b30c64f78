"""One search: hands trials out, takes outcomes in, and says in the end which trial has won."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from engine.recipe.spec_model import TuneSpec
from engine.tuning.journal import Journal
from engine.tuning.strategy import Strategy
from engine.tuning.trial import Outcome, Trial

# Told of the outcome, how many trials are done and how many there will be, and the best so far.
Heard = Callable[[Outcome, int, int, "Outcome | None"], None]


@dataclass(frozen=True)
class Winner:
    """The trial that won, and its mean score over the seeds that it was fitted with."""

    trial: Trial
    outcome: Outcome
    mean: float
    n_seeds: int


class Search:
    """The state of a search, all of it in the journal.

    What trial i tries depends on the outcomes of the trials up to i - `max_concurrent_trials`, or to where
    its strategy says, each of which is there before i is handed out: so neither the number of workers nor
    their speed changes anything.
    """

    def __init__(
        self, strategy: Strategy, journal: Journal, *, tune: TuneSpec, seed: int, maximize: bool
    ) -> None:
        self.journal = journal
        self.maximize = maximize
        self.is_stopped = False
        self.is_interrupted = False
        self._strategy, self._tune, self._seed = strategy, tune, seed
        self._n_trials = strategy.n_trials
        self._repeats: tuple[Trial, ...] | None = None
        # What was begun before an interruption and never ended.
        self._left = deque(
            trial for index, trial in sorted(journal.trials.items()) if index not in journal.outcomes
        )
        self._n_begun = sum(trial.repeats is None for trial in journal.trials.values())
        self._n_ended = 0
        self._first_of: dict[str, int] = {}
        for trial in journal.trials.values():
            self._first_of.setdefault(trial.key, trial.index)
        self._best: tuple[Trial, Outcome] | None = None
        for pair in self.searched():
            self._compare(*pair)

    def next(self) -> Trial | Literal["wait", "done"]:
        """Return a trial to run, written down already; or that outcomes must come first, or all is done."""
        while True:
            found = self._next()
            if not isinstance(found, Trial):
                return found
            same = self._same(found)
            if same is None:
                return found
            self.tell(replace(same, index=found.index, seconds=0.0))

    def tell(self, outcome: Outcome) -> None:
        """Take an outcome in."""
        self.journal.end(outcome)
        trial = self.journal.trials[outcome.index]
        if trial.repeats is None:
            self._compare(trial, outcome)

    def stop(self) -> None:
        """Begin nothing more: what is done is all there will be."""
        self.is_stopped = True

    @property
    def n_total(self) -> int:
        """How many trials there will be, repeats of finalists among them."""
        repeats = self._tune.finalists * self._tune.repeats if self._repeats is None else len(self._repeats)
        return self._n_trials + repeats

    def searched(self) -> list[tuple[Trial, Outcome]]:
        """Return the trials of the search itself that have ended, in order."""
        outcomes = self.journal.outcomes
        return [
            (trial, outcomes[index])
            for index, trial in sorted(self.journal.trials.items())
            if index in outcomes and trial.repeats is None
        ]

    def best(self) -> Outcome | None:
        """Return the best outcome so far, None where no trial has a score."""
        return None if self._best is None else self._best[1]

    def ranked(self, trials: Iterable[tuple[Trial, Outcome]]) -> list[tuple[Trial, Outcome]]:
        """Return those that have a score, best first: what meets the gates, then by score, then by age."""
        scored = [(trial, outcome) for trial, outcome in trials if outcome.score is not None]
        return sorted(scored, key=self._order)

    def winner(self) -> Winner | None:
        """Return the finalist with the best mean over its seeds; None where no trial has a score."""
        ranked = self.ranked(self.searched())
        best: tuple[tuple[float, float, int], Winner] | None = None
        for trial, outcome in ranked[: self._tune.finalists]:
            repeated = [outcome, *self._repeated(trial)]
            losses = [self._loss(one) for one in repeated]
            mean = math.fsum(losses) / len(losses)
            shortfall = math.fsum(one.shortfall for one in repeated) / len(repeated)
            order = (shortfall, mean, trial.index)
            if best is None or order < best[0]:
                best = order, Winner(trial, outcome, -mean if self.maximize else mean, len(repeated))
        return None if best is None else best[1]

    def _next(self) -> Trial | Literal["wait", "done"]:
        if self.is_stopped:
            return "done"
        if self._left:
            return self._left.popleft()
        while self._n_ended < self._n_trials and self._n_ended in self.journal.outcomes:
            self._n_ended += 1
        if self._n_begun < self._n_trials:
            return self._propose(self._n_begun)
        return "wait" if self._n_ended < self._n_trials else self._repeat()

    def _propose(self, index: int) -> Trial | Literal["wait"]:
        """Begin the next trial of the search, if all that it may know of is there."""
        n_known = self._n_known(index)
        if self._n_ended < n_known:
            return "wait"
        outcomes, trials = self.journal.outcomes, self.journal.trials
        told = [(trials[known], outcomes[known]) for known in range(n_known)]
        pending = [trials[known] for known in range(n_known, index)]
        model, params = self._strategy.propose(index, told=told, pending=pending)
        start = self._strategy.start(index, told=told)
        trial = Trial(
            index,
            model,
            params,
            self._seed,
            cuts=self._strategy.cuts(model, told=told),
            start=start,
            past=() if start is None else trials[start].stages,
        )
        self.journal.begin(trial)
        self._n_begun += 1
        self._first_of.setdefault(trial.key, index)
        return trial

    def _repeat(self) -> Trial | Literal["wait", "done"]:
        """Begin the next fit of a finalist with another seed."""
        if self._repeats is None:
            self._repeats = tuple(self._make_repeats())
        for trial in self._repeats:
            if trial.index not in self.journal.trials:
                self.journal.begin(trial)
                return trial
        is_over = all(trial.index in self.journal.outcomes for trial in self._repeats)
        return "done" if is_over else "wait"

    def _make_repeats(self) -> Iterator[Trial]:
        """Name the repeats of the finalists: a trial that misses a gate is one only where all do."""
        index = self._n_trials
        ranked = self.ranked(self.searched())
        is_open = [one for one in ranked if one[1].is_feasible] or ranked
        for trial, _ in is_open[: self._tune.finalists] if self._tune.finalists > 1 else []:
            for turn in range(1, self._tune.repeats + 1):
                yield replace(
                    trial, index=index, cuts=(), seed=(self._seed + turn) % 2**32, repeats=trial.index
                )
                index += 1

    def _repeated(self, trial: Trial) -> list[Outcome]:
        outcomes = self.journal.outcomes
        return [
            outcomes[index]
            for index, one in self.journal.trials.items()
            if one.repeats == trial.index and index in outcomes and outcomes[index].score is not None
        ]

    def _same(self, trial: Trial) -> Outcome | None:
        """Return the outcome of an earlier trial of the same model, params and seed, if it may be known."""
        first = self._first_of.get(trial.key, trial.index)
        return self.journal.outcomes.get(first) if first < self._n_known(trial.index) else None

    def _n_known(self, index: int) -> int:
        """Return how many trials, the first ones, a trial may know the outcomes of."""
        return self._strategy.n_known(index, window=self._tune.max_concurrent_trials)

    def _compare(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.score is not None:
            pair = (trial, outcome)
            self._best = pair if self._best is None else min(self._best, pair, key=self._order)

    def _order(self, pair: tuple[Trial, Outcome]) -> tuple[float, float, int]:
        """Return what is sorted by, the best first: what misses no gate, then by loss, then by age."""
        trial, outcome = pair
        return outcome.shortfall, self._loss(outcome), trial.index

    def _loss(self, outcome: Outcome) -> float:
        if outcome.score is None:
            return math.inf
        return -outcome.score if self.maximize else outcome.score

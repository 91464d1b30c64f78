"""One search: hands trials out, takes outcomes in, and says in the end which trial has won."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from engine.recipe.spec_model import TuneSpec
from engine.tuning.candidates import Candidates
from engine.tuning.journal import Journal
from engine.tuning.strategy import Strategy
from engine.tuning.trial import Outcome, Trial

# Told of the outcome, how many trials are done and how many there will be, and the best so far.
Heard = Callable[[Outcome, int, int, "Outcome | None"], None]
Pair = tuple[Trial, Outcome]


@dataclass(frozen=True)
class Finalist:
    """One of the best trials, or the params as they stand: its mean score over the seeds it was fitted with.

    All finalists of a search have their means over the same seeds; one that makes no random choice has the
    same score with each.
    """

    trial: Trial
    outcome: Outcome
    mean: float
    n_seeds: int


class Search:
    """The state of a search, all of it in the journal.

    What trial i tries depends on the outcomes of the trials up to i - `max_concurrent_trials`, or to where
    its strategy says, each of which is there before i is handed out: so neither the number of workers nor
    their speed changes anything.

    Parameters
    ----------
    only
        The trials to do, of a search that is done again as far as it once came; None: all.
    """

    def __init__(
        self,
        strategy: Strategy,
        journal: Journal,
        *,
        candidates: Candidates,
        tune: TuneSpec,
        seed: int,
        maximize: bool,
        only: frozenset[int] | None = None,
    ) -> None:
        self.journal = journal
        self.maximize = maximize
        self.only = only
        self.is_stopped = False
        self.is_interrupted = False
        self._strategy, self._candidates, self._tune, self._seed = strategy, candidates, tune, seed
        self._n_trials = strategy.n_trials
        self._after: tuple[Trial, ...] | None = None
        # What was begun before an interruption and never ended.
        self._left = deque(
            trial for index, trial in sorted(journal.trials.items()) if index not in journal.outcomes
        )
        self._n_begun = sum(index < self._n_trials for index in journal.trials)
        self._n_ended = 0
        # By what a trial is the first that is the same, and by index that first one's.
        self._first_of: dict[str, int] = {}
        self._firsts = {index: self._first(trial) for index, trial in journal.trials.items()}
        # Trials that wait for the outcome of an equal one, by its index.
        self._twins: dict[int, list[Trial]] = {}
        self._n_done = sum(self._size(journal.trials[index]) for index in journal.outcomes)
        self._best: Pair | None = None
        for pair in self.searched():
            self._compare(*pair)

    def next(self) -> Trial | Literal["wait", "done"]:
        """Return a trial to run, written down already; or that outcomes must come first, or all is done."""
        while True:
            found = self._next()
            if not isinstance(found, Trial):
                return found
            if self.only is not None and found.index not in self.only:
                continue
            first = self._firsts[found.index]
            if first >= found.index or (self.only is not None and first not in self.only):
                return found
            same = self.journal.outcomes.get(first)
            if same is not None:
                self.tell(replace(same, index=found.index, seconds=0.0))
            else:
                self._twins.setdefault(first, []).append(found)

    def tell(self, outcome: Outcome) -> None:
        """Take an outcome in; it is that of equal trials, too."""
        is_new = outcome.index not in self.journal.outcomes
        self.journal.end(outcome)
        trial = self.journal.trials[outcome.index]
        if is_new:
            self._n_done += self._size(trial)
        if trial.repeats is None:
            self._compare(trial, outcome)
        for twin in self._twins.pop(outcome.index, ()):
            self.tell(replace(outcome, index=twin.index, seconds=0.0))

    def stop(self) -> None:
        """Begin nothing more: what is done is all there will be."""
        self.is_stopped = True

    def settle(self) -> None:
        """Know all that is journalled, and nothing else: a stop may come at any moment."""
        for outcome in self.journal.settle():
            trial = self.journal.trials[outcome.index]
            self._n_done += self._size(trial)
            if trial.repeats is None:
                self._compare(trial, outcome)

    @property
    def n_searched(self) -> int:
        """How many trials the search itself has, what comes after them left out."""
        return self._n_trials

    @property
    def n_total(self) -> int:
        """How many trials there will be, at most while no finalist is known; a whole fit is its stages."""
        if self._after is not None:
            return self._n_trials + sum(map(self._size, self._after))
        most = min(self._tune.finalists + 1, self._n_trials) if self._tune.finalists > 1 else 1
        stages = self._strategy.n_stages
        extra = stages if stages > 1 else 0
        again = most * self._tune.repeats * stages if most > 1 and self._is_random else 0
        return self._n_trials + extra + again

    @property
    def n_done(self) -> int:
        """How many of them have ended."""
        return self._n_done

    def searched(self) -> list[Pair]:
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

    def ranked(self, trials: Iterable[Pair]) -> list[Pair]:
        """Return those that have a score, best first: what meets the gates, then by score, then by age."""
        scored = [(trial, outcome) for trial, outcome in trials if outcome.score is not None]
        return sorted(scored, key=self._order)

    def finalists(self) -> list[Finalist]:
        """Return the best trials with their means, of those that try the same the first; and what stands.

        The means are over the seeds with which each of them was fitted: where the search was stopped amid
        the repeats, over those that all of them came to.
        """
        found = self._finalists()
        fitted = {
            trial.index: {trial.seed: outcome, **self._repeated(trial)}
            for trial, outcome in found
            if not self._candidates.ignores_seed(trial)
        }
        common = set.intersection(*(set(seeds) for seeds in fitted.values())) if fitted else set()
        return [
            _finalist(pair, [one for seed, one in fitted.get(pair[0].index, {}).items() if seed in common])
            for pair in found
        ]

    def winner(self) -> Finalist | None:
        """Return the finalist with the best mean over its seeds; None where no trial has a score."""
        return min(self.finalists(), key=self._final_order, default=None)

    def standing(self) -> Pair | None:
        """Return the trial of the params as they stand and its outcome, None where it has not ended."""
        whole = (pair for pair in self.searched() if self._is_whole(pair[0]))
        return next((pair for pair in whole if self._candidates.stands(pair[0])), None)

    def _next(self) -> Trial | Literal["wait", "done"]:
        if self.is_stopped or (self.only is not None and self.only <= self.journal.outcomes.keys()):
            return "done"
        if self._left:
            return self._left.popleft()
        while self._n_ended < self._n_trials and self._n_ended in self.journal.outcomes:
            self._n_ended += 1
        if self._n_begun < self._n_trials:
            return self._propose(self._n_begun)
        return "wait" if self._n_ended < self._n_trials else self._follow()

    def _propose(self, index: int) -> Trial | Literal["wait"]:
        """Begin the next trial of the search, if all that it may know of is there."""
        n_known = self._strategy.n_known(index, window=self._tune.max_concurrent_trials)
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
        self._begin(trial)
        self._n_begun += 1
        return trial

    def _follow(self) -> Trial | Literal["wait", "done"]:
        """Begin the next fit of those that come when the search itself is over."""
        if self._after is None:
            extra = self._extra()
            if extra is not None and extra.index not in self.journal.outcomes:
                if extra.index in self.journal.trials:
                    return "wait"
                self._begin(extra)
                return extra
            first = [] if extra is None else [extra]
            self._after = (*first, *self._repeats(self._n_trials + len(first)))
        for trial in self._after:
            if trial.index not in self.journal.trials:
                self._begin(trial)
                return trial
        is_over = all(trial.index in self.journal.outcomes for trial in self._after)
        return "done" if is_over else "wait"

    def _extra(self) -> Trial | None:
        """Return the params as they stand, trained to the end, where no member of a population kept them."""
        n_stages = self._strategy.n_stages
        index = self._n_trials
        is_there = any(
            trial.index < index and self._is_whole(trial) and self._candidates.stands(trial)
            for trial, _ in self.searched()
        )
        if n_stages == 1 or is_there:
            return None
        own = self._candidates.members[0].name
        return Trial(index, own, {}, self._seed, past=({},) * (n_stages - 1))

    @cached_property
    def _is_random(self) -> bool:
        """Whether a model of the search makes random choices."""
        stands = (Trial(0, one.name, {}, self._seed) for one in self._candidates.members)
        return not all(map(self._candidates.ignores_seed, stands))

    def _repeats(self, index: int) -> Iterator[Trial]:
        """Name the repeats of the finalists that make random choices: one seed after the other."""
        finalists = [trial for trial, _ in self._finalists()]
        again = [one for one in finalists if not self._candidates.ignores_seed(one)]
        for turn in range(1, self._tune.repeats + 1) if len(finalists) > 1 else ():
            for trial in again:
                seed = (self._seed + turn) % 2**32
                yield replace(trial, index=index, cuts=(), seed=seed, repeats=trial.index)
                index += 1

    def _finalists(self) -> list[Pair]:
        """Return the best trials: one that misses a gate is among them only where all do."""
        ranked = self.ranked(self.searched())
        is_open = [pair for pair in ranked if pair[1].is_feasible] or ranked
        apart: dict[str, Pair] = {}
        for pair in is_open:
            apart.setdefault(self._candidates.tried(pair[0]), pair)
        found = list(apart.values())
        own = self.standing()
        best = found[: self._tune.finalists]
        return best if len(best) < 2 or own not in found or own in best else [*best, own]  # noqa: PLR2004 (two)

    def _repeated(self, trial: Trial) -> dict[int, Outcome]:
        """Return the outcomes of a trial with other seeds, by seed."""
        outcomes = self.journal.outcomes
        return {
            one.seed: outcomes[index]
            for index, one in self.journal.trials.items()
            if one.repeats == trial.index and index in outcomes
        }

    def _begin(self, trial: Trial) -> None:
        self.journal.begin(trial)
        self._firsts[trial.index] = self._first(trial)

    def _first(self, trial: Trial) -> int:
        """Return the first trial that tries the same with the same seed and cuts: they have one outcome."""
        same = f"{self._candidates.tried(trial)} {trial.seed} {trial.cuts}"
        return self._first_of.setdefault(same, trial.index)

    def _size(self, trial: Trial) -> int:
        """Return how much of the progress a trial is: one of the search is one, whatever it goes on from."""
        return 1 if trial.index < self._n_trials else len(trial.stages)

    def _is_whole(self, trial: Trial) -> bool:
        return len(trial.stages) == self._strategy.n_stages

    def _compare(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.score is not None:
            pair = (trial, outcome)
            self._best = pair if self._best is None else min(self._best, pair, key=self._order)

    def _order(self, pair: Pair) -> tuple[float, float, int]:
        """Return what is sorted by, the best first: what misses no gate, then by loss, then by age."""
        trial, outcome = pair
        return outcome.shortfall, self._loss(outcome.score), trial.index

    def _final_order(self, one: Finalist) -> tuple[float, float, int]:
        seeds = [one.outcome, *self._repeated(one.trial).values()]
        scored = [outcome.shortfall for outcome in seeds if outcome.score is not None]
        return math.fsum(scored) / len(scored), self._loss(one.mean), one.trial.index

    def _loss(self, score: float | None) -> float:
        if score is None:
            return math.inf
        return -score if self.maximize else score


def _finalist(pair: Pair, outcomes: list[Outcome]) -> Finalist:
    trial, outcome = pair
    scores = [one.score for one in outcomes or [outcome] if one.score is not None]
    return Finalist(trial, outcome, math.fsum(scores) / len(scores), len(scores))

"""The strategies of a search: what to try next, as a pure function of what is known."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.recipe.space import Choices
from engine.recipe.spec import Spec
from engine.recipe.text import Plain
from engine.tuning.candidates import Axis, Candidates
from engine.tuning.trial import Outcome, Trial


class Strategy(Protocol):
    """What to try next."""

    @property
    def n_trials(self) -> int:
        """How many trials there are."""

    @property
    def n_stages(self) -> int:
        """How many trials, each going on from the one before, are a whole fit."""

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return model and params of trial `index`.

        Parameters
        ----------
        told
            The first trials, with their outcomes, in order.
        pending
            The trials between those and this one, whose outcomes may not be used.
        """

    def cuts(self, model: str, *, told: Sequence[tuple[Trial, Outcome]]) -> tuple[float | None, ...]:
        """Return the losses beyond which a trial of a model is stopped, one a rung; or none."""

    def start(self, index: int, *, told: Sequence[tuple[Trial, Outcome]]) -> int | None:
        """Return the trial that trial `index` goes on from, None where it begins anew."""

    def n_known(self, index: int, *, window: int) -> int:
        """Return how many trials, the first ones, trial `index` knows the outcomes of.

        `window` is the most that may be under way at once.
        """


class Windowed:
    """A strategy that knows all trials but the latest few, and begins each anew."""

    @property
    def n_stages(self) -> int:
        """How many trials are a whole fit: one."""
        return 1

    def start(self, index: int, *, told: Sequence[tuple[Trial, Outcome]]) -> int | None:
        """Return None: no trial goes on from another."""
        del index, told
        return None

    def n_known(self, index: int, *, window: int) -> int:
        """Return how many trials are certain to have ended."""
        return max(index - window + 1, 0)


class Whole(Windowed):
    """A strategy that fits every trial to its end."""

    def cuts(self, model: str, *, told: Sequence[tuple[Trial, Outcome]]) -> tuple[float | None, ...]:
        """Return nothing: no trial is stopped."""
        del model, told
        return ()


@dataclass(frozen=True)
class Grid(Whole):
    """Every combination of the listed values, the last axis of a model turning fastest."""

    candidates: Candidates
    n_trials: int

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return the combination of this index; nothing else counts."""
        del told, pending
        for one in self.candidates.members:
            values = {name: axis.values for name, axis in one.axes.items() if isinstance(axis, Choices)}
            n_points = math.prod(map(len, values.values()))
            if index < n_points:
                point = next(itertools.islice(itertools.product(*values.values()), index, None))
                return one.name, dict(zip(values, point, strict=True))
            index -= n_points
        raise IndexError(index)


@dataclass(frozen=True)
class Random(Whole):
    """Params drawn from the space, each trial by a generator of its own; first the params as they stand."""

    candidates: Candidates
    n_trials: int
    seed: int

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return params that depend on the seed and the index alone."""
        del told, pending
        members = self.candidates.members
        if index < len(members):
            return members[index].name, {}
        rng = np.random.default_rng([self.seed, index])
        one = members[int(rng.integers(len(members)))]
        return one.name, {name: draw(axis, rng) for name, axis in one.axes.items()}


def draw(axis: Axis, rng: np.random.Generator) -> Plain:
    """Draw one value: uniformly, of a log axis uniformly in its logarithm, whole numbers with both ends."""
    if isinstance(axis, Choices):
        return axis.values[int(rng.integers(len(axis.values)))]
    if axis.is_whole and not axis.is_log:
        return int(rng.integers(int(axis.low), int(axis.high), endpoint=True))
    # Half a unit on each side gives the ends of whole numbers their share.
    margin = 0.5 if axis.is_whole else 0.0
    low, high = axis.low - margin, axis.high + margin
    value = math.exp(rng.uniform(math.log(low), math.log(high))) if axis.is_log else rng.uniform(low, high)
    if axis.is_whole:
        return min(max(round(value), int(axis.low)), int(axis.high))
    return min(max(float(value), float(axis.low)), float(axis.high))


def grid_size(candidates: Candidates) -> int:
    """Return how many combinations a grid has."""
    return sum(
        math.prod(len(axis.values) for axis in one.axes.values() if isinstance(axis, Choices))
        for one in candidates.members
    )


def strategy(spec: Spec, candidates: Candidates, *, maximize: bool) -> Strategy:
    """Return the strategy that a checked recipe asks for."""
    tune = spec.tune
    if tune.kind == "grid":
        size = grid_size(candidates)
        return Grid(candidates, min(size, tune.trials or size))
    assert tune.trials is not None
    if tune.kind == "random":
        return Random(candidates, tune.trials, spec.seed)
    if tune.kind == "pbt":
        from engine.tuning.population import Population

        assert tune.population is not None
        assert tune.quantile is not None
        assert tune.perturbation is not None
        draws = Random(candidates, tune.trials, spec.seed)
        return Population(draws, tune.population, tune.quantile, tune.perturbation, maximize)
    if tune.kind == "asha":
        from engine.tuning.halving import Halving

        assert tune.reduction_factor is not None
        assert tune.rungs is not None
        return Halving(Random(candidates, tune.trials, spec.seed), tune.reduction_factor, tune.rungs)
    from engine.tuning.bayes import Bayes

    return Bayes(candidates, tune.trials, spec.seed, maximize=maximize)

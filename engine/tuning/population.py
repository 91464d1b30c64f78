"""The strategy `pbt`: all are trained for a while, then the worst go on from the best, a little changed.

Population based training: Jaderberg et al., "Population Based Training of Neural Networks" (2017,
arXiv:1711.09846), with truncation selection. A generation begins when the one before has ended, so what a
member does is a function of the seed and of whole generations, and of no clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.models.family import Continuing
from engine.names import FAMILIES
from engine.recipe.space import Choices
from engine.recipe.text import Plain
from engine.tuning.candidates import Axis, Candidate, thawed
from engine.tuning.strategy import Random, Whole, draw
from engine.tuning.trial import Outcome, Trial

# How often a param is drawn anew and not moved. (Ray Tune's default; the paper does either.)
RESAMPLED = 0.25
Told = Sequence[tuple[Trial, Outcome]]


@dataclass(frozen=True)
class Population(Whole):
    """Members whose trials, one a generation, go on from one another.

    Parameters
    ----------
    size
        Trials of a generation.
    quantile
        The share of members that are replaced, and of those whose weights and params they take.
    factors
        By one of these a number is multiplied.
    """

    draws: Random
    size: int
    quantile: float
    factors: tuple[float, ...]
    maximize: bool

    @property
    def n_trials(self) -> int:
        """How many trials there are."""
        return self.draws.n_trials

    @property
    def n_stages(self) -> int:
        """How many generations there are, the last one maybe not whole."""
        return -(-self.n_trials // self.size)

    def n_known(self, index: int, *, window: int) -> int:
        """Return how many trials must have ended before one begins: all of the generations before its own."""
        del window
        return index // self.size * self.size

    def propose(self, index: int, *, told: Told, pending: Sequence[Trial]) -> tuple[str, Mapping[str, Plain]]:
        """Return the member's own params; those of a better one, changed, where the member is replaced."""
        origin = self._origin(index, told)
        if origin is None:
            return self.draws.propose(index, told=told, pending=pending)
        if origin.index == index - self.size:
            return origin.model, origin.params
        return origin.model, self._explore(origin, np.random.default_rng([self.draws.seed, index, 1]))

    def start(self, index: int, *, told: Told) -> int | None:
        """Return the trial that one goes on from, None for one that begins."""
        origin = self._origin(index, told)
        return None if origin is None else origin.index

    def _origin(self, index: int, told: Told) -> Trial | None:
        """Return the member's own last trial, or one of the best where that is among the worst or failed."""
        if index < self.size:
            return None
        first = index // self.size * self.size - self.size
        last = told[first : first + self.size]
        ranked = sorted(last, key=self._order)
        n_replaced = max(int(self.quantile * self.size), 1)
        best = [trial for trial, outcome in ranked[:n_replaced] if outcome.score is not None]
        if not best:
            return None
        own, outcome = last[index - self.size - first]
        worst = {trial.index for trial, _ in ranked[-n_replaced:]}
        if outcome.score is not None and own.index not in worst:
            return own
        return best[int(np.random.default_rng([self.draws.seed, index]).integers(len(best)))]

    def _order(self, pair: tuple[Trial, Outcome]) -> tuple[float, float, int]:
        trial, outcome = pair
        if outcome.score is None:
            return math.inf, math.inf, trial.index
        loss = -outcome.score if self.maximize else outcome.score
        return outcome.steady_shortfall, loss, trial.index

    def _explore(self, origin: Trial, rng: np.random.Generator) -> dict[str, Plain]:
        one = self.draws.candidates[origin.model]
        params = current(one, origin.params)
        for name in changeable(one):
            if rng.random() < RESAMPLED or name not in params:
                params[name] = draw(one.axes[name], rng)
            else:
                params[name] = _moved(params[name], one.axes[name], self.factors, rng)
        return params


def changeable(one: Candidate) -> tuple[str, ...]:
    """Return which of a candidate's axes may be moved while its model is trained."""
    family = FAMILIES.load(one.model.family)
    names = family.changeable if isinstance(family, Continuing) else frozenset()
    return tuple(name for name in one.axes if name in names)


def current(one: Candidate, params: Mapping[str, Plain]) -> dict[str, Plain]:
    """Return the values that a trial has along the axes, those that the model has as it stands among them."""
    standing = {name: thawed(value) for name, value in one.model.params.items() if name in one.axes}
    return {**standing, **params}


def _moved(value: Plain, axis: Axis, factors: tuple[float, ...], rng: np.random.Generator) -> Plain:
    """Return a value near another, within its axis: a number times a factor, a choice's neighbour."""
    if isinstance(axis, Choices):
        if value not in axis.values:
            return draw(axis, rng)
        place = axis.values.index(value) + (1 if rng.random() < 0.5 else -1)  # noqa: PLR2004 (a coin)
        return axis.values[min(max(place, 0), len(axis.values) - 1)]
    assert isinstance(value, int | float)
    moved = value * factors[int(rng.integers(len(factors)))]
    if axis.is_whole:
        return min(max(round(moved), int(axis.low)), int(axis.high))
    return min(max(float(moved), float(axis.low)), float(axis.high))

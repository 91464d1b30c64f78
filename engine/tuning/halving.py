"""The strategy `asha`: random search in which a trial that is behind at a rung is stopped there.

Asynchronous successive halving: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (2020).
What a trial must reach is fixed before it begins, by the trials before it: no two runs stop different ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.models.family import StopFit
from engine.recipe.text import Plain
from engine.tuning.strategy import Random, Windowed
from engine.tuning.trial import Outcome, Trial


@dataclass(frozen=True)
class Halving(Windowed):
    """Params drawn as `Random` draws them; at each rung the best of every `factor` trials go on.

    Parameters
    ----------
    n_rungs
        Before the end of a fit: the first after 1 / factor ** n_rungs of its rounds.
    """

    draws: Random
    factor: int
    n_rungs: int

    @property
    def n_trials(self) -> int:
        """How many trials there are."""
        return self.draws.n_trials

    def propose(
        self, index: int, *, told: Sequence[tuple[Trial, Outcome]], pending: Sequence[Trial]
    ) -> tuple[str, Mapping[str, Plain]]:
        """Return params that depend on the seed and the index alone."""
        return self.draws.propose(index, told=told, pending=pending)

    def cuts(self, model: str, *, told: Sequence[tuple[Trial, Outcome]]) -> tuple[float | None, ...]:
        """Return for each rung the most that a trial may lose there, by what others of its model lost."""
        found: list[float | None] = []
        for rung in range(self.n_rungs):
            losses = sorted(
                outcome.losses[rung]
                for trial, outcome in told
                if trial.model == model and len(outcome.losses) > rung
            )
            n_kept = len(losses) // self.factor
            found.append(losses[n_kept - 1] if n_kept else None)
        return tuple(found)


@dataclass
class Ladder:
    """Hears a fit's progress, and stops it at the first rung where its least loss is beyond the cut."""

    cuts: tuple[float | None, ...]
    factor: int

    def __post_init__(self) -> None:
        self.losses: list[float] = []
        self._least = math.inf

    def __call__(self, done: int, total: int, loss: float | None) -> None:
        """Take a round's loss in; raises `StopFit` where the fit ends."""
        if loss is None or not math.isfinite(min(self._least, loss)):
            return
        self._least = min(self._least, loss)
        for rung in range(len(self.losses), len(self.cuts)):
            if done < math.ceil(total / self.factor ** (len(self.cuts) - rung)):
                return
            self.losses.append(self._least)
            cut = self.cuts[rung]
            if cut is not None and self._least > cut:
                raise StopFit

    def finished(self) -> tuple[float, ...]:
        """Return the losses of a fit that came to its end: the rungs that it had no need of, too."""
        rest = len(self.cuts) - len(self.losses)
        return (*self.losses, *([self._least] * rest if math.isfinite(self._least) else []))

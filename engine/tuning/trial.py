"""A trial before and after: what will be tried, and what came of it; both as they stand in the journal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from engine.evaluation.gates import MEASURED_BY_CLOCK
from engine.evaluation.score import finite
from engine.recipe.text import Plain

State = Literal["done", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: the params of one of the search's models, and the seed of its fit.

    Attributes
    ----------
    model
        One of the names of `Candidates`.
    params
        What differs from the model's own params.
    repeats
        The trial that this one fits again with another seed, None for one of the search itself.
    start
        The trial that this one goes on from, where the strategy trains in stages.
    past
        The params of the stages before, the first one first: with these a trial says all that it is.
    cuts
        The losses beyond which the fit is stopped, one a rung; None where a rung stops nothing.
    """

    index: int
    model: str
    params: Mapping[str, Plain]
    seed: int
    repeats: int | None = None
    cuts: tuple[float | None, ...] = ()
    start: int | None = None
    past: tuple[Mapping[str, Plain], ...] = ()

    @property
    def stages(self) -> tuple[Mapping[str, Plain], ...]:
        """The params of all its stages, one where it is trained in one go."""
        return (*self.past, self.params)

    def to_json(self) -> dict[str, object]:
        """Return the journal's form."""
        return {
            "index": self.index,
            "model": self.model,
            "params": dict(self.params),
            "seed": self.seed,
            "repeats": self.repeats,
            "cuts": list(self.cuts),
            "start": self.start,
            "past": list(map(dict, self.past)),
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, object]) -> Trial:
        """Read the journal's form."""
        return cls(
            index=cast("int", entry["index"]),
            model=str(entry["model"]),
            params=cast("Mapping[str, Plain]", entry["params"]),
            seed=cast("int", entry["seed"]),
            repeats=cast("int | None", entry["repeats"]),
            cuts=tuple(cast("list[float | None]", entry["cuts"])),
            start=cast("int | None", entry["start"]),
            past=tuple(cast("list[Mapping[str, Plain]]", entry["past"])),
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a trial.

    Attributes
    ----------
    score
        The goal's metric on the rows of the objective; None where the trial failed or it is not defined.
    measured
        All that was measured, by the names that gates know.
    missed
        By gate how far it was missed, relative to its bound; empty where every gate was met.
    losses
        The least loss at each rung that it came to, of a strategy that stops trials early.
    error
        Why it failed, in one line.
    """

    index: int
    state: State
    score: float | None = None
    measured: Mapping[str, float | None] = field(default_factory=dict)
    missed: Mapping[str, float] = field(default_factory=dict)
    n_iterations: int | None = None
    seconds: float = 0.0
    losses: tuple[float, ...] = ()
    error: str = ""

    @property
    def is_feasible(self) -> bool:
        """Whether it may win: it has a score and meets every gate."""
        return self.score is not None and not self.missed

    @property
    def shortfall(self) -> float:
        """How far all the gates are missed together, infinity for a trial without a score."""
        return math.inf if self.score is None else math.fsum(self.missed.values())

    @property
    def steady_shortfall(self) -> float:
        """The same but for what a clock says: what is proposed next must not depend on one."""
        return math.fsum(short for gate, short in self.missed.items() if gate not in MEASURED_BY_CLOCK)

    def to_json(self) -> dict[str, object]:
        """Return the journal's form."""
        return {
            "index": self.index,
            "state": self.state,
            "score": self.score,
            "measured": {name: finite(value) for name, value in self.measured.items()},
            "missed": dict(self.missed),
            "n_iterations": self.n_iterations,
            "seconds": self.seconds,
            "losses": list(self.losses),
            "error": self.error,
        }

    @classmethod
    def from_json(cls, entry: Mapping[str, object]) -> Outcome:
        """Read the journal's form."""
        return cls(
            index=cast("int", entry["index"]),
            state=cast("State", entry["state"]),
            score=cast("float | None", entry["score"]),
            measured=cast("Mapping[str, float | None]", entry["measured"]),
            missed=cast("Mapping[str, float]", entry["missed"]),
            n_iterations=cast("int | None", entry["n_iterations"]),
            seconds=cast("float", entry["seconds"]),
            losses=tuple(cast("list[float]", entry["losses"])),
            error=str(entry["error"]),
        )

"""What a search found, as `facts.json` keeps it, and what a person should know of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from engine.data.violation import counted
from engine.evaluation.score import finite
from engine.models.family import Course
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.tuning.search import Finalist, Search
from engine.tuning.size import grid_points, n_generations, n_rounds
from engine.tuning.table import trials_frame

_LENGTH = ("max_epochs", "patience")


@dataclass(frozen=True)
class Gain:
    """How much better the winner is than the params as they stand, on the rows that score trials.

    Attributes
    ----------
    value
        Above 0 where it is better; the difference of the means over the same seeds.
    of
        What the params as they stand have: their mean score.
    low, high
        Bounds of the gain by resampling those rows; None where that was not done.
    n_rows
        How many rows those are, where it was done.
    """

    value: float
    of: float
    n_seeds: int
    low: float | None = None
    high: float | None = None
    n_rows: int | None = None

    @property
    def is_noise(self) -> bool:
        """Whether rows drawn anew might say the contrary."""
        return self.low is not None and self.low <= 0

    def to_json(self) -> dict[str, object]:
        """Return the form of `facts.json`."""
        return {
            "value": self.value,
            "of": self.of,
            "seeds": self.n_seeds,
            "low": finite(self.low),
            "high": finite(self.high),
            "rows": self.n_rows,
        }


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    model
        The recipe's model with the params that won.
    gain
        Over the params as they stand; None where they were not tried.
    course
        The stages in which the winner was trained; None where it was fitted in one go.
    remarks
        What a person should know of how the trials ran, a sentence each.
    """

    model: ModelSpec
    winner: Finalist
    search: Search
    spec: Spec
    gain: Gain | None = None
    course: Course | None = None
    remarks: tuple[str, ...] = ()

    @property
    def is_nested(self) -> bool:
        """Whether the search is done anew inside each fold; not where it was cut short itself."""
        return self.spec.tune.nested and not self.search.is_stopped and self.search.only is None

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
            score mean seeds stages`, the last the params of each stage of pbt, else null); `standing`, the
            trial of the params as they stand, `first`, its score, and `gain`, as `Gain` has it, of the winner
            over it, all null where they were not tried; `nested`, whether it was done anew inside each fold;
            `stopped`, by `user` or `time`, else null.
        """
        journal, winner = self.search.journal, self.winner
        searched = self.search.searched()
        standing = self.search.standing()
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
            "standing": None if standing is None else standing[0].index,
            "first": None if standing is None else standing[1].score,
            "gain": None if self.gain is None else self.gain.to_json(),
            "nested": self.is_nested,
            "stopped": "user" if self.search.is_interrupted else "time" if self.search.is_stopped else None,
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know of it, a sentence each."""
        return (*self.remarks, *self._of_trials(), *self._of_recipe(), *self._of_winner())

    def _of_trials(self) -> Iterator[str]:
        outcomes = self.search.journal.outcomes.values()
        failed = [outcome for outcome in outcomes if outcome.state == "failed"]
        if failed:
            yield f"{len(failed)} of {counted(len(outcomes), 'trial')} failed: {failed[0].error}"
        after = counted(len(outcomes), "trial")
        if self.search.is_interrupted:
            yield f"stopped by the user after {after}: the best so far has won"
        elif self.search.is_stopped:
            yield f"tune.max_seconds ended it after {after}: another run may differ"

    def _of_recipe(self) -> Iterator[str]:
        """Yield what the recipe asks for and the search does not do."""
        tune, n = self.spec.tune, self.search.n_searched
        if tune.kind == "grid" and (whole := grid_points(self.spec)) > n:
            yield f"tune.trials is {tune.trials}: of a grid of {whole} combinations the first {n} are tried"
        if tune.finalists > n > 1:
            few = counted(n, "trial")
            yield f"tune.finalists is {tune.finalists}, and there are {few}: all of them are finalists"
        if tune.kind == "pbt":
            n_epochs = n_rounds(self.spec) * n_generations(self.spec)
            own = {name: self.spec.model.params.get(name) for name in _LENGTH}
            said = " and ".join(f"{name} {value}" for name, value in own.items() if value is not None)
            if said:
                yield f"pbt trains for {n_epochs} epochs, in stages: the model's own {said} end nothing"

    def _of_winner(self) -> Iterator[str]:
        if not self.winner.outcome.is_feasible:
            missed = ", ".join(self.winner.outcome.missed)
            yield f"no trial met every gate; the one that came nearest missed {missed}"
        gain = self.gain
        if gain is not None and gain.is_noise and gain.low is not None and gain.high is not None:
            within = f"{gain.value:.2g} ({gain.low:.2g} to {gain.high:.2g} where they are resampled)"
            yield (
                f"the winner's gain is within the noise of {counted(gain.n_rows or 0, 'validation row')}: "
                f"{within}; the params as they stand may be as good"
            )

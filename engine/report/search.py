"""What a run's search found, from its recorded facts: the words that page, card and command line share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.report import scores
from engine.report.record import Json, Record, at, members, number, plain, text
from engine.report.words import counted, metric, quantity


@dataclass(frozen=True, slots=True)
class Found:
    """What `facts.json` keeps of a search, with the names that the recipe gives.

    Attributes
    ----------
    models
        What was searched among, in the order of the recipe.
    changed
        The winner's params that differ from those that stand in the recipe.
    first
        The score of the params as they stand, None where they were not tried or have none.
    """

    strategy: str
    n_trials: int
    n_failed: int
    n_stopped: int
    n_infeasible: int
    n_repeats: int
    models: tuple[str, ...]
    winner: int | None
    model: str
    changed: Mapping[str, Json]
    score: float | None
    mean: float | None
    n_seeds: int
    first: float | None
    stopped: str | None
    metric: str
    rows: str
    greater_is_better: bool | None

    @property
    def gain(self) -> float | None:
        """How much better than the params as they stand the winner is; below 0 where it is worse."""
        if self.score is None or self.first is None or self.greater_is_better is None:
            return None
        return self.score - self.first if self.greater_is_better else self.first - self.score

    @property
    def scope(self) -> str:
        """What was tried, in words."""
        among = f" of {' and '.join(self.models)}" if len(self.models) > 1 else ""
        said = f"{counted(self.n_trials, 'trial')}{among}"
        if self.n_repeats:
            said += f", and {counted(self.n_repeats, 'fit')} of the best with other seeds"
        return said

    @property
    def losses(self) -> str:
        """How many trials have no score, and why, as the end of a sentence; empty where none."""
        found = ((self.n_stopped, "stopped early"), (self.n_failed, "failed"))
        return "".join(f"; {n:,} {why}" for n, why in found if n)

    @property
    def verdict(self) -> str:
        """Who won, with what score, and what the params as they stand have."""
        if self.winner is None or self.score is None:
            return "not recorded"
        several = len(self.models) > 1
        one = f"trial {self.winner}" + (f" ({self.model})" if several else "")
        stands = f"{self.models[0]} as it stands" if several else "the params as they stand"
        said = f"{one}: {self.metric} {metric(self.score)} {self.rows}"
        gain = self.gain
        if self.winner == 0 and not self.changed and self.first is not None:
            said += f", {stands}: no other was better"
        elif gain is None:
            said += "; the params as they stand were not tried" if self.strategy == "grid" else ""
        elif gain == 0:
            said += f", as much as {stands}"
        else:
            way = "better" if gain > 0 else "worse"
            said += f", {way} by {quantity(abs(gain))} than {stands} ({metric(self.first)})"
        return said


def read(record: Record) -> Found | None:
    """Return what was recorded of a search, None for a run that did not search."""
    node = members(record.facts, "search")
    if not node:
        return None
    scored = scores.headline(record)
    winner, model = number(node, "winner", "trial"), text(node, "winner", "model") or ""
    models = tuple(members(record.recipe, "tune", "models"))
    own = text(record.recipe, "model", "family") or model
    stands = members(own_model(record, model), "params")
    drawn = members(node, "winner", "params")
    name = text(record.recipe, "goal", "metric") or text(record.recipe, "task", "metric") or "score"
    return Found(
        strategy=text(node, "strategy") or "",
        n_trials=_count(node, "trials"),
        n_failed=_count(node, "failed"),
        n_stopped=_count(node, "stopped_early"),
        n_infeasible=_count(node, "infeasible"),
        n_repeats=_count(node, "repeats"),
        models=models or (own,),
        winner=None if winner is None else int(winner),
        model=model,
        changed={param: v for param, v in drawn.items() if param not in stands or stands[param] != v},
        score=number(node, "winner", "score"),
        mean=number(node, "winner", "mean"),
        n_seeds=_count(node, "winner", "seeds"),
        first=number(node, "first"),
        stopped=text(node, "stopped"),
        metric=scored.title if scored else name,
        rows=_rows(record),
        greater_is_better=scored.greater_is_better if scored else None,
    )


def own_model(record: Record, model: str) -> Json:
    """Return what the recipe says of one of the models that were searched."""
    return at(record.recipe, "tune", "models", model) or at(record.recipe, "model")


def value_words(value: object) -> str:
    """Return a param's value in words, numbers to four figures.

    Examples
    --------
    >>> value_words(0.0312345), value_words(31), value_words(None), value_words("l2")
    ('0.03123', '31', 'null', 'l2')
    """
    return f"{value:.4g}" if isinstance(value, float) else plain(value)  # type: ignore[arg-type]


def _rows(record: Record) -> str:
    if text(record.recipe, "tune", "objective") == "folds":
        n_folds = number(record.data, "split", "n_folds")
        return f"in the mean of {counted(n_folds, 'fold')}" if n_folds else "in the mean of the folds"
    return "on the validation rows"


def _count(node: Json, *path: str) -> int:
    return int(number(node, *path) or 0)

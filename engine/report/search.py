"""What a run's search found, from its recorded facts: the words that page, card and command line share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from engine.report import scores
from engine.report.record import Json, Record, at, members, number, plain, text
from engine.report.words import counted, metric, quantity

Chose = Literal["by validation", "by folds", "nested"]


@dataclass(frozen=True, slots=True)
class Found:
    """What `facts.json` keeps of a search, with the names that the recipe gives.

    Attributes
    ----------
    models
        What was searched among, in the order of the recipe.
    changed
        The winner's params that differ from those that stand in the recipe.
    standing
        The trial of the params as they stand, None where they were not tried.
    first
        The mean score of the params as they stand over the winner's seeds; None where they have none.
    gain
        How much better than they the winner is; below 0 where it is worse.
    compared
        Over how many seeds both were fitted.
    chose
        What the validation scores of the run are to its choice: `by validation`, `by folds`, or `nested`.
    behind
        What is better than the winner on the test rows for all the search, a sentence; empty where nothing.
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
    standing: int | None
    first: float | None
    gain: float | None
    compared: int
    chose: Chose
    behind: str
    stopped: str | None
    metric: str
    rows: str

    @property
    def caution(self) -> str:
        """How the validation scores of the run are to be taken, a sentence."""
        if self.chose == "nested":
            return (
                "The validation scores are of nested cross-validation: the whole search was done anew inside "
                "each fold, and what won there was judged on rows that had chosen nothing."
            )
        rows = "folds" if self.chose == "by folds" else "validation rows"
        cure = "" if self.chose == "by validation" else " tune.nested=true estimates it by rows that do not."
        return f"The {rows} chose the params, so their scores flatter the model; the test rows do not.{cure}"

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
        is_mean = self.n_seeds > 1 and self.mean is not None and (self.gain is None or self.compared > 1)
        over = f" over {self.n_seeds} seeds" if is_mean else ""
        reached = self.mean if is_mean else self.score
        said = f"{one}: {self.metric} {metric(reached)} {self.rows}{over}"
        gain = self.gain
        if self.standing is not None and self.winner == self.standing:
            said += f", {stands}: {'no other was better' if self.n_trials > 1 else 'no other was tried'}"
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
    score, first = number(node, "winner", "score"), number(node, "first")
    greater = scored.greater_is_better if scored else None
    gain = _gain(node, score, first, greater_is_better=greater)
    # In runs of earlier engines it was the first trial, if any.
    standing = number(node, "standing") if "standing" in members(node) or first is None else 0
    of = number(node, "gain", "of")
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
        score=score,
        mean=number(node, "winner", "mean"),
        n_seeds=_count(node, "winner", "seeds"),
        standing=None if standing is None else int(standing),
        first=first if of is None else of,
        gain=gain,
        compared=_count(node, "gain", "seeds"),
        chose=_chose(record, node),
        behind=_behind(scored),
        stopped=text(node, "stopped"),
        metric=scored.title if scored else name,
        rows=_rows(record),
    )


def _gain(
    node: Json, score: float | None, first: float | None, *, greater_is_better: bool | None
) -> float | None:
    """Return the gain that was recorded; of an earlier engine's run the difference of two single fits."""
    value = number(node, "gain", "value")
    if value is not None or score is None or first is None or greater_is_better is None:
        return value
    return score - first if greater_is_better else first - score


def _chose(record: Record, node: Json) -> Chose:
    if at(node, "nested") is True:
        return "nested"
    return "by folds" if number(record.data, "split", "n_folds") else "by validation"


def _behind(scored: scores.Scored | None) -> str:
    """Say of which baselines the winner is behind on the test rows, be it within its interval."""
    mine = None if scored is None else scored.test.value
    if scored is None or mine is None or scored.greater_is_better is None:
        return ""
    ahead = {
        kind: one.value
        for kind, one in scored.baselines.items()
        if one.value is not None and one.value != mine and (one.value > mine) == scored.greater_is_better
    }
    if not ahead:
        return ""
    told = " and ".join(f"the {kind} baseline ({metric(value)})" for kind, value in ahead.items())
    verb = "is" if len(ahead) == 1 else "are"
    return f"for all the search {told} {verb} better on the test rows than the winner ({metric(mine)})"


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

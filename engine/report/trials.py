"""The trials of a search as `trials.parquet` keeps them, and the axes along which params were varied."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from math import log

import numpy as np
import polars as pl

from engine.recipe.space import Choices, NotASpaceError, Span, read_space
from engine.report import scores
from engine.report.record import Json, Record, members, number, text
from engine.report.search import own_model, value_words

Array = np.ndarray

_PARAM, _MISSED, _MEASURED = "params.", "missed.", "measured."
_NEEDED = {
    "trial": pl.Int64,
    "model": pl.String,
    "state": pl.String,
    "score": pl.Float64,
    "is_feasible": pl.Boolean,
    "repeats": pl.Int64,
    "seconds": pl.Float64,
    "error": pl.String,
}
# Listed numbers beyond so many are drawn as a range.
_MOST_CHOICES = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """A param that a search varied: over what, as drawn and in words."""

    param: str
    space: Span | Choices
    said: str

    @property
    def is_log(self) -> bool:
        """Whether equal steps are equal ratios."""
        return isinstance(self.space, Span) and self.space.is_log

    def codes(self, values: pl.Series) -> Array:
        """Return numbers for the values of trials, shape (n,), NaN for one that is not of this axis.

        Of a range they are the values, or their logarithms; of listed values their places in the list.
        """
        if isinstance(self.space, Span):
            numbers = values.cast(pl.Float64, strict=False).to_numpy()
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(np.log(numbers) if self.space.is_log else numbers)
        known = {_cell(value, values.dtype): float(place) for place, value in enumerate(self.space.values)}
        return np.array([known.get(value, np.nan) for value in values.to_list()], dtype=np.float64)

    @property
    def ends(self) -> tuple[float, float]:
        """The codes at both ends of the axis; of a single value they are one."""
        if isinstance(self.space, Choices):
            return 0.0, float(len(self.space.values) - 1)
        low, high = float(self.space.low), float(self.space.high)
        return (log(low), log(high)) if self.space.is_log else (low, high)


@dataclass(frozen=True)
class Trials:
    """The trials of a search.

    Attributes
    ----------
    frame
        The trials of the search itself, in order; columns as `engine.tuning.table.trials_frame` has them.
    repeats
        The fits of finalists with other seeds.
    models
        The names of the models, in the order of the recipe.
    winner
        The number of the trial that won, None where nobody recorded it.
    standing
        The number of the trial that the winner is held against, None where nobody recorded it.
    """

    strategy: str
    metric: str
    greater_is_better: bool
    frame: pl.DataFrame
    repeats: pl.DataFrame
    models: tuple[str, ...]
    winner: int | None
    standing: int | None = None

    @property
    def params(self) -> tuple[str, ...]:
        """The columns of params."""
        return tuple(name for name in self.frame.columns if name.startswith(_PARAM))

    @property
    def gates(self) -> dict[str, str]:
        """The gates that some trial missed, with their columns."""
        return {n.removeprefix(_MISSED): n for n in self.frame.columns if n.startswith(_MISSED)}

    def measured(self, name: str) -> Array | None:
        """Return what was measured of each trial, shape (n_trials,), None where it was not."""
        column = f"{_MEASURED}{name}"
        return self.frame[column].to_numpy() if column in self.frame.columns else None

    @cached_property
    def losses(self) -> Array:
        """Scores turned so that less is better, shape (n_trials,), NaN where there is none."""
        values = self.frame["score"].to_numpy()
        losses: Array = -values if self.greater_is_better else values
        return losses

    @cached_property
    def ranked(self) -> Array:
        """Rows of the trials that have a score, best first as the search itself ranks them."""
        short = sum((self.frame[name].fill_null(0.0).to_numpy() for name in self.gates.values()), 0.0)
        order = np.lexsort(
            (self.frame["trial"].to_numpy(), self.losses, np.broadcast_to(short, self.losses.shape))
        )
        found: Array = order[np.isfinite(self.losses[order])]
        return found

    @cached_property
    def as_it_stands(self) -> Array:
        """Whether a trial is of the recipe's own params: the first of each model, where none is drawn."""
        if self.strategy == "grid":
            return np.zeros(self.frame.height, dtype=bool)
        stands: Array = self.frame["model"].is_first_distinct().to_numpy()
        stands = stands | (self.frame["trial"] == (-1 if self.standing is None else self.standing)).to_numpy()
        for name in self.params:
            stands = stands & self.frame[name].is_null().to_numpy()
        return stands

    def of(self, model: str) -> Array:
        """Return whether each trial is of a model, shape (n_trials,)."""
        is_of: Array = (self.frame["model"] == model).to_numpy()
        return is_of


def was_searched(record: Record) -> bool:
    """Tell whether a run searched."""
    return bool(members(record.facts, "search"))


def read(record: Record) -> Trials | str:
    """Return the trials of a run that searched, or why they can't be shown.

    Raises
    ------
    polars.exceptions.PolarsError
        If the file is there but can't be read.
    """
    path = record.folder / "trials.parquet"
    if not path.exists():
        return "the run kept no trials.parquet."
    frame = pl.read_parquet(path)
    absent = [name for name in _NEEDED if name not in frame.columns]
    if absent:
        return f"trials.parquet has no column {', '.join(absent)}."
    frame = frame.with_columns(pl.col(name).cast(kind) for name, kind in _NEEDED.items()).sort("trial")
    scored = scores.headline(record)
    metric = text(record.recipe, "goal", "metric") or text(record.recipe, "task", "metric") or ""
    greater = scored.greater_is_better if scored else None
    if greater is None:
        return "nobody says whether a high or a low score is better."
    own = frame.filter(pl.col("repeats").is_null())
    if own.is_empty():
        return "no trial had ended."
    seen = own["model"].unique(maintain_order=True).to_list()
    named = [name for name in members(record.recipe, "tune", "models") if name in seen]
    names = dict.fromkeys([*named, *seen])
    winner = number(record.facts, "search", "winner", "trial")
    standing = number(record.facts, "search", "standing")
    return Trials(
        strategy=text(record.facts, "search", "strategy") or "",
        metric=scored.title if scored else metric,
        greater_is_better=greater,
        frame=own,
        repeats=frame.filter(pl.col("repeats").is_not_null()),
        models=tuple(names),
        winner=None if winner is None else int(winner),
        standing=None if standing is None else int(standing),
    )


def axes(record: Record, trials: Trials, model: str) -> tuple[Axis, ...]:
    """Return what a search varied of one model, in the order of the recipe's space."""
    rows = trials.frame.filter(trials.of(model))
    used = [name for name in trials.params if rows[name].null_count() < rows.height]
    space = {**members(own_model(record, model), "space"), **members(record.recipe, "tune", "space")}
    names = [f"{_PARAM}{name}" for name in space if f"{_PARAM}{name}" in used]
    order = dict.fromkeys([*names, *used])
    return tuple(_axis(name, space.get(name.removeprefix(_PARAM)), rows[name]) for name in order)


def column(param: str) -> str:
    """Return the column of a param."""
    return f"{_PARAM}{param}"


def _axis(name: str, space: Json, values: pl.Series) -> Axis:
    param = name.removeprefix(_PARAM)
    try:
        found = read_space(space) if isinstance(space, str) else _seen(values)
    except NotASpaceError:
        found = _seen(values)
    if isinstance(found, Span):
        words = [f"{value_words(found.low)} to {value_words(found.high)}"]
        words += [word for word, holds in (("whole", found.is_whole), ("log", found.is_log)) if holds]
        return Axis(param, found, ", ".join(words))
    listed = [value_words(value) for value in found.values]
    said = ", ".join(listed[:_MOST_CHOICES]) + (
        f" … {listed[-1]} ({len(listed)} values)" if len(listed) > _MOST_CHOICES else ""
    )
    numbers = [
        value for value in found.values if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if len(numbers) == len(found.values) > _MOST_CHOICES and min(numbers) < max(numbers):
        return Axis(param, Span(min(numbers), max(numbers), is_log=False), said)
    return Axis(param, found, said)


def _seen(values: pl.Series) -> Span | Choices:
    """Return the space that values show of themselves, where the recipe says none."""
    distinct = values.drop_nulls().unique().sort().to_list()
    if values.dtype.is_numeric() and len(distinct) > 1:
        return Span(distinct[0], distinct[-1], is_log=False)
    return Choices(tuple(distinct))


def _cell(value: object, kind: pl.DataType) -> object:
    """Return a listed value as a column of this kind holds it."""
    if value is None or isinstance(value, str):
        return value
    if kind.is_numeric() and isinstance(value, int | float):
        return float(value)
    return json.dumps(value)

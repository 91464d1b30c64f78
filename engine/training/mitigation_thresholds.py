"""Fairness after the fit: a threshold for each group, chosen on validation rows within bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import polars as pl

from engine.data.parts import PartData
from engine.data.schema import Schema
from engine.errors import DataError
from engine.evaluation.fairness import (
    DEMOGRAPHIC_PARITY_DIFFERENCE,
    DEMOGRAPHIC_PARITY_RATIO,
    EQUALIZED_ODDS_DIFFERENCE,
    EQUALIZED_ODDS_RATIO,
    MIN_GROUP_ROWS,
)
from engine.models.thresholds import GroupThresholds, Values
from engine.recipe.spec import Spec
from engine.recipe.spec_model import FairnessSpec
from engine.tasks.confusion import DECIDED, HIT, TRUE
from engine.tasks.task import Array, Task, ratio
from engine.tasks.threshold import Aim, Thresholded, candidates

# Thresholds of one group that are tried: beyond them neighbours differ by less than a row in a few hundred.
_MOST_CANDIDATES = 400
# Upper ends of the bands that are tried, of one rate, and of each of several.
_MOST_BANDS, _MOST_BANDS_EACH = 200, 40
_ROUNDS = 3
_SLACK = 1e-12
# Which rates a measure compares: places in `_rates`.
_SELECTED, _TRUE_POSITIVE, _FALSE_POSITIVE = 0, 1, 2
_COMPARES: Mapping[str, tuple[int, ...]] = {
    DEMOGRAPHIC_PARITY_RATIO: (_SELECTED,),
    DEMOGRAPHIC_PARITY_DIFFERENCE: (_SELECTED,),
    EQUALIZED_ODDS_RATIO: (_TRUE_POSITIVE, _FALSE_POSITIVE),
    EQUALIZED_ODDS_DIFFERENCE: (_TRUE_POSITIVE, _FALSE_POSITIVE),
}
_RATIOS = (DEMOGRAPHIC_PARITY_RATIO, EQUALIZED_ODDS_RATIO)


@dataclass(frozen=True, slots=True)
class _Group:
    """What each of m thresholds would do to one group, the nearest to the overall one first.

    `statistics`, of what the threshold is chosen for, has shape (m, 3, 2), `rates` (m, 3). `values` is None
    of rows that have the overall threshold.
    """

    values: Values | None
    is_compared: bool
    thresholds: Array
    statistics: Array
    rates: Array


def choose_groups(
    part: PartData,
    probabilities: Array,
    *,
    overall: float | None,
    how: FairnessSpec | None,
    task: Task,
    schema: Schema,
    spec: Spec,
) -> GroupThresholds | None:
    """Choose a threshold for each group by the rows of one part, for the metric of `task.threshold`.

    Parameters
    ----------
    part
        Validation rows, of a target with two classes.
    probabilities
        Of these rows, shape (n, 2).
    overall
        The threshold of all rows together; that of groups of fewer than 10 rows and of rows with a null.
    how
        What the model's recipe asks for; None, and anything but `thresholds`, chooses nothing.

    Raises
    ------
    DataError
        If there are no validation rows, or no thresholds keep within the bounds.

    Notes
    -----
    Of each rate that a bound compares, bands are tried that are as wide as the bound allows; within a band
    the groups are free of each other, and each takes in turn what is best for all rows, three times over. No
    threshold is drawn at random, as those of Hardt, Price and Srebro, "Equality of opportunity in supervised
    learning" (2016) may be: what is found is the best of those tried.
    """
    if how is None or how.kind != "thresholds":
        return None
    if not part.n_rows or overall is None:
        what = "thresholds of groups are chosen on validation rows, and no row is of that part"
        raise DataError.of(what, key="model.fairness", try_="a larger split.validation")
    assert isinstance(task, Thresholded)
    aim = task.threshold_aim(part.y, part.weights, spec=spec, worth=part.worth)
    assert aim is not None
    groups = list(_groups(part, probabilities[:, 1], aim, by=how.by, overall=overall))
    found = _best(groups, limits=how.bounds.limits if how.bounds else {}, summary=aim.summary)
    if found is None:
        what = f"no thresholds keep the groups by {', '.join(how.by)} within the bounds on {part.n_rows} rows"
        raise DataError.of(what, key="model.fairness.bounds", try_="a wider bound")
    columns = tuple(column for name in how.by for column in schema.columns if column.name == name)
    own = {
        group.values: float(group.thresholds[place])
        for group, place in zip(groups, found, strict=True)
        if group.values is not None
    }
    return GroupThresholds(columns, overall, own) if own else None


def _groups(
    part: PartData, positive: Array, aim: Aim, *, by: Sequence[str], overall: float
) -> Iterator[_Group]:
    """Yield the groups of a part; rows of small groups, and those with a null, keep the overall threshold."""

    def group(rows: Array, *, values: Values | None, is_compared: bool) -> _Group:
        said = positive[rows]
        w, aimed = (None if of is None else of[rows] for of in (part.weights, aim.weights))
        thresholds, decided = candidates(part.y[rows], said, w)
        _, statistics = candidates(aim.y[rows], said, aimed)
        if values is None:
            # The candidate that decides these rows as the overall threshold does.
            kept = np.array([np.searchsorted(np.unique(said), overall)])
        else:
            kept = np.flatnonzero((thresholds > 0) & (thresholds < 1))
            kept = kept[_spread(len(kept), _MOST_CANDIDATES)]
            kept = kept[np.argsort(np.abs(thresholds[kept] - overall), kind="stable")]
        return _Group(values, is_compared, thresholds[kept], statistics[kept], _rates(decided[kept]))

    places = pl.Series("place", np.arange(part.n_rows))
    keyed = part.frame.select(pl.struct(by).alias("key")).with_columns(places)
    small: list[Array] = []
    for key, listed in keyed.group_by("key", maintain_order=True).agg("place").iter_rows():
        rows, values = np.array(listed), tuple(key.values())
        if len(rows) < MIN_GROUP_ROWS:
            small.append(rows)
        else:
            yield group(rows, values=None if None in values else values, is_compared=True)
    if small:
        yield group(np.concatenate(small), values=None, is_compared=False)


def _rates(statistics: Array) -> Array:
    """Return the shares decided positive: of all rows, of positive and of negative ones, shape (m, 3)."""
    hits, true, decided = statistics[:, HIT, 1], statistics[:, TRUE], statistics[:, DECIDED, 1]
    return np.stack(
        [ratio(decided, true.sum(axis=1)), ratio(hits, true[:, 1]), ratio(decided - hits, true[:, 0])], axis=1
    )


def _best(
    groups: Sequence[_Group], *, limits: Mapping[str, float], summary: Callable[[Array], Array]
) -> list[int] | None:
    """Return each group's place among its candidates, None where nothing keeps within the bounds."""
    best, reached = None, -np.inf
    for allowed in _bands(groups, limits):
        found = [int(places[0]) for places in allowed]
        total = np.sum([group.statistics[at] for group, at in zip(groups, found, strict=True)], axis=0)
        for _ in range(_ROUNDS):
            before = list(found)
            for at, (group, places) in enumerate(zip(groups, allowed, strict=True)):
                others = total - group.statistics[found[at]]
                earned = summary(others + group.statistics[places])
                found[at] = int(places[int(np.argmax(np.nan_to_num(earned, nan=-np.inf)))])
                total = others + group.statistics[found[at]]
            if found == before:
                break
        worth = float(summary(total))
        if best is None or worth > reached + _SLACK * max(1.0, abs(reached)):
            best, reached = found, worth
    return best


def _bands(groups: Sequence[_Group], limits: Mapping[str, float]) -> Iterator[list[Array]]:
    """Yield which candidates of each group are in a band of every rate that a bound compares."""
    compared = [group for group in groups if group.is_compared]
    rates = sorted({rate for name in limits for rate in _COMPARES[name]})
    most = _MOST_BANDS if len(rates) == 1 else _MOST_BANDS_EACH
    highest = [_highest([group.rates[:, rate] for group in compared], most) for rate in rates]
    for ends in product(*highest):
        inside = [np.full(len(group.thresholds), fill_value=True) for group in groups]
        for rate, high in zip(rates, ends, strict=True):
            low = max(_low(name, limit, high) for name, limit in limits.items() if rate in _COMPARES[name])
            for place, group in enumerate(groups):
                if group.is_compared:
                    own = group.rates[:, rate]
                    inside[place] &= np.isnan(own) | ((own >= low - _SLACK) & (own <= high + _SLACK))
        allowed = [np.flatnonzero(one) for one in inside]
        if all(map(len, allowed)):
            yield allowed


def _highest(rates: Sequence[Array], most: int) -> Array:
    """Return what the highest rate of a group may be: of all that are possible, evenly spread."""
    known = np.unique(np.concatenate([np.zeros(1), *rates]))
    known = known[~np.isnan(known) & (known > 0)]
    ends: Array = known[_spread(len(known), most)]
    return ends


def _low(name: str, limit: float, high: float) -> float:
    """Return the lowest rate that a limit allows beside the highest."""
    return high * limit if name in _RATIOS else high - limit


def _spread(n: int, most: int) -> Array:
    """Return at most so many of n places, evenly spread."""
    places: Array = np.unique(np.linspace(0, max(n - 1, 0), min(most, n)).round().astype(np.int64))
    return places

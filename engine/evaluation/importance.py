"""How much of a score each column carries: what is lost when its values are dealt out anew among rows.

Breiman, "Random Forests" (2001), on rows that trained nothing; by the deployed graph, of any family.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.evaluation.score import Interval, bounded, measure, resample
from engine.tasks.task import Array, Metric, Scores

# More add little: what is left is the chance in which rows were drawn, and that the interval tells.
_REPEATS = 3
_RESAMPLES = 60
# Rows that are scored at a time: few rows a call cost as much as many.
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Importance:
    """Of each column the loss in one metric when it is shuffled, largest first, on `n_rows` rows."""

    metric: str
    n_rows: int
    repeats: int
    columns: Mapping[str, Interval]

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        return {
            "metric": self.metric,
            "n_rows": self.n_rows,
            "repeats": self.repeats,
            "columns": {name: interval.to_json() for name, interval in self.columns.items()},
        }


def permutation_importance(
    frame: pl.DataFrame,
    *,
    columns: Sequence[str],
    y: Array,
    weights: Array | None,
    worth: Array | None = None,
    score: Callable[[pl.DataFrame], Scores],
    metric: Metric,
    confidence: float,
    seed: int,
) -> Importance:
    """Shuffle each column three times and measure how far the metric falls.

    Parameters
    ----------
    frame
        Shape (n, …): rows that `score` takes.
    columns
        What is shuffled, one at a time: the raw columns that the model reads.
    y, weights, worth
        Of the same n rows.
    score
        The model; asked of n * (1 + 3 * len(columns)) rows.
    metric
        Its direction decides the sign: a positive value is lost where the column tells nothing.

    Returns
    -------
    Importance
        The mean over the repeats, with a percentile interval of 60 paired resamples of the rows.

    Notes
    -----
    What two columns both tell is lost with neither: of such a pair both may look worthless.
    """
    rng = np.random.default_rng(seed)
    shuffled = (
        frame.with_columns(frame[column].gather(rng.permutation(frame.height)))
        for column in columns
        for _ in range(_REPEATS)
    )
    everyone = [one.priced(worth) for one in _scored(itertools.chain([frame], shuffled), score)]
    named = {metric.name: metric}
    values = [measure(y, one, weights, metrics=named)[metric.name] for one in everyone]
    drawn = resample(y, everyone, weights, metrics=named, n_bootstrap=_RESAMPLES, seed=seed)
    side = 1.0 if metric.greater_is_better else -1.0
    found: dict[str, Interval] = {}
    for place, column in enumerate(columns):
        own = slice(1 + place * _REPEATS, 1 + (place + 1) * _REPEATS)
        lost = [drawn[0].values[metric.name] - one.values[metric.name] for one in drawn[own]]
        centres = [drawn[0].centres[metric.name] - one.centres[metric.name] for one in drawn[own]]
        found[column] = bounded(
            side * float(np.mean(values[0] - np.array(values[own]))),
            side * np.mean(lost, axis=0),
            centre=side * float(np.mean(centres)),
            scale=drawn[0].scale,
            confidence=confidence,
        )
    ordered = sorted(found.items(), key=lambda item: (-np.nan_to_num(item[1].value), item[0]))
    return Importance(metric.name, frame.height, _REPEATS, dict(ordered))


def _scored(frames: Iterable[pl.DataFrame], score: Callable[[pl.DataFrame], Scores]) -> Iterator[Scores]:
    """Score frames of the same height, several at a time."""
    several = iter(frames)
    while together := list(itertools.islice(several, 1)):
        n_rows = together[0].height
        together += itertools.islice(several, max(_AT_ONCE // max(n_rows, 1) - 1, 0))
        scores = score(pl.concat(together))
        for place in range(len(together)):
            yield scores.take(np.arange(place * n_rows, (place + 1) * n_rows))

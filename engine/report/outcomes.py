"""The test rows as arrays: what was, what was said, what was decided, as `predictions.parquet` keeps them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import polars as pl

from engine.recipe.spec_value import Value
from engine.report import curves, scores
from engine.report.record import Record, elements, members, number, plain, text
from engine.tasks.value import row_worth

Array = np.ndarray

BINARY = 2


@dataclass(frozen=True)
class Classified:
    """Test rows of a classification.

    `actual` and `decided` are class indices of shape (n,), `probabilities` has shape (n, n_classes). Of two
    classes the positive one is the last. `worth` has shape (n, 2), what each row is worth decided negative
    and decided positive, where the goal prices outcomes and the file has kept what it takes: `frame`.
    """

    target: str
    classes: tuple[str, ...]
    actual: Array
    decided: Array
    probabilities: Array
    threshold: float | None
    frame: pl.DataFrame
    worth: Array | None = None

    def priced(self, value: Value) -> Classified:
        """Return the same rows with what each is worth, without where a column that it takes is missing."""
        if not set(value.columns) <= set(self.frame.columns):
            return replace(self, worth=None)
        return replace(self, worth=row_worth(value, self.frame, self.positive))

    @property
    def positive(self) -> Array:
        """Whether each row is of the last class, shape (n,)."""
        positive: Array = self.actual == len(self.classes) - 1
        return positive

    @property
    def scores(self) -> Array:
        """The probability of the last class, shape (n,)."""
        scores: Array = self.probabilities[:, -1]
        return scores

    @cached_property
    def ranking(self) -> curves.Ranking:
        """The rows counted from the highest probability of the last class down."""
        return curves.rank(self.positive, self.scores)


@dataclass(frozen=True, slots=True)
class Measured:
    """Test rows of a regression: `actual` and `predicted` have shape (n,)."""

    target: str
    actual: Array
    predicted: Array


def is_weighted(record: Record) -> bool:
    """Tell whether rows have weights, which `predictions.parquet` does not keep."""
    return any(text(column, "role") == "weight" for column in elements(record.data, "columns"))


def recorded(record: Record, name: str) -> float | None:
    """Return a metric of the test rows for a picture; None where it weighs rows, as no picture does."""
    return None if is_weighted(record) else number(record.metrics, "test", name, "value")


def read(record: Record) -> Classified | Measured | str:
    """Read the test rows of a run, or say in a sentence why there is nothing to draw."""
    kind, target = text(record.facts, "target", "kind"), text(record.facts, "target", "name")
    if kind is None or target is None:
        return "facts.json does not say what the target is."
    if not record.predictions.exists():
        return "The run kept no predictions.parquet."
    frame = pl.read_parquet(record.predictions)
    absent = [name for name in (target, "prediction") if name not in frame.columns]
    if absent:
        return f"predictions.parquet has no column {absent[0]!r}."
    if kind == "continuous":
        return _measured(frame, target)
    classes = tuple(plain(value) for value in elements(record.facts, "target", "classes"))
    # Where groups have thresholds of their own, no one line stands for all rows.
    common = None if members(record.facts, "thresholds") else number(record.facts, "threshold")
    rows = _classified(frame, target, classes, common)
    if isinstance(rows, str):
        return rows
    value = scores.worth(record)
    return rows if value is None else rows.priced(value)


def _measured(frame: pl.DataFrame, target: str) -> Measured | str:
    pair = frame.select(pl.col(target, "prediction").cast(pl.Float64))
    actual, predicted = pair[target].to_numpy(), pair["prediction"].to_numpy()
    known = np.isfinite(actual) & np.isfinite(predicted)
    if not known.any():
        return "There are no test rows."
    return Measured(target=target, actual=actual[known], predicted=predicted[known])


def _classified(
    frame: pl.DataFrame, target: str, classes: tuple[str, ...], threshold: float | None
) -> Classified | str:
    columns = [f"probability_{name}" for name in classes]
    if len(classes) < BINARY or not set(columns) <= set(frame.columns):
        return "predictions.parquet has no probability of every class."
    indices = {name: index for index, name in enumerate(classes)}
    coded = frame.select(
        pl.col(target, "prediction")
        .cast(pl.String)
        .replace_strict(indices, default=-1, return_dtype=pl.Int64)
    )
    actual, decided = coded[target].to_numpy(), coded["prediction"].to_numpy()
    probabilities = frame.select(pl.col(columns).cast(pl.Float64)).to_numpy()
    known = (actual >= 0) & (decided >= 0) & np.isfinite(probabilities).all(axis=1)
    if not known.any():
        return "There are no test rows."
    return Classified(
        target=target,
        classes=classes,
        actual=actual[known],
        decided=decided[known],
        probabilities=probabilities[known],
        threshold=threshold,
        frame=frame.filter(pl.Series(known)),
    )

"""Every metric on the slices of the test rows that a recipe asks for; of small ones a statement instead."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.errors import Message
from engine.evaluation.fairness import MIN_GROUP_ROWS, MISSING
from engine.evaluation.gates import Grouping
from engine.evaluation.score import MAX_RESAMPLED_ROWS, Interval, score
from engine.recipe.spec import Spec
from engine.recipe.spec_table import ColumnType
from engine.tasks.task import Array, Metric, Scores, Target

# The largest so many are measured: who slices by a thousand values reads none of them.
MAX_SLICES = 40
SLICED_TYPES: tuple[ColumnType, ...] = ("category", "boolean", "integer", "number")
_SLICED = Grouping(SLICED_TYPES, makes="slices", of_target=", which no slice may tell", shows=True)
# A number with no more values than this makes a slice of each, else of its quartiles.
_MAX_VALUES = 10
_QUARTILES = (0.25, 0.5, 0.75)
# What is said by comparing classes has no meaning where there are hardly any rows but those of one.
_MIN_OTHER_ROWS = 5
_OF_TWO_CLASSES = frozenset(
    {
        "roc_auc",
        "average_precision",
        "balanced_accuracy",
        "f1",
        "f1_macro",
        "precision",
        "recall",
        "matthews_corrcoef",
    }
)


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: its rows, its metrics, and in words what of them can't be told, empty if all can."""

    name: str
    n: int
    metrics: Mapping[str, Interval]
    said: str

    def to_json(self) -> dict[str, object]:
        """Return the slice as JSON values; a metric that is not defined is null."""
        metrics = {name: interval.to_json() for name, interval in self.metrics.items()}
        return {"name": self.name, "n": self.n, "said": self.said, "metrics": metrics}


@dataclass(frozen=True, slots=True)
class Slicing:
    """The slices that some columns make, in the order of their values, and how many were not measured.

    Attributes
    ----------
    n_unnamed_slices, n_unnamed_rows
        Slices of a sensitive column that are too small to say anything of, nor to name.
    n_more_slices, n_more_rows
        The slices beyond the 40 largest.
    """

    by: tuple[str, ...]
    slices: tuple[Slice, ...]
    n_unnamed_slices: int
    n_unnamed_rows: int
    n_more_slices: int
    n_more_rows: int

    def to_json(self) -> dict[str, object]:
        """Return the slicing as JSON values."""
        return {
            "by": list(self.by),
            "slices": [one.to_json() for one in self.slices],
            "n_unnamed_slices": self.n_unnamed_slices,
            "n_unnamed_rows": self.n_unnamed_rows,
            "n_more_slices": self.n_more_slices,
            "n_more_rows": self.n_more_rows,
        }


def check_slices(spec: Spec) -> Iterator[Message]:
    """Yield what is wrong with `evaluation.slices`."""
    for place, by in enumerate(spec.evaluation.slices):
        key = f"evaluation.slices[{place}]"
        if not by:
            yield Message("a slice needs a column", key, allowed=_SLICED.columns(spec))
        if by in spec.evaluation.slices[:place]:
            yield Message(f"{', '.join(by)}: these slices stand twice", key)
        yield from _SLICED.check(by, key=key, spec=spec)


def score_slices(
    frame: pl.DataFrame,
    *,
    by: Sequence[str],
    y: Array,
    scores: Scores,
    weights: Array | None,
    metrics: Mapping[str, Metric],
    target: Target,
    sensitive: bool,
    confidence: float,
    n_bootstrap: int,
    seed: int,
) -> Slicing:
    """Measure every metric on each slice of some rows.

    Parameters
    ----------
    frame
        Shape (n, …), with the columns `by`. Numbers of more than 10 values are cut at the quartiles of these
        rows; a null is a slice of its own, `(missing)`.
    by
        Columns whose values make the slices; of several, their combinations.
    y, scores, weights
        Of the same n rows, as `score` takes them.
    sensitive
        Whether a column among `by` is: slices of fewer than 10 rows are then counted and not named.

    Returns
    -------
    Slicing
        A slice of fewer than 10 rows has no metrics, and says so; nor has one with fewer than 5 rows of other
        classes than its most frequent those that compare classes. Bounds are None where all resamples agree,
        of which no interval can be told.

    Notes
    -----
    O(n_bootstrap * n) for all slices together.
    """
    codes, names = cut(frame, by=by)
    n = np.bincount(codes, minlength=len(names))
    shown = np.flatnonzero((n >= MIN_GROUP_ROWS) | (not sensitive))
    small = np.flatnonzero((n < MIN_GROUP_ROWS) & sensitive)
    kept = np.sort(shown[np.argsort(-n[shown], kind="stable")][:MAX_SLICES])
    more = np.setdiff1d(shown, kept)
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(n)])

    def measure(slice_: int) -> Slice:
        rows = order[starts[slice_] : starts[slice_ + 1]]
        if len(rows) < MIN_GROUP_ROWS:
            plural = "" if len(rows) == 1 else "s"
            return Slice(names[slice_], len(rows), {}, f"{len(rows)} row{plural}: too few to say")
        of_slice = scores.take(rows)
        found = score(
            y[rows],
            of_slice,
            None if weights is None else weights[rows],
            metrics=metrics,
            confidence=confidence,
            n_bootstrap=n_bootstrap,
            seed=seed,
            # Together no more than are resampled of all rows.
            most_rows=math.ceil(MAX_RESAMPLED_ROWS * len(rows) / max(len(y), MAX_RESAMPLED_ROWS)),
        )
        return _told(names[slice_], y[rows], found, target)

    return Slicing(
        by=tuple(by),
        slices=tuple(measure(int(slice_)) for slice_ in kept),
        n_unnamed_slices=len(small),
        n_unnamed_rows=int(n[small].sum()),
        n_more_slices=len(more),
        n_more_rows=int(n[more].sum()),
    )


def cut(frame: pl.DataFrame, *, by: Sequence[str]) -> tuple[Array, list[str]]:
    """Return each row's slice, shape (n,), and the slices' names in the order of their values.

    Only slices that occur are numbered.

    Examples
    --------
    >>> codes, names = cut(pl.DataFrame({"age": [30, None, 20, 30]}), by=["age"])
    >>> codes.tolist(), names
    ([1, 2, 0, 1], ['20', '30', '(missing)'])
    """
    numbers, names = np.zeros(frame.height, np.int64), [""]
    for column in by:
        codes, labels = _levels(frame[column])
        found, numbers = np.unique(numbers * len(labels) + codes, return_inverse=True)
        pairs = (divmod(code, len(labels)) for code in found.tolist())
        names = [", ".join(filter(None, (names[first], labels[second]))) for first, second in pairs]
    return numbers, names


def _levels(column: pl.Series) -> tuple[Array, list[str]]:
    """Return the place of each row among a column's labels, and the labels, that of nulls the last."""
    if column.dtype.is_float():
        column = column.fill_nan(None)
    if column.dtype.is_numeric() and column.drop_nulls().n_unique() > _MAX_VALUES:
        return _quartiles(column.cast(pl.Float64))
    values = column.drop_nulls().unique().sort()
    labels = [_written(value) for value in values.to_list()]
    places = pl.Series(range(len(labels)), dtype=pl.Int64)
    codes = column.replace_strict(values, places, default=len(labels), return_dtype=pl.Int64)
    return codes.to_numpy(), [*labels, MISSING]


def _quartiles(column: pl.Series) -> tuple[Array, list[str]]:
    known = column.drop_nulls().to_numpy()
    # Where much of a column is one value, some of its quartiles are the same.
    edges = np.unique(np.quantile(known, _QUARTILES, method="lower"))
    codes = np.where(column.is_null(), len(edges) + 1, np.searchsorted(edges, column.fill_null(0.0)))
    said = [f"{edge:g}" for edge in edges]
    between = [f"over {low} to {high}" for low, high in itertools.pairwise(said)]
    return codes.astype(np.int64), [f"up to {said[0]}", *between, f"over {said[-1]}", MISSING]


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "(empty)"


def _told(name: str, y: Array, found: Mapping[str, Interval], target: Target) -> Slice:
    """Take back what has no meaning on these rows."""
    said = ""
    counts = np.bincount(y, minlength=target.n_outputs) if target.classes else np.empty(0)
    if target.classes and (n_others := len(y) - counts.max()) < _MIN_OTHER_ROWS:
        most = target.class_names[int(counts.argmax())]
        but = f"all but {n_others} of class" if n_others else "all of class"
        said = f"{but} {most}: what compares classes can't be told"
        undefined = Interval(float("nan"), None, None)
        found = {name: undefined if name in _OF_TWO_CLASSES else one for name, one in found.items()}
    return Slice(name, len(y), {name: _bounded(one) for name, one in found.items()}, said)


def _bounded(interval: Interval) -> Interval:
    """Take back bounds that say nothing: a point."""
    is_point = interval.low is not None and interval.low == interval.high
    return replace(interval, low=None, high=None) if is_point else interval


def slice_columns(spec: Spec) -> tuple[str, ...]:
    """Return the columns that the recipe's slices read, each once."""
    return tuple(dict.fromkeys(name for by in spec.evaluation.slices for name in by))


def is_sensitive(spec: Spec, by: Sequence[str]) -> bool:
    """Tell whether a column among `by` is marked sensitive."""
    return any(spec.schema_.columns[name].sensitive for name in by)

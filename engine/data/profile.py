"""What a table is like, column by column; what a reader should be warned of is in `quality`.

Descriptive only: nothing here is used to fit anything. Values of columns marked `pii`, and texts of columns
marked `sensitive`, are never shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.data.split import Parts
from engine.data.table import Table
from engine.data.violation import show

if TYPE_CHECKING:
    from engine.recipe.strict import Scalar

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
N_TOP = 10
N_BINS = 20

Shown = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Count:
    """A value and the number of rows that hold it."""

    value: Scalar
    n: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins of equal width: n + 1 edges, n counts; the last bin holds its right edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """One column in figures; what does not apply to its type, or may not be shown, is None or empty."""

    name: str
    type: str
    role: str
    nulls: int
    distinct: int
    min: Shown = None
    max: Shown = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    top: tuple[Count, ...] = ()
    histogram: Histogram | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A table in figures.

    Attributes
    ----------
    n_duplicate_rows
        Rows that repeat an earlier one in every column that is read (role `ignore` is not) but ids.
    target_by_part
        By part: the number of rows of each class, or the mean of a numeric target under `mean`.
    """

    columns: tuple[ColumnProfile, ...]
    n_duplicate_rows: int
    target_by_part: Mapping[str, Mapping[str, float]]

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`."""
        return {
            "columns": [asdict(column) for column in self.columns],
            "n_duplicate_rows": self.n_duplicate_rows,
            "target_by_part": {part: dict(found) for part, found in self.target_by_part.items()},
        }


def profile(table: Table, *, parts: Parts) -> Profile:
    """Describe a table and its target in each part.

    Notes
    -----
    `std` is the sample's (divisor n - 1), quantiles interpolate linearly.
    """
    columns = [column for column in table.schema.columns if column.name in table.frame.columns]
    # Column by column: a query takes longer to plan by the square of its columns, a thousand take minutes.
    described = tuple(_describe(column, table.frame[column.name]) for column in columns)
    # Numbered names, because polars reads `*` and `^…$` in a name as patterns.
    unnamed = [
        table.frame[column.name].alias(str(at)) for at, column in enumerate(columns) if column.role != "id"
    ]
    n_duplicates = table.n_rows - pl.DataFrame(unnamed).n_unique()
    by_part = _target_by_part(table, parts)
    return Profile(described, n_duplicates, by_part)


def is_number(column: Column) -> bool:
    """Tell whether a column is counted or measured."""
    return column.type in {"integer", "number"}


def is_shown(column: Column) -> bool:
    """Tell whether a profile may say what a column holds."""
    return not column.pii and not (column.sensitive and column.type == "text")


def _describe(column: Column, series: pl.Series) -> ColumnProfile:
    # Together, as the pieces in which a file was read would show in the last digit of a sum.
    known = series.drop_nulls().rechunk()
    measured = is_shown(column) and is_number(column)
    ended = is_shown(column) and (is_number(column) or column.type == "datetime")
    # Sorted once: whatever counts distinct values, and every quantile, would sort them anew.
    ordered = known.sort() if ended else known
    counted = not is_number(column) and column.type != "datetime" and column.role != "id"
    quantiles = [ordered.quantile(at, interpolation="linear") for at in QUANTILES] if measured else []
    return ColumnProfile(
        name=column.name,
        type=column.type,
        role=column.role,
        nulls=series.null_count(),
        distinct=ordered.n_unique(),
        min=end_of(ordered.min()) if ended else None,
        max=end_of(ordered.max()) if ended else None,
        mean=_float(known.mean()) if measured else None,
        std=_float(known.std()) if measured else None,
        quantiles=tuple(q for q in map(_float, quantiles) if q is not None),
        top=_top(series) if counted and is_shown(column) else (),
        histogram=_histogram(known) if measured else None,
    )


def _float(value: object) -> float | None:
    return float(value) if isinstance(value, float | int) and math.isfinite(value) else None


def end_of(value: object) -> Shown:
    """Return a least or largest value as it is written."""
    if isinstance(value, datetime):
        return value.isoformat()
    return value if isinstance(value, int) else _float(value)


def _top(series: pl.Series) -> tuple[Count, ...]:
    """Return the most frequent values; equal counts in the order of values."""
    counts = series.drop_nulls().alias("value").value_counts(name="n")
    ordered = counts.sort(["n", "value"], descending=[True, False]).head(N_TOP)
    return tuple(Count(value, n) for value, n in ordered.iter_rows())


def _histogram(series: pl.Series) -> Histogram | None:
    values = series.to_numpy().astype(np.float64)
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if low == high or not math.isfinite(high - low):
        return None
    # Integers of a small range get a bin each: bins of a broken width would show gaps that are not there.
    n_values = int(high - low) + 1
    n_bins = N_BINS
    if series.dtype.is_integer() and n_values <= N_BINS:
        n_bins, low, high = n_values, low - 0.5, high + 0.5
    # Between neighbouring doubles there is no edge: two of them a bin, so that none is as the one before.
    room = (high - low) / float(np.spacing(max(abs(low), abs(high)))) / 2
    counts, edges = np.histogram(values, bins=int(max(min(n_bins, room), 1)), range=(low, high))
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts)))


def _target_by_part(table: Table, parts: Parts) -> dict[str, dict[str, float]]:
    target = table.schema.target
    if target.name not in table.frame.columns or not is_shown(target):
        return {}
    series = table.frame[target.name]
    found: dict[str, dict[str, float]] = {}
    classes = series.drop_nulls().unique().sort().to_list() if not is_number(target) else []
    for part, rows in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
        values = series[rows]
        if is_number(target):
            mean = values.mean()
            found[part] = {"mean": float(mean)} if isinstance(mean, float) else {}
        else:
            counts = dict(values.value_counts().iter_rows())
            found[part] = {text_of(value): counts.get(value, 0) for value in classes}
    return found


def text_of(value: Scalar) -> str:
    """Return a class as it is written."""
    return str(value).lower() if isinstance(value, bool) else show(value)

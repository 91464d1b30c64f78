"""Columns that give the target away: alone, by being filled at all, or as two that add up to it.

Suspects only. Whether a column is known before the outcome is, no data can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from engine.data.schema import Column, Schema

_MAX_ROWS = 20_000
_MIN_ROWS = 40
_BINS = 50
# Of the error of a constant, what may be left of a column that gives the target away.
_ERROR_LEFT = 0.15
_RANK_CORRELATION = 0.985
_MAX_SUMMANDS = 40
# More values than this share of the rows say little of the next row.
_MAX_LEVELS = 0.2
_MIN_CLASS_ERROR = 0.02
# So many rows of other classes must be expected among the filled ones before their absence says anything.
_MIN_OTHERS = 10


@dataclass(frozen=True, slots=True)
class Suspect:
    """A column, or two, that may be known only after the outcome."""

    columns: tuple[str, ...]
    what: str


def suspects(frame: pl.DataFrame, *, schema: Schema, numeric: bool) -> tuple[Suspect, ...]:
    """Return the features that predict the target almost alone, or are filled almost only for one class.

    Each is judged on every other row by what the rows between teach: the share of errors of a class, or the
    rank correlation (Spearman) of a number.

    Parameters
    ----------
    numeric
        Whether the target is a number.
    """
    sample = frame if frame.height <= _MAX_ROWS else frame.sample(_MAX_ROWS, seed=0)
    if sample.height < _MIN_ROWS:
        return ()
    target = sample[schema.target.name]
    features = [column for column in schema.features if column.name in sample.columns]
    if numeric:
        return (*_by_rank(sample, features, target), *_sums(sample, features, target))
    found = tuple(_by_class(sample, features, target))
    named = {name for suspect in found for name in suspect.columns}
    others = [column for column in features if column.name not in named]
    return (*found, *_by_presence(sample, others, target))


def _by_class(sample: pl.DataFrame, features: list[Column], target: pl.Series) -> Iterator[Suspect]:
    truth = target.cast(pl.String).rank("dense").to_numpy().astype(np.int64) - 1
    train, test = truth[0::2], truth[1::2]
    usual = int(np.bincount(train).argmax())
    missed = float(np.mean(test != usual))
    if missed < _MIN_CLASS_ERROR:
        return
    for column in features:
        codes = _codes(sample[column.name])
        n_codes, n_classes = int(codes.max()) + 1, int(truth.max()) + 1
        if n_codes > _MAX_LEVELS * len(codes):
            continue
        counts = np.zeros((n_codes, n_classes))
        np.add.at(counts, (codes[0::2], train), 1)
        best = np.where(counts.any(axis=1), counts.argmax(axis=1), usual)
        left = float(np.mean(best[codes[1::2]] != test))
        if left <= _ERROR_LEFT * missed:
            what = f"alone it leaves {left:.1%} wrong, where the most frequent class leaves {missed:.1%}"
            yield Suspect((column.name,), what)


def _by_presence(sample: pl.DataFrame, features: list[Column], target: pl.Series) -> Iterator[Suspect]:
    """Suspect what is known of one class alone, however few rows it is known of, such as a cause of death."""
    truth = target.cast(pl.String)
    shares = dict(truth.value_counts(normalize=True).iter_rows())
    for column in features:
        known = truth.filter(sample[column.name].is_not_null())
        if not known.len() or known.len() == truth.len():
            continue
        name, n = known.value_counts(sort=True).row(0)
        expected = known.len() * (1 - shares[name])
        if expected >= _MIN_OTHERS and known.len() - n <= _ERROR_LEFT * expected:
            what = (
                f"of its {known.len()} values {n / known.len():.1%} are of one class, "
                f"which has {shares[name]:.1%} of all rows"
            )
            yield Suspect((column.name,), what)


def _by_rank(sample: pl.DataFrame, features: list[Column], target: pl.Series) -> Iterator[Suspect]:
    truth = target.cast(pl.Float64)
    for column in features:
        if column.storage not in {"int64", "float64"} or column.type == "category":
            continue
        values = sample[column.name].cast(pl.Float64)
        known = (values.is_not_null()).to_numpy()
        if known.sum() < max(_MIN_ROWS, len(known) // 2):
            continue
        pair = [series.filter(pl.Series(known)).rank().to_numpy() for series in (values, truth)]
        if min(part.std() for part in pair) == 0:
            continue
        correlation = float(np.corrcoef(pair[0], pair[1])[0, 1])
        if abs(correlation) >= _RANK_CORRELATION:
            yield Suspect(
                (column.name,), f"it orders the rows as the target does (rank correlation {correlation:.3f})"
            )


def _sums(sample: pl.DataFrame, features: list[Column], target: pl.Series) -> Iterator[Suspect]:
    truth = target.cast(pl.Float64).to_numpy()
    numbers = [
        column.name
        for column in features
        if column.storage in {"int64", "float64"} and column.type != "category"
    ]
    arrays = {
        name: sample[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in numbers[:_MAX_SUMMANDS]
    }
    for one, other in combinations(arrays, 2):
        for sign, left, right in (("+", one, other), ("-", one, other), ("-", other, one)):
            made = arrays[left] + arrays[right] if sign == "+" else arrays[left] - arrays[right]
            known = ~np.isnan(made)
            # A column of zeros alone would make the other one's equality look like a sum.
            varied = np.nanstd(arrays[left]) > 0 and np.nanstd(arrays[right]) > 0
            if (
                varied
                and known.sum() >= _MIN_ROWS
                and np.allclose(made[known], truth[known], rtol=1e-9, atol=1e-9)
            ):
                yield Suspect((left, right), f"'{left}' {sign} '{right}' is the target, on every row")


def _codes(values: pl.Series) -> np.ndarray:
    """Return a small number for each value: its own, or its bin's where a number has many; nulls have one."""
    ranked = values.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    if values.dtype in (pl.String, pl.Boolean) or ranked.max() <= _BINS:
        return ranked
    order = values.rank("min").fill_null(0).to_numpy().astype(np.float64)
    return np.where(order == 0, 0, 1 + (order - 1) * _BINS // len(values)).astype(np.int64)

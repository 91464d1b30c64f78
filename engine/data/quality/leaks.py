"""Columns that give the target away: alone, by being filled at all, or added up.

Suspects only. Whether a column is known before the outcome is, no data can say. What separates a leak from an
honest column that predicts well: a leak is right nearly everywhere, and where it is wrong, it is wrong by
chance; an honest one passes through values of which nobody can say what they mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.quality.codes import Coded, code, draw, pick
from engine.data.quality.sums import find_sums
from engine.data.schema import Column, Schema

if TYPE_CHECKING:
    Array = np.ndarray
MAX_ROWS = 20_000
MIN_ROWS = 40
# A bin of many rows shows a class's share; for a median a few do. Small bins leave little between classes.
_ROWS_A_BIN_OF_CLASSES, _BINS_OF_CLASSES = 20, 200
_ROWS_A_BIN_OF_NUMBERS, _BINS_OF_NUMBERS = 8, 50
# Of the error of knowing nothing, what a leak may leave.
ERROR_LEFT_OF_CLASSES = 0.15
ERROR_LEFT_OF_NUMBERS = 0.15
# A value says little where its likeliest class has less than this; of a leak few rows have such a value.
_SURE = 0.8
_UNSURE_SHARE = 0.03
_CLEARLY = 0.1
_MIN_CLASS_ROWS = 10
# Largest errors left aside, for the rows that a noisy copy has wrong.
_TRIMMED = 0.9
# So many rows of other classes must be expected before their absence says anything.
_MIN_OTHERS = 10
_PURE = 0.1


@dataclass(frozen=True, slots=True)
class Suspect:
    """A column, or several, that may be known only after the outcome; `what` names one column as `it`."""

    columns: tuple[str, ...]
    what: str
    evidence: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Power:
    """How well one column predicts alone: of the error of knowing nothing, what is left out of fold."""

    column: str
    error_left: float
    unsure: float


@dataclass(frozen=True, slots=True)
class Leaks:
    """What is suspected, the power of each feature alone, and how many rows were looked at."""

    suspects: tuple[Suspect, ...]
    powers: tuple[Power, ...]
    n_rows: int


def suspect_columns(
    frame: pl.DataFrame, *, schema: Schema, rows: Array, y: Array, n_classes: int, seed: int
) -> Leaks:
    """Look for leaks in some rows of a table, in at most `MAX_ROWS` of them.

    Parameters
    ----------
    rows
        Indices of the rows that may be looked at.
    y
        Class codes, or values, of all rows of the table.
    n_classes
        0 where the target is a number.
    seed
        Draws the rows, and their order.
    """
    drawn = rows[draw(len(rows), MAX_ROWS, seed=seed)]
    looked = pick(frame, (column.name for column in schema.features))[drawn]
    suspects, powers = find_leaks(looked, schema.features, y[drawn], n_classes=n_classes)
    return Leaks(suspects, powers, len(drawn))


def find_leaks(
    frame: pl.DataFrame, features: Sequence[Column], y: Array, *, n_classes: int
) -> tuple[tuple[Suspect, ...], tuple[Power, ...]]:
    """Return the features that predict the target almost alone, and what each one predicts.

    Every other row, in an order drawn by the caller, is judged by what the rows between teach.

    Parameters
    ----------
    frame
        Shape (n_rows, …), in random order; needs the features.
    y
        Class codes, or values; shape (n_rows,).
    n_classes
        0 where the target is a number.
    """
    if len(y) < MIN_ROWS:
        return (), ()
    powers = [
        power for column in features if (power := _power(frame[column.name], column.name, y, n_classes))
    ]
    suspects = [_alone(power, n_classes) for power in powers if _gives_away(power, n_classes)]
    named = {name for suspect in suspects for name in suspect.columns}
    others = [column for column in features if column.name not in named]
    if n_classes:
        suspects += _by_presence(frame, others, y, n_classes)
    else:
        suspects += [
            Suspect(names, what, {"columns": len(names), "largest_error": worst})
            for names, what, worst in find_sums(frame, features, y)
        ]
    return tuple(suspects), tuple(powers)


def _gives_away(power: Power, n_classes: int) -> bool:
    bound = ERROR_LEFT_OF_CLASSES if n_classes else ERROR_LEFT_OF_NUMBERS
    return power.error_left <= bound and power.unsure <= _UNSURE_SHARE


def _alone(power: Power, n_classes: int) -> Suspect:
    error = "balanced error" if n_classes else "error"
    what = f"alone it leaves {power.error_left:.1%} of the {error} of knowing nothing"
    return Suspect((power.column,), what, {"error_left": round(power.error_left, 6)})


def _power(values: pl.Series, name: str, y: Array, n_classes: int) -> Power | None:
    """Return the best that a column does in any of the ways to look at it."""
    if n_classes:
        n_bins = int(np.clip(len(y) // _ROWS_A_BIN_OF_CLASSES, 2, _BINS_OF_CLASSES))
    else:
        n_bins = int(np.clip(len(y) // _ROWS_A_BIN_OF_NUMBERS, 2, _BINS_OF_NUMBERS))
    ways = code(values, n_bins=n_bins)
    found = [_of_classes(way, y, n_classes) if n_classes else _of_numbers(way, y) for way in ways]
    known = [pair for pair in found if pair is not None]
    return Power(name, *min(known, key=lambda pair: (pair[1] > _UNSURE_SHARE, pair))) if known else None


def _of_classes(coded: Coded, y: Array, n_classes: int) -> tuple[float, float] | None:
    """Return the balanced error left, and the share of rows whose value tells no class.

    Classes weigh alike in both: one of a row in a hundred is as much to be known as the others.
    """
    cells = coded.codes * n_classes + y
    size = coded.n * n_classes
    counts = [
        np.bincount(part, minlength=size).reshape(coded.n, n_classes).astype(np.float64)
        for part in (cells[0::2], cells[1::2])
    ]
    kept = np.minimum(counts[0].sum(axis=0), counts[1].sum(axis=0)) >= _MIN_CLASS_ROWS
    if kept.sum() < 2:  # noqa: PLR2004 (one class can't be told from another)
        return None
    errors, unsure = [], []
    for taught, judged in (counts, counts[::-1]):
        shares = taught[:, kept] / taught[:, kept].sum(axis=0)
        weights = judged[:, kept] / judged[:, kept].sum(axis=0) / kept.sum()
        total = shares.sum(axis=1)
        best = np.where(total > 0, shares.argmax(axis=1), -1)
        errors.append(1 - weights[np.arange(len(best)), best][best >= 0].sum())
        likeliest = np.divide(shares.max(axis=1), total, out=np.zeros_like(total), where=total > 0)
        unsure.append(weights[likeliest < _SURE].sum())
    left = float(max(np.mean(errors), 0.0) / (1 - 1 / kept.sum()))
    # Between two classes one bin holds both, which is much of the rows where there are few bins.
    straddling = (kept.sum() - 1) / (coded.n - 1) if coded.is_binned and left <= _CLEARLY else 0.0
    return left, float(max(np.mean(unsure) - straddling, 0.0))


def _of_numbers(coded: Coded, y: Array) -> tuple[float, float] | None:
    """Return what is left of the absolute error of the median, the largest tenth of errors aside."""
    left = np.empty(len(y))
    halves = slice(0, None, 2), slice(1, None, 2)
    for taught, judged in (halves, halves[::-1]):
        medians = _medians(coded.codes[taught], y[taught], coded.n)
        guess = medians[coded.codes[judged]]
        usual = np.median(y[taught])
        left[judged] = np.abs(y[judged] - np.where(np.isnan(guess), usual, guess))
    whole = _trimmed(np.abs(y - np.median(y)))
    return (_trimmed(left) / whole, 0.0) if whole > 0 else None


def _medians(codes: Array, y: Array, n: int) -> Array:
    """Return the median of y by code, NaN for a code without rows."""
    order = np.lexsort((y, codes))
    ordered = y[order]
    counts = np.bincount(codes, minlength=n)
    starts = np.cumsum(counts) - counts
    low = np.minimum(starts + np.maximum(counts - 1, 0) // 2, len(y) - 1)
    high = np.minimum(starts + counts // 2, len(y) - 1)
    return np.where(counts > 0, (ordered[low] + ordered[high]) / 2, np.nan)


def _trimmed(errors: Array) -> float:
    kept = np.sort(errors)[: max(int(_TRIMMED * len(errors)), 1)]
    return float(kept.mean())


def _by_presence(
    frame: pl.DataFrame, features: Sequence[Column], y: Array, n_classes: int
) -> Iterator[Suspect]:
    """Suspect what is known, or missing, of one class alone, however few rows: such as a cause of death."""
    totals = np.bincount(y, minlength=n_classes)
    for column in features:
        known = frame[column.name].is_not_null().to_numpy()
        if known.all() or not known.any():
            continue
        for rows, said in ((known, "known"), (~known, "missing")):
            counts = np.bincount(y[rows], minlength=n_classes)
            top = int(counts.argmax())
            n, share = int(counts.sum()), totals[top] / len(y)
            if n * (1 - share) >= _MIN_OTHERS and n - counts[top] <= _PURE * n * (1 - share):
                what = (
                    f"it is {said} in {n} rows, {counts[top] / n:.1%} of them of one class, "
                    f"which has {share:.1%} of all rows"
                )
                evidence = {"n_rows": n, "share_of_one_class": round(float(counts[top] / n), 6)}
                yield Suspect((column.name,), what, evidence)
                break

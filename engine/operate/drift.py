"""How far the rows that are asked are from the training rows, column by column: counted, never kept.

Held against the bundle's `reference.json`. The measure is the population stability index of
`engine.data.quality.shift` (Siddiqi 2006, ch. 6), with a bin for missing values and one for values that no
training row had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import numpy as np
import polars as pl

from engine.data.quality.shift import psi
from engine.runs.drift import below, tenths

Array = np.ndarray
# The first so many columns are counted: each is three series of every scrape.
MAX_COLUMNS = 200
# When so many rows are counted all counts are halved, so that what is told is of the rows of late.
_WINDOW = 20_000
# Of fewer rows the index is mostly chance (see `engine.data.quality.shift.by_chance`).
MIN_ROWS = 500


@dataclass(frozen=True, slots=True)
class Shift:
    """One column of late: its index, and its shares of missing values and of values that training had not."""

    psi: float
    missing: float
    unseen: float


class Drift:
    """Counts of a bundle's features since it serves, older rows weighing less.

    Parameters
    ----------
    reference
        The content of `reference.json`.

    Examples
    --------
    >>> levels = [{"value": "a", "share": 0.5}, {"value": "b", "share": 0.5}]
    >>> profile = {"type": "category", "null_share": 0.0, "levels": levels, "other_share": 0.0}
    >>> drift = Drift({"probabilities": [], "columns": {"x": profile}})
    >>> drift.count(pl.DataFrame({"x": ["a", "a", "a", "b"] * 200}))
    >>> round(drift.shifts()["x"].psi, 4)
    0.2747
    """

    def __init__(self, reference: Mapping[str, object]) -> None:
        steps = np.array(cast("Sequence[float]", reference.get("probabilities") or ()))
        profiles = cast("dict[str, Mapping[str, Any]]", reference.get("columns") or {})
        known = ((name, _bins(profile, steps)) for name, profile in profiles.items())
        self._bins = dict([(name, bins) for name, bins in known if bins is not None][:MAX_COLUMNS])
        self._counts = {name: np.zeros(len(bins.expected)) for name, bins in self._bins.items()}
        self.n_rows = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are counted."""
        return tuple(self._bins)

    def count(self, frame: pl.DataFrame) -> None:
        """Count rows that hold every feature."""
        for name, bins in self._bins.items():
            self._counts[name] += bins.count(frame[name])
        self.n_rows += frame.height
        if self.n_rows > _WINDOW:
            self.n_rows //= 2
            self._counts = {name: counts / 2 for name, counts in self._counts.items()}

    def shifts(self) -> dict[str, Shift]:
        """Return how each column is now; none before there are `MIN_ROWS` rows."""
        if self.n_rows < MIN_ROWS:
            return {}
        return {name: self._shift(bins.expected, self._counts[name]) for name, bins in self._bins.items()}

    def _shift(self, expected: Array, counts: Array) -> Shift:
        shares = counts / counts.sum()
        return Shift(psi(expected, shares), missing=float(shares[-1]), unseen=float(shares[-2]))


class _Levels:
    """A bin for each level; then one for other values, and one for none."""

    def __init__(self, profile: Mapping[str, Any]) -> None:
        levels = profile["levels"]
        self._places = {level["value"]: place for place, level in enumerate(levels)}
        present = [*(level["share"] for level in levels), profile.get("other_share", 0.0)]
        self.expected = _expected(np.array(present), profile)

    def count(self, values: pl.Series) -> Array:
        counts = np.zeros(len(self.expected))
        for value, n in values.alias("value").value_counts(name="n").iter_rows():
            counts[-1 if value is None else self._places.get(value, len(self._places))] += n
        return counts


class _Tenths:
    """A bin for each tenth of the training rows; then one for what lies outside of all, and one for none."""

    def __init__(self, profile: Mapping[str, Any], quantiles: Array, steps: Array) -> None:
        self._type = profile["type"]
        self._low, self._high = quantiles[0], quantiles[-1]
        self._edges = tenths(quantiles, steps)
        present = np.diff(np.concatenate([[0.0], below(quantiles, steps, self._edges), [1.0]]))
        self.expected = _expected(np.append(present, 0.0), profile)

    def count(self, values: pl.Series) -> Array:
        known = values.drop_nulls()
        if known.dtype == pl.String:
            known = known.str.len_chars()
        numbers = known.to_physical().to_numpy().astype(np.float64)
        is_outside = (numbers < self._low) | (numbers > self._high)
        places = np.searchsorted(self._edges, numbers[~is_outside], side="left")
        counts = np.bincount(places, minlength=len(self._edges) + 1)
        return np.array([*counts, is_outside.sum(), values.null_count()], dtype=np.float64)


def _bins(profile: Mapping[str, Any], steps: Array) -> _Levels | _Tenths | None:
    """Return the bins of a column; None where its profile has none, as of personal data."""
    if profile.get("levels"):
        return _Levels(profile)
    quantiles = profile.get("quantiles")
    if not quantiles:
        return None
    return _Tenths(profile, np.array([_number(value) for value in quantiles]), steps)


def _number(value: float | str) -> float:
    """Return a quantile as polars holds it: of a moment the microseconds since 1970."""
    if not isinstance(value, str):
        return float(value)
    return float(np.datetime64(datetime.fromisoformat(value), "us").astype(np.int64))


def _expected(present: Array, profile: Mapping[str, Any]) -> Array:
    missing = float(profile.get("null_share") or 0.0)
    return np.append(present * (1 - missing), missing)

"""How far two sets of rows differ in a column: the population stability index.

PSI = Σ (p - q) ln(p / q) over the shares p and q of some bins; below 0.1 nothing changed, above 0.25 much did
(Siddiqi 2006, Credit Risk Scorecards, ch. 6). A missing value has a bin of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.quality.codes import draw
from engine.data.quality.finding import POPULATION, SHIFT, Finding, Found, Severity
from engine.data.quality.population import ranges_of
from engine.data.schema import Column, Schema
from engine.data.split import Parts

if TYPE_CHECKING:
    Array = np.ndarray
SOME, MUCH = 0.1, 0.25
MAX_ROWS = 100_000
_N_BINS = 10
_MAX_LEVELS = 50
# A bin of nobody counts as this share, or the logarithm has no end.
FLOOR = 1e-4
# The 99.9th percentile of a standard normal: one column in a thousand is named by chance.
_Z = 3.0902
_EVERYONE = 10**12


def psi(expected: Array, actual: Array) -> float:
    """Return the population stability index of two sets of shares.

    Examples
    --------
    >>> round(psi(np.array([0.5, 0.5]), np.array([0.25, 0.75])), 4)
    0.2747
    """
    p, q = np.maximum(expected, FLOOR), np.maximum(actual, FLOOR)
    return float(((q - p) * np.log(q / p)).sum())


def by_chance(n_bins: int, n: int, m: int) -> float:
    """Return what the index exceeds once in a thousand times though nothing changed.

    It goes as χ² of n_bins - 1 degrees times (1/n + 1/m) (Yurdakul 2018); the quantile is that of Wilson and
    Hilferty (1931).

    Examples
    --------
    >>> round(by_chance(10, 1000, 1000), 3)
    0.056
    """
    k = max(n_bins - 1, 1)
    quantile = k * (1 - 2 / (9 * k) + _Z * np.sqrt(2 / (9 * k))) ** 3
    return float(quantile * (1 / max(n, 1) + 1 / max(m, 1)))


def check_shift(frame: pl.DataFrame, schema: Schema, parts: Parts, *, in_time: bool, seed: int) -> Found:
    """Hold each feature of the validation and test rows against the training rows.

    Of each part at most `MAX_ROWS` rows are looked at, drawn by `seed`.

    Parameters
    ----------
    in_time
        Whether the parts follow each other in time: a datetime is then not compared, for it must differ.
    """
    figures: dict[str, dict[str, float]] = {}
    findings = []
    features = [c for c in schema.features if not (in_time and c.storage == "datetime")]
    learnt, validation, test = (
        rows[draw(len(rows), MAX_ROWS, seed=seed)] for rows in (parts.train, parts.validation, parts.test)
    )
    for column in features:
        train = frame[column.name][learnt]
        for part, rows in (("validation", validation), ("test", test)):
            if not len(rows) or not len(train):
                continue
            shares = _shares(train, frame[column.name][rows])
            if shares is None:
                continue
            found = psi(*shares)
            figures.setdefault(f"shift_{part}", {})[column.name] = round(found, 6)
            if found > max(SOME, by_chance(len(shares[0]), len(train), len(rows))):
                findings.append(_shifted(column, part, found))
    return Found(
        findings, {SHIFT: max(figures.get("shift_test", {}).values(), default=float("nan"))}, figures
    )


def _shifted(column: Column, part: str, found: float) -> Finding:
    size = "much" if found > MUCH else "somewhat"
    what = f"'{column.name}' is spread {size} otherwise in the {part} rows than in training (PSI {found:.2f})"
    advice = "ask whether the rows to come are like the training rows; train on later ones if they are not"
    severity: Severity = "warning" if found > MUCH else "note"
    return Finding(SHIFT, severity, (column.name,), what, {"psi": round(found, 6)}, advice)


def _shares(one: pl.Series, other: pl.Series) -> tuple[Array, Array] | None:
    """Return the shares of the bins that `one` makes: its values, or tenths of its rows; and nulls."""
    if one.dtype == pl.Boolean:
        one, other = one.cast(pl.Int8), other.cast(pl.Int8)
    is_number = one.dtype.is_numeric() or one.dtype.is_temporal()
    if not is_number or one.n_unique() <= _N_BINS:
        return _shares_of_levels(one, other)
    known, others = one.drop_nulls().to_physical().to_numpy(), other.drop_nulls().to_physical().to_numpy()
    edges = np.unique(np.quantile(known, np.linspace(0, 1, _N_BINS + 1)[1:-1]))
    bins = len(edges) + 1
    counts = [
        np.append(np.bincount(np.searchsorted(edges, values, side="left"), minlength=bins), n_null)
        for values, n_null in ((known, one.null_count()), (others, other.null_count()))
    ]
    return _smooth(*counts)


def _smooth(one: Array, other: Array) -> tuple[Array, Array]:
    """Return the shares of the bins that anybody has, half a row added to each (Jeffreys 1946).

    Else a bin that chance left empty in a small part would count for more than all others.
    """
    used = (one + other) > 0
    one, other = one[used] + 0.5, other[used] + 0.5
    return one / one.sum(), other / other.sum()


def _shares_of_levels(one: pl.Series, other: pl.Series) -> tuple[Array, Array] | None:
    counts = one.drop_nulls().alias("value").value_counts(name="n")
    counts = counts.sort("n", "value", descending=[True, False]).head(_MAX_LEVELS)
    if counts.height == _MAX_LEVELS and counts["n"].sum() < len(one) / 2:
        return None  # nearly every row has a value of its own
    levels = counts.to_series(0).to_list()
    both = []
    for values in (one, other):
        found = dict(values.drop_nulls().alias("value").value_counts(name="n").iter_rows())
        known = [found.get(level, 0) for level in levels]
        nulls = values.null_count()
        both.append(np.array([*known, nulls, len(values) - nulls - sum(known)]))
    return _smooth(both[0], both[1])


def check_population(
    frame: pl.DataFrame, parts: Parts, population: Mapping[str, Mapping[str, float]] | None
) -> Found:
    """Hold the training rows against the shares that the recipe says the population has."""
    findings: list[Finding] = []
    figures: dict[str, float] = {}
    for name, declared in (population or {}).items():
        values = frame[name][parts.train].drop_nulls()
        shares = np.array(_counts(values, list(declared)), dtype=np.float64)
        shares = np.append(shares, len(values) - shares.sum()) / max(len(values), 1)
        expected = np.array([*declared.values(), max(1 - sum(declared.values()), 0.0)])
        figures[name] = round(psi(expected, shares), 6)
        if figures[name] > max(SOME, by_chance(len(shares), len(values), _EVERYONE)):
            findings.append(_unlike(name, list(declared), expected, shares, figures[name]))
    return Found(findings, {POPULATION: max(figures.values(), default=float("nan"))}, {POPULATION: figures})


def _counts(values: pl.Series, names: Sequence[str]) -> list[int]:
    """Return how many of some values are of each name: a value, or a range of numbers."""
    ranges = ranges_of(names) if values.dtype.is_numeric() else None
    if ranges is not None:
        return [int(((values >= low) & (values < high)).sum()) for low, high in ranges]
    found = dict(values.cast(pl.String).alias("value").value_counts(name="n").iter_rows())
    return [found.get(name, 0) for name in names]


def _unlike(name: str, levels: Sequence[str], expected: Array, shares: Array, found: float) -> Finding:
    at = int(np.abs(shares - expected)[: len(levels)].argmax()) if levels else 0
    what = f"'{name}' is spread otherwise than data.population says (PSI {found:.2f})"
    evidence: dict[str, float | int | str] = {
        "psi": found,
        "furthest": levels[at],
        "its_share": round(float(shares[at]), 6),
        "its_share_in_population": round(float(expected[at]), 6),
    }
    advice = "collect more of who is missing, or weight the rows by a column with role weight"
    severity: Severity = "serious" if found > MUCH else "warning"
    return Finding(POPULATION, severity, (name,), what, evidence, advice)

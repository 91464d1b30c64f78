"""Columns that teach nothing, name the row, are mostly empty, or say what another says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl

from engine.data.profile import ColumnProfile
from engine.data.quality.finding import CONSTANTS, ID_LIKE, NULLS, TWINS, Evidence, Finding, Found
from engine.data.schema import Column
from engine.data.violation import counted

MANY_NULLS = 0.5
# Nearly constant: all but one row in a thousand have one value.
_NEARLY_ALL = 0.999
# An integer that counts the rows leaves few numbers out between its ends.
_DENSE = 1.5
_MIN_ROWS = 100
# The correlation, of values or of ranks, of two columns that say the same but for rounding.
SAME = 0.999
_MAX_COMPARED = 200
_COMPARED_ROWS = 20_000


def check_columns(profiles: Sequence[ColumnProfile], *, n_rows: int) -> Found:
    """Judge each feature by its profile."""
    features = [column for column in profiles if column.role == "feature"]
    findings = [finding for column in features for finding in _judge(column, n_rows)]
    shares = {column.name: column.nulls / n_rows if n_rows else 0.0 for column in features}
    n_by_check = {check: sum(found.check == check for found in findings) for check in (CONSTANTS, ID_LIKE)}
    return Found(
        findings,
        {NULLS: max(shares.values(), default=0.0), **n_by_check},
        {NULLS: {name: share for name, share in shares.items() if share}},
    )


def _judge(column: ColumnProfile, n_rows: int) -> Iterator[Finding]:
    name, distinct = column.name, column.distinct
    if distinct <= 1:
        what = f"'{name}' is constant: it can teach nothing"
        yield Finding(CONSTANTS, "warning", (name,), what, {"distinct": distinct}, "set its role to ignore")
    elif column.top and column.top[0].n >= _NEARLY_ALL * n_rows:
        n = n_rows - column.top[0].n
        what = f"'{name}' has one value in all but {counted(n, 'row')}"
        yield Finding(
            "nearly_constant", "note", (name,), what, {"n_other_rows": n}, "leave it out if nothing needs it"
        )
    elif _names_rows(column, n_rows):
        what = f"'{name}' has another value in every row, like an id (role: id)"
        yield Finding(
            ID_LIKE,
            "warning",
            (name,),
            what,
            {"distinct": distinct, "n_rows": n_rows},
            "give it role id: a model learns rows by heart from it, and nothing for new ones",
        )
    if column.nulls > MANY_NULLS * n_rows:
        share = column.nulls / n_rows
        what = f"'{name}' is null in {share:.0%} of the rows"
        advice = "ask why: if what is missing is missing for a reason, keep it; else set its role to ignore"
        yield Finding(
            NULLS, "warning", (name,), what, {"share": round(share, 6), "n_rows": column.nulls}, advice
        )


def _names_rows(column: ColumnProfile, n_rows: int) -> bool:
    if column.distinct != n_rows:
        return False
    if column.type in {"category", "text"}:
        return True
    low, high = column.min, column.max
    if column.type != "integer" or not isinstance(low, int) or not isinstance(high, int):
        return False
    return n_rows >= _MIN_ROWS and high - low < _DENSE * n_rows


def check_twins(frame: pl.DataFrame, features: Sequence[Column]) -> Found:
    """Find features that say what another says: one value for each of its values, a line, the same order.

    No more than 20,000 rows are compared, from all of the table; what holds for them is said of all.
    """
    looked = frame.gather_every(max(-(-frame.height // _COMPARED_ROWS), 1))
    kept = [column for column in features[:_MAX_COMPARED] if looked[column.name].n_unique() > 1]
    pairs = {**_correlated(looked, kept), **_renamed(looked, kept)}
    order = {column.name: at for at, column in enumerate(features)}
    findings = []
    twins = set()
    for (one, other), (said, evidence) in sorted(
        pairs.items(), key=lambda item: (order[item[0][0]], order[item[0][1]])
    ):
        twins.add(other)
        what = f"'{other}' says what '{one}' says: {said}"
        advice = "one of them is enough; importances are shared between the two"
        findings.append(Finding(TWINS, "note", (one, other), what, evidence, advice))
    return Found(findings, {TWINS: len(twins)})


Pairs = dict[tuple[str, str], tuple[str, Mapping[str, Evidence]]]


def _renamed(frame: pl.DataFrame, columns: Sequence[Column]) -> Pairs:
    """Return the pairs in which each value of one goes with one value of the other, and back."""
    found: Pairs = {}
    codes = {column.name: frame[column.name].rank("dense").fill_null(0).cast(pl.Int64) for column in columns}
    sizes = {name: series.n_unique() for name, series in codes.items()}
    for one, other in combinations(codes, 2):
        # Where nearly every row has another value, any two columns go one with one.
        if sizes[one] != sizes[other] or sizes[one] > frame.height / 2:
            continue
        both = (codes[one] * (sizes[other] + 1) + codes[other]).n_unique()
        if both == sizes[one]:
            found[one, other] = ("one value for each of its values", {"distinct": sizes[one]})
    return found


def _correlated(frame: pl.DataFrame, columns: Sequence[Column]) -> Pairs:
    """Return the pairs whose values lie on a line, else those whose ranks do (Spearman 1904)."""
    names = [c.name for c in columns if c.storage in {"int64", "float64"} and c.type != "category"]
    if len(names) < 2 or frame.height < _MIN_ROWS:  # noqa: PLR2004 (one column has no twin)
        return {}
    values = [_filled(frame[name]) for name in names]
    ranks = [pl.Series(each).rank("average").to_numpy() for each in values]
    lines, orders = _correlations(values), _correlations(ranks)
    found: Pairs = {}
    for i, j in zip(*np.triu_indices(len(names), k=1), strict=True):
        line, order = round(float(lines[i, j]), 6), round(float(orders[i, j]), 6)
        if abs(line) >= SAME:
            found[names[i], names[j]] = (f"their correlation is {line:.4f}", {"correlation": line})
        elif abs(order) >= SAME:
            said = f"the correlation of their ranks is {order:.4f}"
            found[names[i], names[j]] = (said, {"rank_correlation": order})
    return found


def _correlations(columns: Sequence[np.ndarray]) -> np.ndarray:
    """Return Pearson's correlation of each pair, shape (n, n); 0 where a column is constant."""
    table = np.column_stack(columns)
    spread = table.std(axis=0)
    table = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    correlations: np.ndarray = table.T @ table / len(table)
    return correlations


def _filled(values: pl.Series) -> np.ndarray:
    numbers = values.cast(pl.Float64)
    finite = numbers.filter(numbers.is_finite())
    mean = float(finite.to_numpy().mean()) if len(finite) else 0.0
    known = numbers.fill_null(mean).to_numpy()
    return np.where(np.isfinite(known), known, mean)

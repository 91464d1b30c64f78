"""How differently groups of people are decided for: rates a group, and the gaps between groups.

Definitions are those of fairlearn (Bird et al., 2020); decisions are binary, 1 is the selected class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.evaluation.score import finite
from engine.tasks.task import Array, ratio

# A rate of fewer rows says more about chance than about the model.
MIN_GROUP_ROWS = 10
MISSING = "(missing)"
_COMPARABLE = 2

DEMOGRAPHIC_PARITY_RATIO = "demographic_parity_ratio"
DEMOGRAPHIC_PARITY_DIFFERENCE = "demographic_parity_difference"
EQUALIZED_ODDS_RATIO = "equalized_odds_ratio"
EQUALIZED_ODDS_DIFFERENCE = "equalized_odds_difference"
MEANINGS = {
    DEMOGRAPHIC_PARITY_RATIO: "lowest over highest share of a group that is decided positive",
    DEMOGRAPHIC_PARITY_DIFFERENCE: "highest less lowest share of a group that is decided positive",
    EQUALIZED_ODDS_RATIO: "lowest over highest true or false positive rate of a group, the worse",
    EQUALIZED_ODDS_DIFFERENCE: "highest less lowest true or false positive rate of a group, the worse",
}
MEASURES = tuple(MEANINGS)


@dataclass(frozen=True, slots=True)
class Group:
    """One group's rates, each in [0, 1], NaN where it has no row to count; `n` is unweighted rows."""

    name: str
    n: int
    base_rate: float
    selection_rate: float
    true_positive_rate: float
    false_positive_rate: float

    def to_json(self) -> dict[str, object]:
        """Return the group as JSON values."""
        return {
            "name": self.name,
            "n": self.n,
            "base_rate": finite(self.base_rate),
            "selection_rate": finite(self.selection_rate),
            "true_positive_rate": finite(self.true_positive_rate),
            "false_positive_rate": finite(self.false_positive_rate),
        }


@dataclass(frozen=True, slots=True)
class Audit:
    """The groups that some columns make, and how far apart they are.

    Groups below 10 rows are not compared and not named: how many they are, and their rows, is said.
    """

    by: tuple[str, ...]
    groups: tuple[Group, ...]
    n_excluded_groups: int
    n_excluded_rows: int
    measures: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """Return the audit as JSON values; an undefined measure is null."""
        return {
            "by": list(self.by),
            "groups": [group.to_json() for group in self.groups],
            "n_excluded_groups": self.n_excluded_groups,
            "n_excluded_rows": self.n_excluded_rows,
            **{name: finite(value) for name, value in self.measures.items()},
        }


def audit(
    frame: pl.DataFrame, *, by: Sequence[str], y: Array, decisions: Array, weights: Array | None
) -> Audit:
    """Compare how groups are decided for.

    Parameters
    ----------
    frame
        Shape (n, …), with the columns `by`. A null is a group of its own, `(missing)`.
    by
        Columns whose values make the groups; of several, their combinations.
    y
        Shape (n,), 1 where the case is positive, else 0.
    decisions
        Shape (n,), 1 where decided positive, else 0.
    weights
        Shape (n,), or None for equal weights.

    Returns
    -------
    Audit
        A ratio is that of the lowest rate to the highest, a difference that of the highest to the lowest; of
        equalized odds, the worse of true and false positive rates. NaN where fewer than two groups can be
        compared, and for the parity ratio where nobody is selected.

    Notes
    -----
    Two differences from fairlearn, which takes an undefined rate for 0 and 0 / 0 for NaN: a group without
    positives (negatives) takes no part in comparing true (false) positive rates, and true or false positive
    rates that are 0 in all groups count as equal.
    """
    codes, names = _group(frame, by=by)
    n_groups = len(names)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    positive, selected = y == 1, decisions == 1

    def total(rows: Array) -> Array:
        return np.bincount(codes, w * rows, n_groups)

    n = np.bincount(codes, minlength=n_groups)
    positives, negatives = total(positive), total(~positive)
    rates = np.stack(
        [
            ratio(positives, positives + negatives),
            ratio(total(selected), positives + negatives),
            ratio(total(positive & selected), positives),
            ratio(total(~positive & selected), negatives),
        ],
        axis=1,
    )
    large = n >= MIN_GROUP_ROWS
    groups = tuple(Group(names[i], int(n[i]), *map(float, rates[i])) for i in np.flatnonzero(large))
    return Audit(
        by=tuple(by),
        groups=groups,
        n_excluded_groups=int((~large).sum()),
        n_excluded_rows=int(n[~large].sum()),
        measures=_compare(rates[large]),
    )


def _group(frame: pl.DataFrame, *, by: Sequence[str]) -> tuple[Array, list[str]]:
    """Return each row's group, shape (n,), and the groups' names; only groups that occur."""
    columns = [
        frame[name].cast(pl.String).fill_null(MISSING).alias(str(index)) for index, name in enumerate(by)
    ]
    texts = pl.DataFrame(columns)
    keys = [str(index) for index in range(len(by))]
    levels = texts.unique().sort(keys).with_row_index("code")
    codes = texts.join(levels, on=keys, how="left", maintain_order="left")["code"]
    names = [", ".join(row) for row in levels.select(keys).iter_rows()]
    return codes.to_numpy().astype(np.int64), names


def _compare(rates: Array) -> dict[str, float]:
    _, selection, true_positive, false_positive = rates.T
    low, high = _extremes(selection)
    odds = [_extremes(true_positive), _extremes(false_positive)]
    return {
        DEMOGRAPHIC_PARITY_RATIO: float(ratio(low, high)),
        DEMOGRAPHIC_PARITY_DIFFERENCE: high - low,
        # np.min and np.max hand a NaN on; Python's would not.
        EQUALIZED_ODDS_RATIO: float(np.min([ratio(low, high, undefined=1.0) for low, high in odds])),
        EQUALIZED_ODDS_DIFFERENCE: float(np.max([high - low for low, high in odds])),
    }


def _extremes(rates: Array) -> tuple[float, float]:
    defined = rates[~np.isnan(rates)]
    if len(defined) < _COMPARABLE:
        return float("nan"), float("nan")
    return float(defined.min()), float(defined.max())

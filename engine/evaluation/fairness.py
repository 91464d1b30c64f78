"""How differently groups of people are decided for: rates a group, and the gaps between groups.

Definitions are those of fairlearn (Bird et al., 2020); decisions are binary, 1 is the selected class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from engine.evaluation.score import Interval, bounded, draw, finite
from engine.tasks.task import Array, ratio

# A rate of fewer rows says more about chance than about the model.
MIN_GROUP_ROWS = 10
MISSING = "(missing)"
_COMPARABLE = 2

DEMOGRAPHIC_PARITY_RATIO = "demographic_parity_ratio"
DEMOGRAPHIC_PARITY_DIFFERENCE = "demographic_parity_difference"
EQUALIZED_ODDS_RATIO = "equalized_odds_ratio"
EQUALIZED_ODDS_DIFFERENCE = "equalized_odds_difference"
PREDICTIVE_PARITY_RATIO = "predictive_parity_ratio"
PREDICTIVE_PARITY_DIFFERENCE = "predictive_parity_difference"
CALIBRATION_DIFFERENCE = "group_calibration_difference"
MEANINGS = {
    DEMOGRAPHIC_PARITY_RATIO: "lowest over highest share of a group that is decided positive",
    DEMOGRAPHIC_PARITY_DIFFERENCE: "highest less lowest share of a group that is decided positive",
    EQUALIZED_ODDS_RATIO: "lowest over highest true or false positive rate of a group, the worse",
    EQUALIZED_ODDS_DIFFERENCE: "highest less lowest true or false positive rate of a group, the worse",
    PREDICTIVE_PARITY_RATIO: "lowest over highest share of a group's positive decisions that are right",
    PREDICTIVE_PARITY_DIFFERENCE: "highest less lowest share of a group's positive decisions that are right",
    CALIBRATION_DIFFERENCE: "highest less lowest excess of a group's mean probability over its share",
}
MEASURES = tuple(MEANINGS)
# The share of the largest selection rate that each group's is held against: U.S. Uniform Guidelines on
# Employee Selection Procedures (1978), section 4D.
FOUR_FIFTHS = 0.8


@dataclass(frozen=True, slots=True)
class Group:
    """One group's rates, each in [0, 1], NaN where it has no row to count; `n` is unweighted rows.

    `precision` is the share of its positive decisions that are right, `calibration_gap` in [-1, 1] its mean
    probability of the positive class less its share of positive rows.
    """

    name: str
    n: int
    base_rate: float
    selection_rate: float
    true_positive_rate: float
    false_positive_rate: float
    precision: float = float("nan")
    calibration_gap: float = float("nan")

    def to_json(self) -> dict[str, object]:
        """Return the group as JSON values."""
        return {
            "name": self.name,
            "n": self.n,
            "base_rate": finite(self.base_rate),
            "selection_rate": finite(self.selection_rate),
            "true_positive_rate": finite(self.true_positive_rate),
            "false_positive_rate": finite(self.false_positive_rate),
            "precision": finite(self.precision),
            "calibration_gap": finite(self.calibration_gap),
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
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """Return the audit as JSON values; an undefined measure is null."""
        return {
            "by": list(self.by),
            "groups": [group.to_json() for group in self.groups],
            "n_excluded_groups": self.n_excluded_groups,
            "n_excluded_rows": self.n_excluded_rows,
            **{name: finite(value) for name, value in self.measures.items()},
            "intervals": {
                name: {"low": finite(one.low), "high": finite(one.high)}
                for name, one in self.intervals.items()
            },
        }


def audit(
    frame: pl.DataFrame,
    *,
    by: Sequence[str],
    y: Array,
    decisions: Array,
    weights: Array | None,
    probabilities: Array | None = None,
    confidence: float = 0.95,
    n_bootstrap: int = 0,
    seed: int = 0,
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
    probabilities
        Shape (n,), of the positive class; without them nothing is said of calibration.
    confidence, n_bootstrap, seed
        Of the measures' intervals, as `engine.evaluation.score.score` takes them; 0 resamples give none.

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
    codes, names = group_rows(frame, by=by)
    n_groups = len(names)
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    said = np.full(len(y), np.nan) if probabilities is None else np.asarray(probabilities, dtype=np.float64)
    positive, selected = y == 1, decisions == 1

    def rates_of(rows: Array | slice) -> Callable[[Array], Array]:
        return _rates(
            codes[rows], n_groups, positive=positive[rows], selected=selected[rows], said=said[rows]
        )

    n = np.bincount(codes, minlength=n_groups)
    rates, large = rates_of(slice(None))(w), n >= MIN_GROUP_ROWS
    measures, intervals = _compare(rates[large]), {}
    if n_bootstrap and len(y):
        draws = draw(len(y), n_bootstrap=n_bootstrap, seed=seed)
        kept = slice(None) if draws.kept is None else draws.kept
        rates_at, w = rates_of(kept), w[kept]
        centres = _compare(rates_at(w)[large])
        drawn = [_compare(rates_at(w * counts)[large]) for counts in draws.counts]
        intervals = {
            name: bounded(
                value,
                np.array([one[name] for one in drawn]),
                centre=centres[name],
                scale=draws.scale,
                confidence=confidence,
            )
            for name, value in measures.items()
        }
    groups = tuple(Group(names[i], int(n[i]), *map(float, rates[i])) for i in np.flatnonzero(large))
    return Audit(
        by=tuple(by),
        groups=groups,
        n_excluded_groups=int((~large).sum()),
        n_excluded_rows=int(n[~large].sum()),
        measures=measures,
        intervals=intervals,
    )


def group_rows(frame: pl.DataFrame, *, by: Sequence[str]) -> tuple[Array, list[str]]:
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


def _rates(
    codes: Array, n_groups: int, *, positive: Array, selected: Array, said: Array
) -> Callable[[Array], Array]:
    """Return what gives, from weights of shape (n,), the six rates of each group, shape (n_groups, 6)."""

    def rates_at(w: Array) -> Array:
        def total(rows: Array) -> Array:
            return np.bincount(codes, w * rows, n_groups)

        positives, negatives = total(positive), total(~positive)
        hits, chosen, of_all = total(positive & selected), total(selected), positives + negatives
        return np.stack(
            [
                ratio(positives, of_all),
                ratio(chosen, of_all),
                ratio(hits, positives),
                ratio(total(~positive & selected), negatives),
                ratio(hits, chosen),
                ratio(total(said) - positives, of_all),
            ],
            axis=1,
        )

    return rates_at


def _compare(rates: Array) -> dict[str, float]:
    _, selection, true_positive, false_positive, precision, excess = rates.T
    low, high = _extremes(selection)
    odds = [_extremes(true_positive), _extremes(false_positive)]
    return {
        DEMOGRAPHIC_PARITY_RATIO: float(ratio(low, high)),
        DEMOGRAPHIC_PARITY_DIFFERENCE: high - low,
        # np.min and np.max hand a NaN on; Python's would not.
        EQUALIZED_ODDS_RATIO: float(np.min([ratio(low, high, undefined=1.0) for low, high in odds])),
        EQUALIZED_ODDS_DIFFERENCE: float(np.max([high - low for low, high in odds])),
        PREDICTIVE_PARITY_RATIO: float(ratio(*_extremes(precision), undefined=1.0)),
        PREDICTIVE_PARITY_DIFFERENCE: -float(np.subtract(*_extremes(precision))),
        CALIBRATION_DIFFERENCE: -float(np.subtract(*_extremes(excess))),
    }


def _extremes(rates: Array) -> tuple[float, float]:
    defined = rates[~np.isnan(rates)]
    if len(defined) < _COMPARABLE:
        return float("nan"), float("nan")
    return float(defined.min()), float(defined.max())

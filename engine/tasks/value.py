"""Metrics of money: what decisions earn, by what each outcome is worth, for all rows alike or row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.errors import DataError, Message, nearest
from engine.recipe.spec_value import Value, Worth
from engine.tasks import confusion
from engine.tasks.confusion import PER_CASES
from engine.tasks.task import Array, Metric, Scores, metric_from, ratio

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

PROFIT, RETURN = "profit", "return_on_cost"
NEEDS = {
    PROFIT: "'profit' needs goal.value, which says what each outcome is worth",
    RETURN: "'return_on_cost' needs goal.value.action_cost, which says what acting costs",
}
_NUMBERS = ("integer", "number")
# Where each number stands in the statistic: what was earned, what doing nothing would earn, acts, rows.
_EARNED, _IDLE, _ACTS, _ROWS = range(4)


def value_metrics(value: Value) -> tuple[Metric, ...]:
    """Return `profit`, and `return_on_cost` where acting has a cost, for recipes that price outcomes."""
    over = f" over {value.horizon}" if value.horizon else ""
    summaries = {PROFIT: (_profit, f"Profit per {PER_CASES:,} cases, {value.currency}{over}", "")}
    cost = value.action_cost
    if cost:

        def earned_by_cost(sums: Array) -> Array:
            return ratio(sums[..., _EARNED] - sums[..., _IDLE], cost * sums[..., _ACTS])

        title = f"Return on the action's cost{over}"
        summaries[RETURN] = (earned_by_cost, title, "a row is decided positive")
    return tuple(
        metric_from(
            row_sums if value.columns else confusion.margins,
            summary if value.columns else _of_margins(summary, value),
            name=name,
            title=title,
            greater_is_better=True,
            needs=needs,
        )
        for name, (summary, title, needs) in summaries.items()
    )


def profit_metric(value: Value) -> Metric:
    """Return `profit` as a metric."""
    return value_metrics(value)[0]


def profit(y: Array, decisions: Array, weights: Array | None, value: Value) -> float:
    """Return what 1,000 cases are worth when acted on as decided.

    Parameters
    ----------
    y
        Shape (n,), 1 where the case is positive, else 0.
    decisions
        Shape (n,), 1 where decided positive, else 0.
    weights
        Shape (n,), or None for equal weights.
    value
        What each outcome is worth, the same in every row.

    Returns
    -------
    float
        In `value.currency` per 1,000 cases; NaN for no rows.

    Examples
    --------
    >>> import numpy as np
    >>> value = Value(true_positive=50.0, false_positive=-10.0, currency="EUR")
    >>> profit(np.array([1, 0, 0, 1]), np.array([1, 1, 0, 0]), None, value)
    10000.0
    """
    scores = Scores(values=np.empty((len(y), 2)), decisions=decisions)
    return profit_metric(value).compute(y, scores, weights)


def row_worth(value: Value, frame: pl.DataFrame, y: Array) -> Array:
    """Return what each row is worth decided negative and decided positive, shape (n, 2), float64.

    Parameters
    ----------
    value
        What outcomes are worth; the action's cost is taken off where it is decided positive.
    frame
        Shape (n, …), with the columns that `value` names, none of them null.
    y
        Shape (n,), 1 for positive rows.

    Raises
    ------
    DataError
        If a row's worth is not finite.
    """

    def each(outcome: float | Worth) -> Array:
        if isinstance(outcome, Worth):
            return outcome.times * frame[outcome.column].cast(pl.Float64).to_numpy()
        return np.full(len(y), outcome)

    negative = np.where(y == 1, each(value.false_negative), each(value.true_negative))
    positive = np.where(y == 1, each(value.true_positive), each(value.false_positive))
    worth = np.stack([negative, positive - (value.action_cost or 0.0)], axis=1)
    wrong = ~np.isfinite(worth).all(axis=1)
    if wrong.any():
        rows = ", ".join(str(row + 1) for row in np.flatnonzero(wrong)[:3].tolist())
        what = f"{wrong.sum()} rows are worth no finite number (row {rows}), by {', '.join(value.columns)}"
        raise DataError.of(what, key="goal.value")
    return worth


def row_sums(y: Array, scores: Scores, weights: Array | None) -> Callable[[Array], Array]:
    """Prepare the sums of money of rows that are each worth something else.

    Parameters
    ----------
    y
        Not used: `scores.worth` knows what was.
    scores
        Its decisions and its worth are read.
    weights
        Not used: sums are linear in the weights.

    Returns
    -------
    Callable
        `at(w)`, w of shape (n,), gives float64 of shape (4,): earned, earned by doing nothing, acts, rows.
    """
    del y, weights
    if scores.worth is None:
        raise AssertionError("scores of rows that are priced one by one carry their worth: `Scores.priced`")
    acts = np.asarray(scores.decisions) == 1
    idle = scores.worth[:, 0]
    earned = np.where(acts, scores.worth[:, 1], idle)

    def at(w: Array) -> Array:
        return np.array([w @ earned, w @ idle, w @ acts, w.sum()])

    return at


def check_value(spec: Spec) -> Iterator[Message]:
    """Yield what is wrong with the columns that `goal.value` names."""
    value = spec.goal.value
    for outcome in () if value is None else Value.OUTCOMES:
        worth = getattr(value, outcome)
        if not isinstance(worth, Worth):
            continue
        name, key = worth.column, f"goal.value.{outcome}"
        columns = spec.schema_.columns
        allowed = tuple(one for one in columns if not _why_no_worth(one, spec))
        if name not in columns:
            what = f"'{name}' is not a declared column"
            yield Message(what, key, suggestion=nearest(name, allowed), allowed=allowed)
        elif why := _why_no_worth(name, spec):
            yield Message(f"'{name}' {why}", key, allowed=allowed)


def _why_no_worth(name: str, spec: Spec) -> str:
    """Return why a declared column can't say what a row is worth, empty if it can."""
    column = spec.schema_.columns[name]
    if name == spec.schema_.target:
        return "is the target, and says what a row is, not what it is worth"
    if column.role == "ignore":
        return "has role ignore: no value of it is read; role: value reads it for this alone"
    if column.type not in _NUMBERS:
        return f"is of type {column.type}, which is no amount"
    return "may be missing (nullable), and every row must be worth something" if column.nullable else ""


def _profit(sums: Array) -> Array:
    return ratio(PER_CASES * sums[..., _EARNED], sums[..., _ROWS])


def _of_margins(summary: Callable[[Array], Array], value: Value) -> Callable[[Array], Array]:
    """Return a summary of sums of money as one of a binary statistic, where every row is worth the same."""

    def of(m: Array) -> Array:
        # Here, not above: whoever only asks for the names of metrics loads no NumPy.
        worth = row_worth(value, pl.DataFrame(), np.array([0, 1]))
        true_positive = m[..., confusion.HIT, 1]
        decided = m[..., confusion.DECIDED, 1]
        false_positive = decided - true_positive
        negatives, positives = m[..., confusion.TRUE, 0], m[..., confusion.TRUE, 1]
        idle = worth[0, 0] * negatives + worth[1, 0] * positives
        gained = (worth[0, 1] - worth[0, 0]) * false_positive + (worth[1, 1] - worth[1, 0]) * true_positive
        return summary(np.stack([idle + gained, idle, decided, negatives + positives], axis=-1))

    return of

"""The slices of the test rows as `metrics.json` keeps them, and what is to be said of them."""

from __future__ import annotations

from dataclasses import dataclass

from engine.report import scores
from engine.report.record import Json, Record, elements, members, number, text
from engine.report.scores import Score, Scored
from engine.report.words import MISSING, counted, metric

# A page is no place for a dozen columns of numbers.
_MAX_METRICS = 4
_FIRST_AFTER_GOAL = ("profit", "accuracy", "log_loss", "mae")


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: its rows, its scores by metric, and in words what of them can't be told."""

    name: str
    n: int
    scores: dict[str, Score]
    said: str


@dataclass(frozen=True, slots=True)
class Slicing:
    """The slices by some columns, and in a sentence each what is not among them."""

    columns: str
    slices: tuple[Slice, ...]
    left_out: tuple[str, ...]


def read(record: Record) -> tuple[Slicing, ...]:
    """Return every recorded slicing, in the order of the recipe."""
    return tuple(
        Slicing(
            columns=columns,
            slices=tuple(_slice(one) for one in elements(node, "slices")),
            left_out=tuple(_left_out(node)),
        )
        for columns, node in members(record.metrics, "slices").items()
    )


def shown_metrics(record: Record) -> list[Scored]:
    """Return the few metrics that a page shows of each slice: the goal's first."""
    known = scores.read(record)
    goal = scores.headline(record)
    first = [*([goal.name] if goal else []), *_FIRST_AFTER_GOAL]
    rank = {name: place for place, name in reversed(list(enumerate(first)))}
    return sorted(known, key=lambda one: rank.get(one.name, len(first)))[:_MAX_METRICS]


def behind(record: Record, slicing: Slicing) -> str:
    """Say of which slices the goal's metric is worse than of all test rows, as far as intervals tell."""
    goal = scores.headline(record)
    if goal is None or goal.test.value is None or goal.greater_is_better is None:
        return ""
    whole, is_greater = goal.test.value, goal.greater_is_better
    measured = [(one.name, score) for one in slicing.slices if (score := one.scores.get(goal.name))]
    bounded = [(name, score) for name, score in measured if score.low is not None and score.high is not None]
    if not bounded:
        return ""
    worse = [
        f"{name} ({metric(score.value)})"
        for name, score in bounded
        if (is_greater and score.high is not None and score.high < whole)
        or (not is_greater and score.low is not None and score.low > whole)
    ]
    of_all = f"{goal.title} is {metric(whole)} of all test rows"
    many = f"of {counted(len(bounded), 'slice')} with an interval"
    if not worse:
        return f"{of_all}; {many} none lies wholly on the worse side of that."
    verb = "lies" if len(worse) == 1 else "lie"
    told = f"{of_all}; {many} {len(worse)} {verb} wholly on the worse side of that: {', '.join(worse)}"
    level = number(record.recipe, "evaluation", "confidence")
    by_chance = 0.0 if level is None else len(bounded) * (1 - level) / 2
    # Of many looks some show what is not there.
    return told + (f". By chance alone about {by_chance:.0f} would." if round(by_chance) else ".")


def _slice(node: Json) -> Slice:
    found = {
        name: Score(number(one, "value"), number(one, "low"), number(one, "high"))
        for name, one in members(node, "metrics").items()
    }
    return Slice(text(node, "name") or MISSING, int(number(node, "n") or 0), found, text(node, "said") or "")


def _left_out(node: Json) -> list[str]:
    said = []
    if n := number(node, "n_unnamed_slices"):
        rows = counted(number(node, "n_unnamed_rows"), "row")
        said.append(f"Too few rows to say, and not named, as a column is sensitive: {counted(n, 'slice')} of "
                    f"{rows} together.")  # fmt: skip
    if n := number(node, "n_more_slices"):
        rows = counted(number(node, "n_more_rows"), "row")
        said.append(f"Not measured, beyond the largest: {counted(n, 'slice')} of {rows} together.")
    return said

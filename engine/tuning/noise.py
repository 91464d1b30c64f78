"""Whether the rows that scored two trials are enough to tell them apart."""

from __future__ import annotations

from engine.evaluation.paired import compare_models
from engine.evaluation.score import Interval
from engine.tuning.objective import Objective
from engine.tuning.trial import Trial

# So many rows tell most gains from noise, and each resample costs as many steps.
MOST_ROWS = 5000
MOST_RESAMPLES = 200


def is_asked(objective: Objective) -> bool:
    """Tell whether a gain is held against noise: on few rows, of one part, by a recipe that has intervals."""
    spec = objective.spec
    n_rows = objective.lessons[0].judged.n_rows
    return len(objective.lessons) == 1 and n_rows <= MOST_ROWS and spec.evaluation.bootstrap > 0


def gain_of(winner: Trial, other: Trial, *, objective: Objective) -> Interval:
    """Return how much better one trial is than another on the very same rows, with its interval.

    The rows are resampled, and both are measured on each resample: a paired bootstrap (Efron and Tibshirani,
    "An Introduction to the Bootstrap" (1993), chapter 13). That the winner is the best of many is left out,
    so the interval is rather too high.

    Raises
    ------
    EngineError
        If one of them can't be fitted.
    """
    spec, goal = objective.spec, objective.wanted.goal
    first, second = objective.answers(winner), objective.answers(other)
    (found,) = compare_models(
        first.y,
        first.scores,
        [second.scores],
        first.weights,
        metrics={goal.name: goal},
        confidence=spec.evaluation.confidence,
        n_bootstrap=min(spec.evaluation.bootstrap, MOST_RESAMPLES),
        seed=spec.seed,
    )
    higher = found[goal.name].interval
    return higher if goal.greater_is_better else _negated(higher)


def _negated(interval: Interval) -> Interval:
    value, low, high = -interval.value, interval.low, interval.high
    if low is None or high is None:
        return Interval(value, None, None)
    return Interval(value, -high, -low)

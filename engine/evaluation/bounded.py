"""What can be bounded by a gate and is no goal by itself."""

from __future__ import annotations

from engine.errors import Message
from engine.evaluation.fairness import MEASURES
from engine.evaluation.gates import MEASURED_BY_CLOCK, MEASURED_ON_BUNDLE
from engine.evaluation.robustness import FALLS


def not_a_goal(metric: str) -> Message | None:
    """Return what to say of a `goal.metric` that can only be bounded, None for any other name."""
    key, gate = "goal.metric", f"goal.gates={{{metric}: {{max: 5}}}}, which a search keeps to"
    if metric in MEASURED_BY_CLOCK:
        what = (
            f"'{metric}' is told by a clock, on which nothing that is chosen may depend: bound it by a gate"
        )
        return Message(what, key, try_=gate)
    if metric in MEASURED_ON_BUNDLE:
        what = f"'{metric}' says nothing of how good a model is: bound it by a gate"
        return Message(what, key, try_=gate)
    if metric in FALLS:
        what = f"'{metric}' is of disturbed rows, and says nothing of others: bound it by a gate"
        return Message(what, key, try_=f"goal.gates={{{metric}: {{max: 0.05}}}}")
    if metric in MEASURES:
        what = f"'{metric}' is best where all are decided alike, however wrong: bound it by a gate"
        side = "min: 0.8" if metric.endswith("_ratio") else "max: 0.1"
        gate = f"goal.gates={{{metric}: {{by: COLUMN, {side}}}}}, which a search keeps to"
        return Message(what, key, try_=gate)
    return None

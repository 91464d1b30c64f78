"""Why a score that was measured has no value: what the metric needs of the rows, in its own words."""

from __future__ import annotations

from engine.report import scores
from engine.report.record import Record


def undefined(record: Record) -> tuple[str, ...]:
    """Return one sentence for each metric that has no value on some part, or for a baseline.

    A metric that does not say what it needs, of another version or package, is left out.
    """
    metrics = scores.declared(record)
    return tuple(
        f"{scored.title} is not defined unless {metrics[scored.name].needs}."
        for scored in scores.read(record)
        if any(score.value is None for score in (*scored.parts.values(), *scored.baselines.values()))
        and scored.name in metrics
        and metrics[scored.name].needs
    )

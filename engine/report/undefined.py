"""Why a score that was measured has no value: what the metric needs of the rows, in its own words."""

from __future__ import annotations

from engine.report import scores
from engine.report.record import Record
from engine.report.scores import Scored


def undefined(record: Record) -> tuple[str, ...]:
    """Return one sentence for each metric that has no value on some part, or for a baseline.

    A metric that does not say what it needs, of another version or package, is left out.
    """
    metrics = scores.declared(record)
    return tuple(
        f"{scored.title} is not defined unless {metrics[scored.name].needs}{where}."
        for scored in scores.read(record)
        if (where := _where(scored)) is not None and scored.name in metrics and metrics[scored.name].needs
    )


def _where(scored: Scored) -> str | None:
    """Return in words that end a sentence what has no value; None where all have one."""
    without = [f"{part} rows" for part, score in scored.parts.items() if score.value is None]
    without += [f"the {kind} baseline" for kind, score in scored.baselines.items() if score.value is None]
    if not without:
        return None
    return "" if scored.test.value is None else f": no value for {', '.join(without)}"

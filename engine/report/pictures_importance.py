"""The picture of what each column is worth: what the score loses when its values are dealt out anew."""

from __future__ import annotations

import numpy as np

from engine.report import scores, svg
from engine.report.canvas import WIDTH, Figure, Undrawn
from engine.report.record import Record, members, number, text
from engine.report.scores import Score
from engine.report.words import counted, metric, title

_MOST = 14
_TOP, _STEP, _LEFT, _RIGHT = 12.0, 20.0, 130.0, 340.0


def lost_without(record: Record) -> dict[str, Score]:
    """Return what the score loses without each column, largest first; empty where nobody looked."""
    found = {}
    for column in members(record.metrics, "importance", "columns"):
        path = ("importance", "columns", column)
        value, low, high = (number(record.metrics, *path, key) for key in ("value", "low", "high"))
        if value is not None:
            found[column] = Score(value, low, high)
    return found


def measured_on(record: Record) -> tuple[str, str]:
    """Return the title of the metric whose loss was measured, and on how many rows in words."""
    name = text(record.metrics, "importance", "metric") or ""
    known = scores.declared(record).get(name)
    rows = counted(number(record.metrics, "importance", "n_rows"), "test row")
    return (known.title if known else title(name)), rows


def worth_of_columns(record: Record) -> Figure | Undrawn | None:
    """Draw the loss of each column with its interval."""
    found = lost_without(record)
    if not found:
        return None
    name, (measured, rows) = "What the score is made of", measured_on(record)
    shown = dict(list(found.items())[:_MOST])
    known = (end for one in shown.values() for end in (one.value, one.low, one.high) if end is not None)
    scale = svg.Scale(*svg.span(np.array([*known]), zero=True), _LEFT, _RIGHT)
    bottom = _TOP + _STEP * len(shown)
    zero = scale.px(0.0)
    parts = [svg.segment(zero, _TOP - 4, zero, bottom, stroke=svg.RULE)]
    parts += [_bar(column, one, _TOP + _STEP * at, scale) for at, (column, one) in enumerate(shown.items())]
    parts += [
        svg.label(
            scale.px(tick), bottom + 16, svg.tick_label(tick), anchor="middle", fill=svg.QUIET, size_px=11
        )
        for tick in svg.ticks(scale.low, scale.high, about=3)
    ]
    caption = (
        f"Loss in {measured} when a column's values are shuffled among {rows}; the bar is the "
        f"{scores.confidence(record)}. What two columns both tell is lost with neither."
    )
    return Figure(
        name="worth_of_columns",
        title=name,
        caption=caption,
        svg=svg.document(WIDTH, bottom + 26, parts, title=name, description=caption),
        header=("Column", f"Loss in {measured}", scores.confidence(record).capitalize()),
        rows=tuple((column, metric(one.value), one.interval or "none") for column, one in found.items()),
    )


def _bar(column: str, one: Score, y: float, scale: svg.Scale) -> str:
    middle = y + _STEP / 2
    parts = [svg.label(_LEFT - 8, middle + 4, column, anchor="end", limit_px=_LEFT - 14)]
    if one.low is not None and one.high is not None:
        ends = scale.px(one.low), scale.px(one.high)
        parts.append(svg.segment(ends[0], middle, ends[1], middle, stroke=svg.SKY, width=5))
    if one.value is not None:
        parts.append(svg.dot(scale.px(one.value), middle, fill=svg.BLUE, radius=4.5))
    return "".join(parts)

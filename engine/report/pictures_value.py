"""The picture of money: what the test rows would have earned at every threshold."""

from __future__ import annotations

import numpy as np

from engine.report import scores, svg
from engine.report.canvas import (
    FIFTHS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    UNIT,
    WIDTH,
    Figure,
    Undrawn,
    plane,
    threshold_line,
)
from engine.report.outcomes import Classified, is_weighted
from engine.report.record import Record
from engine.report.words import metric, quantity, share
from engine.tasks.confusion import PER_CASES

_GRID = np.linspace(0.0, 1.0, 201)
_IN_TABLE = range(0, 201, 20)


def profit(record: Record, rows: Classified) -> Figure | Undrawn | None:
    """Draw what the test rows are worth at every threshold, where the goal prices outcomes."""
    title, value = "Profit by threshold", scores.worth(record)
    if value is None:
        return None
    if is_weighted(record):
        return Undrawn(title, "Rows have weights, which predictions.parquet does not keep.")
    if rows.worth is None:
        return Undrawn(title, f"predictions.parquet has not kept {', '.join(value.columns)}.")
    order = np.argsort(rows.scores, kind="stable")
    gains = rows.worth[order, 1] - rows.worth[order, 0]
    # Place i: the rows from the i-th lowest up are decided positive.
    gained = np.append(np.cumsum(gains[::-1])[::-1], 0.0)
    first = np.searchsorted(rows.scores[order], _GRID, side="left")
    each = PER_CASES / len(order)
    none, every = (each * float(rows.worth[:, decision].sum()) for decision in (0, 1))
    earned = none + each * gained[first]
    acted = 1 - first / len(order)

    over = f" over {value.horizon}" if value.horizon else ""
    named = f"Profit per {PER_CASES:,} cases, {value.currency}{over}"
    axes = plane(UNIT, svg.span(np.concatenate([earned, [none, every]]), zero=True), top=TOP + 22)
    marks = (("model", svg.BLUE, ""), ("all", svg.ORANGE, "7 3"), ("none", svg.GREEN, "2 2"))
    parts = [
        svg.frame(
            axes, x_title="Threshold", y_title=f"{value.currency} per {PER_CASES:,} cases", x_ticks=FIFTHS
        ),
        svg.key(LEFT, TOP + 4, [(c, dash, text) for text, c, dash in marks], width=RIGHT - LEFT, step=98),
        svg.line(axes, _GRID, earned, stroke=svg.BLUE),
    ]
    for level, (_, colour, dash) in zip((every, none), marks[1:], strict=True):
        y = axes.y.px(level)
        parts.append(svg.segment(LEFT, y, RIGHT, y, stroke=colour, width=1.5, dash=dash))
    if rows.threshold is not None:
        parts.append(threshold_line(axes, rows.threshold))
    best = int(earned.argmax())
    used = "" if rows.threshold is None else f"; the line is the one in use, {metric(rows.threshold)}"
    caption = (
        f"On the test rows the highest profit is {quantity(float(earned[best]))} {value.currency} "
        f"per {PER_CASES:,} cases{over}, at {_GRID[best]:.3f}{used}. Acting on all would earn "
        f"{quantity(every)}, on none {quantity(none)}."
    )
    return Figure(
        name="profit",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Threshold", "Acted on", named),
        rows=tuple(
            (f"{_GRID[k]:.1f}", share(float(acted[k])), quantity(float(earned[k]))) for k in _IN_TABLE
        ),
    )

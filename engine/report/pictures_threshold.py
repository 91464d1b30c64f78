"""The pictures of a decision's threshold: what each one would have meant for the test rows."""

from __future__ import annotations

import numpy as np

from engine.report import curves, svg
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
from engine.report.outcomes import Classified
from engine.report.record import Record
from engine.report.words import metric
from engine.tasks import confusion

Array = np.ndarray

_GRID = np.linspace(0.0, 1.0, 201)
_IN_TABLE = range(0, 201, 20)


def threshold(_record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw precision, recall and F1 over every threshold."""
    title, margins = "Choice of threshold", _margins(rows)
    if not rows.ranking.n_positive:
        return Undrawn(title, "needs test rows of the positive class.")
    # Where nothing is decided positive, precision is a convention, not something to draw.
    n_decided = np.add(*curves.counts_at(rows.ranking, _GRID))
    drawn = (
        ("Precision", np.where(n_decided > 0, confusion.precision(margins), np.nan), svg.BLUE, ""),
        ("Recall", confusion.recall(margins), svg.VERMILLION, "7 3"),
        ("F1", confusion.f1(margins), svg.GREEN, "2 2"),
    )
    axes = plane(UNIT, UNIT, top=TOP + 22)
    parts = [
        svg.frame(axes, x_title="Threshold", y_title="Score", x_ticks=FIFTHS),
        svg.key(LEFT, TOP + 4, [(c, dash, name) for name, _, c, dash in drawn], width=RIGHT - LEFT, step=98),
    ]
    parts += [svg.line(axes, _GRID, ys, stroke=colour, dash=dash) for _, ys, colour, dash in drawn]
    if rows.threshold is not None:
        parts.append(threshold_line(axes, rows.threshold))
    caption = f"Precision, recall and F1 on the test rows for every threshold{_in_use(rows)}."
    return Figure(
        name="threshold",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Threshold", *(name for name, _, _, _ in drawn)),
        rows=tuple((f"{_GRID[k]:.1f}", *(metric(float(ys[k])) for _, ys, _, _ in drawn)) for k in _IN_TABLE),
    )


def _margins(rows: Classified) -> Array:
    """Return the binary statistic at every threshold of the grid."""
    true_positive, false_positive = curves.counts_at(rows.ranking, _GRID)
    return confusion.binary_margins(
        true_positive=true_positive,
        false_positive=false_positive,
        positives=np.full(_GRID.size, rows.ranking.n_positive),
        negatives=np.full(_GRID.size, rows.ranking.n_negative),
    )


def _in_use(rows: Classified) -> str:
    return "" if rows.threshold is None else f"; the line is the one in use, {metric(rows.threshold)}"

"""The pictures of any number of classes: the confusion matrix, and a curve a class."""

from __future__ import annotations

import numpy as np

from engine.report import curves, svg
from engine.report.canvas import FIFTHS, HEIGHT, LEFT, RIGHT, TOP, UNIT, WIDTH, Figure, Undrawn, plane
from engine.report.outcomes import Classified
from engine.report.record import Record, number
from engine.report.words import metric, share, width

Array = np.ndarray

MOST_DRAWN = 11
MOST_CURVES = 6
_FEW = 8
# Sides of a cell, in pixels, from which a count is written larger, and with its share below.
_ROOMY, _LARGE = 40, 56
_SMALLEST_PX = 7.5
_FULL = (0, 84, 140)
_WHITE_FROM = 0.77


def confusion(_record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw how many rows of each class were decided as which."""
    title = "Confusion matrix"
    counts = curves.confusion(rows.actual, rows.decided, n_classes=len(rows.classes))
    names, shown = _folded(rows.classes, counts)
    right = int(np.trace(counts))
    caption = (
        f"{right:,} of {int(counts.sum()):,} test rows ({share(right / counts.sum())}) are decided rightly; "
        "darker cells hold a larger share of their row"
        + (
            f", and only the {MOST_DRAWN} most frequent classes stand alone."
            if len(names) < len(rows.classes)
            else "."
        )
    )
    drawing, height = _matrix(names, shown)
    return Figure(
        name="confusion",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, height, drawing, title=title, description=caption),
        header=("Class", "Rows", "Decided so", "Rightly", "Precision", "Recall", "Most often taken for"),
        rows=tuple(_class_row(rows.classes, counts, index) for index in range(len(rows.classes))),
    )


def _class_row(classes: tuple[str, ...], counts: Array, index: int) -> tuple[str, ...]:
    was, decided, right = int(counts[index].sum()), int(counts[:, index].sum()), int(counts[index, index])
    others = counts[index].copy()
    others[index] = 0
    mistaken = int(others.argmax())
    return (
        classes[index],
        f"{was:,}",
        f"{decided:,}",
        f"{right:,}",
        metric(right / decided if decided else None),
        metric(right / was if was else None),
        f"{classes[mistaken]} ({others[mistaken]:,})" if others[mistaken] else "none",
    )


def _folded(classes: tuple[str, ...], counts: Array) -> tuple[tuple[str, ...], Array]:
    """Keep the most frequent classes and add up the others, so that a cell stays large enough to read."""
    if len(classes) <= MOST_DRAWN + 1:
        return classes, counts
    frequent = np.sort(np.argsort(-counts.sum(axis=1), kind="stable")[:MOST_DRAWN])
    place = np.full(len(classes), MOST_DRAWN)
    place[frequent] = np.arange(MOST_DRAWN)
    folded = np.zeros((MOST_DRAWN + 1, MOST_DRAWN + 1), dtype=np.int64)
    np.add.at(folded, (place[:, None], place[None, :]), counts)
    others = len(classes) - MOST_DRAWN
    return (*(classes[index] for index in frequent), f"{others} others"), folded


def _matrix(names: tuple[str, ...], counts: Array) -> tuple[list[str], float]:
    k, size_px = len(names), 12.0 if len(names) <= _FEW else 10.0
    longest = min(max(width(name, size_px) for name in names), 84.0)
    cell = min((RIGHT - 34 - longest) / k, 72.0)
    left, top = (34 + longest + RIGHT - cell * k) / 2, TOP + 4
    end = top + cell * k
    turned = max(width(name, size_px) for name in names) > cell - 4
    of_row = np.nan_to_num(curves.divided(counts, counts.sum(axis=1, keepdims=True)))
    parts = []
    for i, name in enumerate(names):
        y, x = top + (i + 0.5) * cell, left + (i + 0.5) * cell
        parts.append(svg.label(left - 8, y + 4, name, anchor="end", size_px=size_px, limit_px=longest))
        parts.append(
            svg.turned_label(x + 4, end + 8, name, anchor="end", size_px=size_px, limit_px=longest)
            if turned
            else svg.label(x, end + 17, name, anchor="middle", size_px=size_px)
        )
        for j, other in enumerate(names):
            hint = f"{name} decided as {other}: {counts[i, j]:,}"
            share_of_row = float(of_row[i, j])
            parts.append(
                _cell(left + j * cell, top + i * cell, cell, int(counts[i, j]), share_of_row, hint=hint)
            )
    below = end + (longest + 16 if turned else 24)
    parts.append(svg.label(left + cell * k / 2, below + 14, "Decided", anchor="middle", fill=svg.QUIET))
    parts.append(
        svg.turned_label(left - longest - 18, (top + end) / 2, "Actual", anchor="middle", fill=svg.QUIET)
    )
    return parts, below + 24


def cell_colours(portion: float) -> tuple[str, str]:
    """Return the colour of a cell that holds `portion` of its row, and that of the text on it.

    The pair keeps a contrast of 4.5 at every portion (WCAG 2.1, criterion 1.4.3).
    """
    # Mixed by hand with white: an opaque colour is what contrast of the text can be told from.
    fill = "#" + "".join(f"{round(255 + (channel - 255) * portion):02x}" for channel in _FULL)
    return fill, "#ffffff" if portion > _WHITE_FROM else "#000000"


def _cell(x: float, y: float, side: float, count: int, portion: float, *, hint: str) -> str:
    fill, ink = cell_colours(portion)
    box = svg.rectangle(x, y, side - 1, side - 1, fill=fill if count else "#f3f5f7", hint=hint)
    written = f"{count:,}" if side > _ROOMY else str(count)
    size_px = min(13.0 if side > _ROOMY else 10.0, (side - 1) / width(written, 1.0))
    if not count or size_px < _SMALLEST_PX:
        return box
    middle = x + (side - 1) / 2
    if side <= _LARGE:
        return box + svg.label(middle, y + side / 2 + 4, written, anchor="middle", fill=ink, size_px=size_px)
    return (
        box
        + svg.label(middle, y + side / 2, written, anchor="middle", fill=ink, size_px=size_px, bold=True)
        + svg.label(middle, y + side / 2 + 16, share(portion), anchor="middle", fill=ink, size_px=11)
    )


def roc_by_class(record: Record, rows: Classified) -> Figure | Undrawn:
    """Draw a receiver operating characteristic for each of the most frequent classes against all others."""
    title = "ROC curve of each class"
    sizes = np.bincount(rows.actual, minlength=len(rows.classes))
    both = [k for k in np.argsort(-sizes, kind="stable") if 0 < sizes[k] < rows.actual.size]
    if not both:
        return Undrawn(title, "needs test rows of more than one class.")
    axes = plane(UNIT, UNIT)
    parts = [
        svg.frame(axes, x_title="False positive rate", y_title="True positive rate", x_ticks=FIFTHS),
        svg.segment(LEFT, axes.y.start, RIGHT, TOP, stroke=svg.RULE, dash="4 4"),
    ]
    entries, table = [], []
    for colour, index in zip(svg.PALETTE, both[:MOST_CURVES], strict=False):
        false_rate, true_rate = curves.roc(curves.rank(rows.actual == index, rows.probabilities[:, index]))
        area = float(np.trapezoid(true_rate, false_rate))
        xs, ys = curves.thinned(false_rate, true_rate, most=300)
        parts.append(svg.line(axes, xs, ys, stroke=colour))
        entries.append((colour, rows.classes[index]))
        table.append((rows.classes[index], f"{sizes[index]:,}", metric(area)))
    depth = axes.y.start - 17 * len(entries) + 6
    parts.append(
        svg.rectangle(RIGHT - 140, depth - 18, 136, 17 * len(entries) + 10, fill="#ffffff", opacity=0.85)
    )
    parts.append(svg.legend(RIGHT - 134, depth, entries, limit_px=126))
    macro = number(record.metrics, "test", "roc_auc", "value")
    some = f"the {MOST_CURVES} most frequent classes" if len(both) > MOST_CURVES else "each class"
    caption = f"How well the probability of {some} sets its rows apart from all others" + (
        f"; the recorded ROC AUC over all classes is {metric(macro)}." if macro is not None else "."
    )
    return Figure(
        name="roc",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Class", "Rows", "Area, this class against the others"),
        rows=tuple(table),
    )

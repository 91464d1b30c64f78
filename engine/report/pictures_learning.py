"""The picture of learning: the score on test rows of models that learnt from fewer rows."""

from __future__ import annotations

import numpy as np

from engine.report import scores, svg
from engine.report.canvas import HEIGHT, WIDTH, Figure, Undrawn, plane
from engine.report.record import Json, Record, elements, number, text
from engine.report.words import metric, quantity, share, title


def learning_curve(record: Record) -> Figure | Undrawn | None:
    """Draw the score over the number of training rows, where a recipe asks for it."""
    points = elements(record.metrics, "learning_curve", "points")
    if not points:
        return None
    name = text(record.metrics, "learning_curve", "metric") or ""
    known = scores.declared(record).get(name)
    called, headline = (known.title if known else title(name)), "Learning curve"
    columns = {
        key: np.array([number(point, key) for point in points], np.float64)
        for key in ("n_train_rows", "value", "low", "high")
    }
    rows, value = columns["n_train_rows"], columns["value"]
    drawn = np.isfinite(value)
    if drawn.sum() <= 1:
        return Undrawn(headline, "no model could be fitted on fewer rows.")
    ends = np.concatenate([value, columns["low"], columns["high"]])
    axes = plane((0.0, float(rows.max()) * 1.04), svg.span(ends))
    parts = [svg.frame(axes, x_title="Training rows", y_title=called)]
    for x, low, high in zip(rows, columns["low"], columns["high"], strict=True):
        if np.isfinite(low) and np.isfinite(high):
            at = axes.x.px(float(x))
            parts.append(
                svg.segment(at, axes.y.px(float(low)), at, axes.y.px(float(high)), stroke=svg.SKY, width=4)
            )
    parts.append(svg.line(axes, rows[drawn], value[drawn], stroke=svg.BLUE))
    for x, y in zip(rows[drawn], value[drawn], strict=True):
        parts.append(svg.dot(axes.x.px(float(x)), axes.y.px(float(y)), fill=svg.BLUE))
    said = text(record.metrics, "learning_curve", "said") or ""
    caption = f"{called} on the same test rows; bars are {scores.confidence(record)}s. {said}"
    return Figure(
        name="learning_curve",
        title=headline,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=headline, description=caption),
        header=("Training rows", "Share", called, "Interval"),
        rows=tuple(_row(point) for point in points),
    )


def _row(point: Json) -> tuple[str, str, str, str]:
    low, high = (number(point, key) for key in ("low", "high"))
    interval = text(point, "said") or "none"
    if low is not None and high is not None:
        interval = f"{metric(low)} to {metric(high)}"
    return (
        quantity(number(point, "n_train_rows")),
        share(number(point, "share")),
        metric(number(point, "value")),
        interval,
    )

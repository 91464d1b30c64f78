"""The pictures of a regression."""

from __future__ import annotations

import numpy as np

from engine.report import outcomes, svg
from engine.report.canvas import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Figure, Undrawn, plane
from engine.report.outcomes import Measured
from engine.report.record import Record, text
from engine.report.words import metric, quantity, share

Array = np.ndarray

_MOST_POINTS = 500
_CELLS = (48, 42)
_SHADES = ("#cfe3f1", "#9fc8e3", "#5ea5d0", "#2583bb", "#0b5f94", "#073f63")
_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


def predicted_against_actual(record: Record, rows: Measured) -> Figure | Undrawn:
    """Draw what was predicted over what was, with the line of a perfect answer."""
    title = "Predicted against actual"
    ends = svg.span(np.concatenate([rows.actual, rows.predicted]))
    axes = plane(ends, ends, top=_top(rows))
    unit = _unit(record, rows.target)
    parts = [
        svg.frame(axes, x_title=f"Actual {rows.target}{unit}", y_title=f"Predicted {rows.target}{unit}"),
        *_cloud(axes, rows.actual, rows.predicted),
        svg.segment(LEFT, axes.y.start, RIGHT, axes.y.end, stroke=svg.VERMILLION, width=1.5, dash="6 3"),
    ]
    explained = outcomes.recorded(record, "r2")
    caption = f"Each of {rows.actual.size:,} test rows; on the dashed line prediction and truth agree" + (
        f" (R² {metric(explained)})." if explained is not None else "."
    )
    edges = np.unique(np.quantile(rows.actual, np.linspace(0, 1, 11)))
    group = np.clip(np.searchsorted(edges, rows.actual, side="right") - 1, 0, max(edges.size - 2, 0))
    return Figure(
        name="predicted_actual",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Actual", "Rows", "Mean actual", "Mean predicted", "Mean absolute error"),
        # Between edges that lie between few values no row may be.
        rows=tuple(_tenth(rows, edges, group == k, k) for k in np.unique(group).tolist()),
    )


def _tenth(rows: Measured, edges: Array, member: Array, index: int) -> tuple[str, ...]:
    actual, predicted = rows.actual[member], rows.predicted[member]
    high = edges[min(index + 1, edges.size - 1)]
    return (
        f"{quantity(float(edges[index]))} to {quantity(float(high))}",
        f"{actual.size:,}",
        quantity(float(actual.mean())),
        quantity(float(predicted.mean())),
        quantity(float(np.abs(predicted - actual).mean())),
    )


def residuals(record: Record, rows: Measured) -> Figure | Undrawn:
    """Draw the errors over the predictions: a slope or a funnel says what the model does not know."""
    title, errors = "Residuals over predictions", rows.predicted - rows.actual
    axes = plane(svg.span(rows.predicted), svg.span(errors, zero=True), top=_top(rows))
    unit = _unit(record, rows.target)
    zero = axes.y.px(0.0)
    parts = [
        svg.frame(axes, x_title=f"Predicted {rows.target}{unit}", y_title="Predicted minus actual"),
        *_cloud(axes, rows.predicted, errors),
        svg.segment(LEFT, zero, RIGHT, zero, stroke=svg.VERMILLION, width=1.5, dash="6 3"),
    ]
    high = float((errors > 0).mean())
    caption = (
        f"Predictions are too high for {share(high)} of the test rows; "
        f"the mean of predicted minus actual is {quantity(float(errors.mean()))}."
    )
    return Figure(
        name="residuals",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Share of rows below", "Predicted minus actual"),
        rows=tuple((share(q), quantity(float(np.quantile(errors, q)))) for q in _QUANTILES),
    )


def residual_histogram(record: Record, rows: Measured) -> Figure | Undrawn:
    """Draw how the errors are spread."""
    title, errors = "Spread of the errors", rows.predicted - rows.actual
    low, high = np.quantile(errors, [0.005, 0.995])
    low, high = svg.span(np.array([low, high]), margin=0.02)
    counts, edges = np.histogram(errors, bins=40, range=(low, high))
    axes = plane((low, high), (0.0, float(max(counts.max(), 1)) * 1.08))
    parts = [
        svg.frame(axes, x_title=f"Predicted minus actual{_unit(record, rows.target)}", y_title="Test rows"),
        svg.bars(axes, edges, counts, fill=svg.BLUE, opacity=0.75),
    ]
    if low <= 0 <= high:
        x = axes.x.px(0.0)
        parts.append(svg.segment(x, axes.y.start, x, TOP, stroke=svg.VERMILLION, width=1.5, dash="6 3"))
    outside = int(errors.size - counts.sum())
    lie = "1 row lies" if outside == 1 else f"{outside:,} rows lie"
    size = np.abs(errors)
    caption = (
        f"Half of the test rows are off by at most {quantity(float(np.median(size)))}, "
        f"nine in ten by at most {quantity(float(np.quantile(size, 0.9)))}"
        + (f"; {lie} outside the picture." if outside else ".")
    )
    bins = zip(edges[:-1], edges[1:], counts, strict=True)
    return Figure(
        name="residual_histogram",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=("Predicted minus actual", "Rows"),
        rows=tuple(
            (f"{quantity(float(a))} to {quantity(float(b))}", f"{count:,}") for a, b, count in bins if count
        ),
    )


def _unit(record: Record, target: str) -> str:
    units = text(record.recipe, "schema", "columns", target, "units")
    return f", {units}" if units else ""


def _top(rows: Measured) -> float:
    """Return where the plane begins: lower where a key to the shades stands above it."""
    return TOP if rows.actual.size <= _MOST_POINTS else TOP + 16


def _cloud(axes: svg.Axes, xs: Array, ys: Array) -> list[str]:
    """Draw few rows as points, many as cells shaded by how many they hold: every row counts in both."""
    if xs.size <= _MOST_POINTS:
        marks = "".join(
            f"M{svg.n(x - 2)} {svg.n(y)}a2 2 0 1 0 4 0a2 2 0 1 0-4 0z"
            for x, y in zip(axes.x(xs), axes.y(ys), strict=True)
        )
        return [f'<path d="{marks}" fill="{svg.BLUE}" fill-opacity="0.55"/>']
    ranges = ((axes.x.low, axes.x.high), (axes.y.low, axes.y.high))
    counts, _, _ = np.histogram2d(xs, ys, bins=_CELLS, range=ranges)
    most = counts.max()
    # Logarithmic shades: a dense core must not hide that there are outliers.
    shade = np.minimum(np.log1p(counts) / np.log1p(most) * len(_SHADES), len(_SHADES) - 1).astype(np.int64)
    wide, high = (RIGHT - LEFT) / _CELLS[0], (axes.y.start - axes.y.end) / _CELLS[1]
    parts = []
    for level, colour in enumerate(_SHADES):
        cells = np.argwhere((counts > 0) & (shade == level))
        box = f"h{svg.n(wide)}v{svg.n(high)}h{svg.n(-wide)}z"
        corners = ((LEFT + i * wide, axes.y.start - (j + 1) * high) for i, j in cells)
        path = "".join(f"M{svg.n(x)} {svg.n(y)}{box}" for x, y in corners)
        if path:
            parts.append(f'<path d="{path}" fill="{colour}"/>')
    parts.append(_shade_key(axes, int(most)))
    return parts


def _shade_key(axes: svg.Axes, most: int) -> str:
    x, y = LEFT, axes.y.end - 20
    boxes = "".join(svg.rectangle(x + 12 * k, y, 12, 9, fill=c) for k, c in enumerate(_SHADES))
    return boxes + svg.label(
        x + 12 * len(_SHADES) + 6, y + 9, f"1 to {most:,} rows", fill=svg.QUIET, size_px=11
    )

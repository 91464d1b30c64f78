"""The pictures of why the model answers so: what columns add, over many rows and for single ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from engine.report import marks, svg
from engine.report.canvas import HEIGHT, WIDTH, Figure, plane
from engine.report.record import Json, Record, elements, members, number, plain, text
from engine.report.words import counted, metric, quantity

Array = np.ndarray

_TOP, _STEP, _LEFT, _RIGHT = 12.0, 24.0, 130.0, 344.0
_DEPENDENT = 3
# From a low value of a column to a high one; grey where values have no order or are not known.
_SHADES = (svg.BLUE, svg.SKY, svg.ORANGE, svg.VERMILLION)
_GREY = svg.RULE
# Dots of one line are spread by the golden ratio, which leaves no stripes and draws nothing at random.
_GOLDEN = 0.618034
_FEW = 40
_SAID_OF_CLASSES = "probability of "
_FEW_VALUES = 10


def draw(record: Record) -> tuple[Figure, ...]:
    """Draw what was recorded of explanations, in the order to show it; nothing where nobody looked."""
    if not members(record.metrics, "explanations"):
        return ()
    points = members(record.metrics, "explanations", "points")
    many = [_columns(record, points)] if points else []
    some = [
        _adds(record, name, points[name], place + 1) for place, name in enumerate(list(points)[:_DEPENDENT])
    ]
    curves = elements(record.metrics, "explanations", "dependence", "curves")
    depends = [_depends(record, curve, place + 1) for place, curve in enumerate(curves)]
    rows = elements(record.metrics, "explanations", "rows")
    single = [_row(record, row, place + 1) for place, row in enumerate(rows)]
    return tuple(figure for figure in (*many, *some, *depends, *single) if figure is not None)


def _unit(record: Record) -> str:
    return text(record.metrics, "explanations", "unit") or ""


def _columns(record: Record, points: dict[str, Json]) -> Figure:
    """Draw a line of dots for each of the columns that add most."""
    unit, title = _unit(record), "What each column adds"
    adds = {name: _numbers(elements(one, "adds")) for name, one in points.items()}
    scale = svg.Scale(*svg.span(np.concatenate(list(adds.values())), zero=True), _LEFT, _RIGHT)
    bottom, zero = _TOP + _STEP * len(points), scale.px(0.0)
    parts = [svg.segment(zero, _TOP - 4, zero, bottom, stroke=svg.RULE)]
    for place, (name, one) in enumerate(points.items()):
        middle = _TOP + _STEP * (place + 0.5)
        parts.append(svg.label(_LEFT - 8, middle + 4, name, anchor="end", limit_px=_LEFT - 14))
        parts += _strip(scale(adds[name]), middle, _numbers(elements(one, "ranks")))
    parts += _ticks(scale, bottom)
    parts.append(svg.centred((_LEFT + _RIGHT) / 2, bottom + 34, unit, end=WIDTH - 4, limit_px=WIDTH - 8))
    ends = [(_SHADES[0], "low value"), (_SHADES[-1], "high value"), (_GREY, "no order, or missing")]
    for place, (shade, said) in enumerate(ends):
        x = 14 + 112 * place
        parts.append(svg.dot(x, bottom + 50, fill=shade))
        parts.append(svg.label(x + 9, bottom + 54, said, fill=svg.QUIET, size_px=11))
    n_drawn = max((len(one) for one in adds.values()), default=0)
    drawn = "" if n_drawn == number(record.metrics, "explanations", "n_test_rows") else " drawn at random"
    caption = (
        f"A dot is one of {counted(n_drawn, 'test row')}{drawn}: how far a column moves the model's "
        f"own sum, {unit}, from its mean; {_how(record)}."
    )
    means = members(record.metrics, "explanations", "columns")
    return Figure(
        name="explained_columns",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, bottom + 64, parts, title=title, description=caption),
        header=("Column", f"Mean of what it adds, without sign ({unit})"),
        rows=tuple((name, metric(number(means, name))) for name in means),
    )


def _how(record: Record) -> str:
    known = text(record.metrics, "explanations", "method")
    return "exact Shapley values" if known == "exact" else "Shapley values, sampled by asking the model"


def _strip(xs: Array, middle: float, ranks: Array) -> list[str]:
    spread = (np.arange(len(xs)) * _GOLDEN) % 1.0 - 0.5
    ys = middle + spread * (_STEP - 8)
    known = np.full(len(xs), np.nan)
    known[: len(ranks)] = ranks[: len(xs)]
    shade = np.where(np.isnan(known), -1, np.clip(known * len(_SHADES), 0, len(_SHADES) - 1))
    shade = shade.astype(np.int64)
    fills = {-1: _GREY, **dict(enumerate(_SHADES))}
    return [
        marks.circles(xs[shade == place], ys[shade == place], fill=fill, radius=1.7)
        for place, fill in fills.items()
    ]


def _ticks(scale: svg.Scale, bottom: float) -> list[str]:
    return [
        svg.label(
            scale.px(tick), bottom + 16, svg.tick_label(tick), anchor="middle", fill=svg.QUIET, size_px=11
        )
        for tick in svg.ticks(scale.low, scale.high, about=3)
    ]


def _adds(record: Record, name: str, one: Json, place: int) -> Figure | None:
    """Draw what a column adds over its own value, where that may be shown."""
    values, adds, unit = elements(one, "values"), _numbers(elements(one, "adds")), _unit(record)
    kept = [at for at, value in enumerate(values) if value is not None]
    if not kept:
        return None
    title, ys = f"What {name} adds by its value", adds[kept]
    xs, said, levels = _places([values[at] for at in kept])
    axes = plane(svg.span(xs), svg.span(ys, zero=True))
    zero = axes.y.px(0.0)
    parts = [
        _frame(axes, x_title=name, y_title=f"Adds to {unit}", said=said, levels=levels),
        svg.segment(axes.x.start, zero, axes.x.end, zero, stroke=svg.RULE),
    ]
    wide = (np.arange(len(xs)) * _GOLDEN % 1.0 - 0.5) * 0.5 if levels else np.zeros(len(xs))
    parts.append(marks.circles(axes.x(xs + wide), axes.y(ys), fill=svg.BLUE, radius=2))
    caption = f"Each of {counted(len(kept), 'test row')} where {name} is known: its value, and what it adds."
    return Figure(
        name=f"adds_{place}",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=(name, "Rows", "Mean of what it adds"),
        rows=_grouped(xs, ys, said, levels),
    )


def _grouped(
    xs: Array, ys: Array, said: Callable[[float], str], levels: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Return the numbers behind a cloud: by level or value, or by fifths where there are many values."""
    if levels:
        return tuple(_behind(level, ys[xs == at]) for at, level in enumerate(levels))
    values = np.unique(xs)
    if len(values) <= _FEW_VALUES:
        return tuple(_behind(said(value), ys[xs == value]) for value in values.tolist())
    edges = np.unique(np.quantile(xs, np.linspace(0, 1, 6)))
    group = np.clip(np.searchsorted(edges, xs, side="right") - 1, 0, max(len(edges) - 2, 0))
    last = len(edges) - 1
    return tuple(
        _behind(f"{said(edges[at])} to {said(edges[min(at + 1, last)])}", ys[group == at])
        for at in np.unique(group).tolist()
    )


def _behind(said: str, adds: Array) -> tuple[str, ...]:
    return said, f"{adds.size:,}", metric(float(adds.mean()))


def _depends(record: Record, curve: Json, place: int) -> Figure | None:
    """Draw the mean answer, and the band of the rows' own, as a column takes one value after the other."""
    name, of = text(curve, "column") or "", text(record.metrics, "explanations", "dependence", "of") or ""
    xs, said, levels = _places(elements(curve, "values"))
    mean, low, high = (_numbers(elements(curve, key)) for key in ("mean", "low", "high"))
    if not len(mean) == len(low) == len(high) == len(xs):
        return None
    axes = plane(svg.span(xs), svg.span(np.concatenate([mean, low, high])))
    parts = [_frame(axes, x_title=name, y_title=opened(of), said=said, levels=levels)]
    if levels:
        for x, y, start, end in zip(axes.x(xs), axes.y(mean), axes.y(low), axes.y(high), strict=True):
            parts.append(svg.segment(x, start, x, end, stroke=svg.SKY, width=5))
            parts.append(svg.dot(x, y, fill=svg.BLUE))
    else:
        band = [
            *zip(axes.x(xs), axes.y(high), strict=True),
            *zip(axes.x(xs)[::-1], axes.y(low)[::-1], strict=True),
        ]
        path = "M" + "L".join(f"{svg.n(x)} {svg.n(y)}" for x, y in band)
        parts.append(f'<path d="{path}z" fill="{svg.SKY}" fill-opacity="0.35"/>')
        parts.append(svg.line(axes, xs, mean, stroke=svg.BLUE))
    title = f"What the answer depends on: {name}"
    n_rows = counted(number(record.metrics, "explanations", "dependence", "n_rows"), "test row")
    caption = (
        f"Mean {of} as {name} is set to each value for {n_rows}, all else as it is; the band holds the "
        "middle 80% of the rows. What goes with a value in life stays behind."
    )
    shown = levels or [said(x) for x in xs]
    return Figure(
        name=f"depends_{place}",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, HEIGHT, parts, title=title, description=caption),
        header=(name, f"Mean {of}", "10% of rows below", "90% of rows below"),
        rows=tuple((value, *map(metric, ends)) for value, *ends in zip(shown, mean, low, high, strict=True)),
    )


def _row(record: Record, row: Json, place: int) -> Figure:
    """Draw what the columns of one row add, the largest first."""
    unit, which = _unit(record), text(row, "which") or ""
    told = [
        (f"{text(one, 'column')} = {_short(one)}", number(one, "adds") or 0.0)
        for one in elements(row, "added")
    ]
    n_others = number(row, "n_others") or 0
    if n_others:
        told.append((f"{counted(n_others, 'other column')}", number(row, "others") or 0.0))
    scale = svg.Scale(*svg.span(np.array([adds for _, adds in told]), zero=True), _LEFT + 30, _RIGHT)
    bottom, zero = _TOP + _STEP * len(told), scale.px(0.0)
    parts = []
    for at, (said, adds) in enumerate(told):
        y, x = _TOP + _STEP * at, scale.px(adds)
        parts.append(svg.label(_LEFT + 22, y + 16, said, anchor="end", limit_px=_LEFT + 16))
        fill = svg.BLUE if adds >= 0 else svg.VERMILLION
        parts.append(svg.rectangle(min(x, zero), y + 4, max(abs(x - zero), 0.8), _STEP - 8, fill=fill))
    parts.append(svg.segment(zero, _TOP - 4, zero, bottom, stroke=svg.INK))
    parts += _ticks(scale, bottom)
    parts.append(svg.centred((_LEFT + _RIGHT) / 2, bottom + 34, unit, end=WIDTH - 4, limit_px=WIDTH - 8))
    title = f"One row: {which}"
    caption = (
        f"Test row {quantity((number(row, 'test_row') or 0) + 1)}: predicted {_answer(row, 'prediction')}, "
        f"was {_answer(row, 'truth')}. From {metric(number(row, 'base'))} in the mean to "
        f"{metric(number(row, 'answer'))} here ({unit}); blue raises, orange lowers."
    )
    return Figure(
        name=f"row_{place}",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, bottom + 44, parts, title=title, description=caption),
        header=("Column and value", f"Adds ({unit})"),
        rows=tuple((said, metric(adds)) for said, adds in told),
    )


def _short(one: Json) -> str:
    value = number(one, "value")
    return (text(one, "value") or "(missing)") if value is None else quantity(value)


def _answer(row: Json, key: str) -> str:
    """Return a class as the data has it, and a number to the figures that a person reads."""
    value = members(row).get(key)
    return quantity(value) if isinstance(value, float) else plain(value)


def opened(of: str) -> str:
    """Return what is explained as the head of a column or an axis; a target keeps the name it has."""
    return of[:1].upper() + of[1:] if of.startswith(_SAID_OF_CLASSES) else of


def _numbers(values: Sequence[Json]) -> Array:
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _places(values: Sequence[Json]) -> tuple[Array, Callable[[float], str], list[str]]:
    """Return where values stand on an axis, how a place is said, and the levels where they are no numbers."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _numbers(values), quantity, []
    if all(isinstance(value, str) and _is_moment(value) for value in values):
        seconds = np.array(values, "datetime64[s]").astype(np.float64)
        return seconds, lambda x: str(np.datetime64(int(x), "s"))[:10], []
    counts: dict[str, int] = {}
    for value in values:
        counts[plain(value)] = counts.get(plain(value), 0) + 1
    levels = sorted(counts, key=lambda level: -counts[level])
    place = {level: at for at, level in enumerate(levels)}
    return np.array([place[plain(value)] for value in values], np.float64), quantity, levels


def _is_moment(value: str) -> bool:
    try:
        np.datetime64(value, "s")
    except ValueError:
        return False
    return "T" in value and len(value) > len("2000-01-01")


def _frame(
    axes: svg.Axes, *, x_title: str, y_title: str, said: Callable[[float], str], levels: Sequence[str]
) -> str:
    if not levels:
        ticks = svg.ticks(axes.x.low, axes.x.high, about=5)
        return svg.frame(axes, x_title=x_title, y_title=y_title, x_ticks=ticks, x_label=said)
    base = svg.frame(axes, x_title=x_title, y_title=y_title, x_ticks=())
    room = (axes.x.end - axes.x.start) / max(len(levels), 1)
    y = axes.y.start + 16
    names = (
        svg.centred(axes.x.px(at), y, level, end=WIDTH - 4, size_px=11, limit_px=room)
        for at, level in enumerate(levels[:_FEW])
    )
    return base + "".join(names)

"""Small drawings as SVG text: scales, ticks, and the few marks that the pictures need.

Written by hand because it is cheap: a picture costs about a millisecond, where matplotlib costs 0.5 to 0.8 s
of CPU time to import and 0.05 to 0.12 s a picture. Text stays text, in the reader's own sans-serif face; no
ids, scripts, styles or references, so a drawing can stand in a page as it stands in a file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.report import words
from engine.report.words import clean, escape, shortened

# Okabe and Ito, "Color Universal Design" (2008): told apart by colour-blind readers.
BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#e69f00",
    "#cc79a7",
    "#56b4e9",
)
PALETTE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
INK, QUIET, RULE, FAINT = "#1f2328", "#59636e", "#8c959f", "#e4e7eb"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
TEXT_PX = 12.0
_TINY = 1e-3

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Scale:
    """A line from values to pixels; `low` and `high` differ."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, values: Array | float) -> Array:
        """Return pixels for `values`, held inside the drawing."""
        share = (np.asarray(values, dtype=np.float64) - self.low) / (self.high - self.low)
        return self.start + np.clip(share, 0.0, 1.0) * (self.end - self.start)

    def px(self, value: float) -> float:
        """Return the pixel of one value."""
        return float(self(value))


@dataclass(frozen=True, slots=True)
class Axes:
    """A plane to draw on; y grows upwards."""

    x: Scale
    y: Scale


def span(values: Array, *, margin: float = 0.04, zero: bool = False) -> tuple[float, float]:
    """Return a lowest and a highest value to draw, apart even when all values are one or there are none."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-300):
        room = abs(low) * 0.1 or 0.5
        return low - room, high + room
    room = margin * (high - low)
    return (low if zero and low == 0 else low - room), (high if zero and high == 0 else high + room)


def ticks(low: float, high: float, *, about: int = 5) -> tuple[float, ...]:
    """Return round values between `low` and `high`.

    Notes
    -----
    Steps of 1, 2 or 5 times a power of ten: Heckbert, "Nice numbers for graph labels", Graphics Gems (1990).

    Examples
    --------
    >>> ticks(0, 1), ticks(-3, 47)
    ((0.0, 0.2, 0.4, 0.6, 0.8, 1.0), (0.0, 10.0, 20.0, 30.0, 40.0))
    """
    rough = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(float(f"{k * step:.12g}") for k in range(first, last + 1))


def tick_label(value: float) -> str:
    """Return a short number for an axis.

    Examples
    --------
    >>> [tick_label(v) for v in (0.2, 0.0, 15000, 2_500_000, 0.00025)]
    ['0.2', '0', '15k', '2.5M', '2.5e-4']
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            scale = 1e3 if unit == "k" else size
            return f"{value / scale:.4g}{unit}"
    if value and abs(value) < _TINY:
        return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-")
    return f"{value:.6g}"


def n(value: float) -> str:
    """Return a pixel to a tenth, as short as it can be written.

    Examples
    --------
    >>> n(12.0), n(3.14159), n(-0.01)
    ('12', '3.1', '0')
    """
    return f"{round(float(value), 1) + 0.0:.1f}".removesuffix(".0")


def document(width: float, height: float, parts: Sequence[str], *, title: str, description: str) -> str:
    """Return a whole drawing; `title` names it and `description` says in words what is to be seen."""
    name = escape(f"{title}. {description}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {n(width)} {n(height)}" '
        f'width="{n(width)}" height="{n(height)}" role="img" aria-label="{name}" '
        f'font-family="{escape(FONT)}" font-size="{n(TEXT_PX)}" fill="{INK}">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
        f'<rect width="{n(width)}" height="{n(height)}" fill="#ffffff"/>' + "".join(parts) + "</svg>\n"
    )


def label(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size_px: float = TEXT_PX,
    bold: bool = False,
    limit_px: float = math.inf,
) -> str:
    """Return text at a point, cut at `limit_px`; what was cut is told by a tooltip."""
    shown = shortened(text, size_px, limit_px)
    whole = f"<title>{escape(text)}</title>" if shown != " ".join(clean(text).split()) else ""
    weight = ' font-weight="600"' if bold else ""
    sized = f' font-size="{n(size_px)}"' if size_px != TEXT_PX else ""
    return (
        f'<text x="{n(x)}" y="{n(y)}" text-anchor="{anchor}" fill="{fill}"{sized}{weight}>'
        f"{whole}{escape(shown)}</text>"
    )


def centred(
    x: float, y: float, text: str, *, end: float, limit_px: float = math.inf, size_px: float = TEXT_PX
) -> str:
    """Return quiet text with its middle at a point, or left of it where it would pass `end`."""
    half = min(words.width(text, size_px), limit_px) / 2
    at = min(x, end - half)
    return label(at, y, text, anchor="middle", fill=QUIET, size_px=size_px, limit_px=limit_px)


def turned_label(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    size_px: float = TEXT_PX,
    limit_px: float = math.inf,
) -> str:
    """Return text that runs upwards through a point."""
    inner = label(0, 0, text, anchor=anchor, fill=fill, size_px=size_px, limit_px=limit_px)
    return f'<g transform="translate({n(x)} {n(y)}) rotate(-90)">{inner}</g>'


def segment(
    x1: float, y1: float, x2: float, y2: float, *, stroke: str = RULE, width: float = 1, dash: str = ""
) -> str:
    """Return one straight stroke."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{n(x1)}" y1="{n(y1)}" x2="{n(x2)}" y2="{n(y2)}" stroke="{stroke}" '
        f'stroke-width="{n(width)}"{dashed}/>'
    )


def rectangle(
    x: float, y: float, width: float, height: float, *, fill: str, opacity: float = 1.0, hint: str = ""
) -> str:
    """Return a filled box; `hint` is its tooltip."""
    faint = f' fill-opacity="{opacity:.2g}"' if opacity < 1 else ""
    inside = f"><title>{escape(hint)}</title></rect>" if hint else "/>"
    return f'<rect x="{n(x)}" y="{n(y)}" width="{n(width)}" height="{n(height)}" fill="{fill}"{faint}{inside}'


def dot(x: float, y: float, *, fill: str, radius: float = 3.5, shape: str = "circle", hint: str = "") -> str:
    """Return a mark: `circle`, `square` or `diamond`, so that colour is never the only difference."""
    inside = f"><title>{escape(hint)}</title></path>" if hint else "/>"
    if shape == "circle":
        r = n(radius)
        path = f"M{n(x - radius)} {n(y)}a{r} {r} 0 1 0 {n(2 * radius)} 0a{r} {r} 0 1 0 {n(-2 * radius)} 0z"
    elif shape == "square":
        side = 1.8 * radius
        path = f"M{n(x - side / 2)} {n(y - side / 2)}h{n(side)}v{n(side)}h{n(-side)}z"
    else:
        reach = 1.3 * radius
        path = f"M{n(x)} {n(y - reach)}L{n(x + reach)} {n(y)}L{n(x)} {n(y + reach)}L{n(x - reach)} {n(y)}z"
    return f'<path d="{path}" fill="{fill}"{inside}'


def line(
    axes: Axes, xs: Array, ys: Array, *, stroke: str, width: float = 2, dash: str = "", step: bool = False
) -> str:
    """Return a line through finite points of shape (n,); `step` keeps each y until the next x."""
    kept = np.isfinite(xs) & np.isfinite(ys)
    px, py = axes.x(xs[kept]), axes.y(ys[kept])
    if not px.size:
        return ""
    points = [f"{n(x)} {n(y)}" for x, y in zip(px, py, strict=True)]
    if step:
        drawn = f"M{points[0]}" + "".join(f"H{n(x)}V{n(y)}" for x, y in zip(px[1:], py[1:], strict=True))
    else:
        drawn = "M" + "L".join(points)
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="{drawn}" fill="none" stroke="{stroke}" stroke-width="{n(width)}" '
        f'stroke-linejoin="round"{dashed}/>'
    )


def bars(axes: Axes, edges: Array, heights: Array, *, fill: str, opacity: float = 1.0) -> str:
    """Return a histogram's outline, filled: `edges` of shape (n + 1,), `heights` of shape (n,)."""
    px, py, base = axes.x(edges), axes.y(heights), axes.y.px(max(axes.y.low, 0.0))
    path = f"M{n(px[0])} {n(base)}"
    path += "".join(f"V{n(y)}H{n(x)}" for y, x in zip(py, px[1:], strict=True))
    return f'<path d="{path}V{n(base)}z" fill="{fill}" fill-opacity="{opacity:.2g}"/>'


def frame(
    axes: Axes,
    *,
    x_title: str,
    y_title: str,
    x_ticks: Sequence[float] | None = None,
    y_ticks: Sequence[float] | None = None,
    x_label: Callable[[float], str] | None = None,
) -> str:
    """Return gridlines, tick labels and the names of both axes; `x_label` says a tick of x in words."""
    x_ticks = ticks(axes.x.low, axes.x.high) if x_ticks is None else x_ticks
    y_ticks = ticks(axes.y.low, axes.y.high) if y_ticks is None else y_ticks
    left, right, top, bottom = axes.x.start, axes.x.end, axes.y.end, axes.y.start
    parts = []
    for value in y_ticks:
        y = axes.y.px(value)
        parts.append(segment(left, y, right, y, stroke=FAINT))
        parts.append(label(left - 6, y + 4, tick_label(value), anchor="end", fill=QUIET))
    for value in x_ticks:
        x = axes.x.px(value)
        parts.append(segment(x, top, x, bottom, stroke=FAINT))
        parts.append(label(x, bottom + 16, (x_label or tick_label)(value), anchor="middle", fill=QUIET))
    parts.append(segment(left, bottom, right, bottom))
    parts.append(label((left + right) / 2, bottom + 33, x_title, anchor="middle", limit_px=right - left + 30))
    parts.append(turned_label(11, (top + bottom) / 2, y_title, anchor="middle", limit_px=bottom - top + 20))
    return "".join(parts)


def key(x: float, y: float, entries: Sequence[tuple[str, str, str]], *, width: float, step: float) -> str:
    """Return a legend in one line: (colour, dash, text) each `step` pixels, in `width` pixels of room."""
    parts = []
    for index, (colour, dash, text) in enumerate(entries):
        at = x + step * index
        parts.append(segment(at, y - 4, at + 20, y - 4, stroke=colour, width=3, dash=dash))
        parts.append(label(at + 25, y, text, limit_px=min(step - 33, x + width - at - 25)))
    return "".join(parts)


def legend(x: float, y: float, entries: Sequence[tuple[str, str]], *, limit_px: float) -> str:
    """Return one line an entry, (colour, text), from the top down."""
    parts = []
    for index, (colour, text) in enumerate(entries):
        at = y + 17 * index
        parts.append(segment(x, at - 4, x + 14, at - 4, stroke=colour, width=3))
        parts.append(label(x + 20, at, text, limit_px=limit_px - 20))
    return "".join(parts)


def spark(counts: Sequence[float], *, hint: str) -> str:
    """Return a histogram small enough to stand in a line of text, described by `hint`."""
    width, height = 96.0, 24.0
    top = max(counts, default=0.0) or 1.0
    step = width / max(len(counts), 1)
    boxes = "".join(
        f"M{n(k * step)} {n(height)}v{n(-max(count / top * height, 0.7))}h{n(step - 0.6)}V{n(height)}z"
        for k, count in enumerate(counts)
        if count
    )
    return (
        f'<svg class="spark" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {n(width)} {n(height)}" '
        f'width="{n(width)}" height="{n(height)}" role="img" aria-label="{escape(hint)}">'
        f'<title>{escape(hint)}</title><path d="M0 {n(height)}h{n(width)}" stroke="{RULE}"/>'
        f'<path d="{boxes or "M0 0"}" fill="{BLUE}"/></svg>'
    )

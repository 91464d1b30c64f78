"""Marks of many trials as one path each, and the key that says what they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.report import svg
from engine.report.canvas import HEIGHT

Array = np.ndarray

_HALF, _TURN = 165.0, 17.0


def circles(xs: Array, ys: Array, *, fill: str, radius: float = 2.5) -> str:
    """Return filled marks at pixels of shape (n,), as one path."""
    path = _round(xs, ys, radius)
    return f'<path d="{path}" fill="{fill}" fill-opacity="0.8"/>' if path else ""


def rings(xs: Array, ys: Array, *, stroke: str, radius: float = 2.5) -> str:
    """Return hollow marks."""
    path = _round(xs, ys, radius)
    return f'<path d="{path}" fill="none" stroke="{stroke}" stroke-width="1.2"/>' if path else ""


def crosses(xs: Array, ys: Array) -> str:
    """Return crosses."""
    path = "".join(f"M{svg.n(x - 3)} {svg.n(y - 3)}l6 6m0 -6l-6 6" for x, y in zip(xs, ys, strict=True))
    return f'<path d="{path}" fill="none" stroke="{svg.INK}" stroke-width="1.2"/>' if path else ""


def strokes(xs: Array, y: float) -> str:
    """Return short upright strokes that end at `y`."""
    path = "".join(f"M{svg.n(x)} {svg.n(y)}v-7" for x in xs)
    return f'<path d="{path}" fill="none" stroke="{svg.QUIET}" stroke-width="1"/>' if path else ""


def with_key(parts: list[str], entries: Sequence[tuple[str, str]]) -> tuple[float, list[str]]:
    """Return the height of a drawing with its key in two columns below, and all its parts.

    Each entry is a mark drawn about (7, -4), and its words.
    """
    for index, (mark, words) in enumerate(entries):
        x, y = 14 + _HALF * (index % 2), HEIGHT + 8 + _TURN * (index // 2)
        parts.append(f'<g transform="translate({svg.n(x)} {svg.n(y)})">{mark}</g>')
        parts.append(svg.label(x + 21, y, words, limit_px=_HALF - 26))
    return HEIGHT + 2 + _TURN * -(-len(entries) // 2), parts


def _round(xs: Array, ys: Array, radius: float) -> str:
    r, across = svg.n(radius), svg.n(2 * radius)
    return "".join(
        f"M{svg.n(x - radius)} {svg.n(y)}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0 -{across} 0z"
        for x, y in zip(xs, ys, strict=True)
    )

"""What a picture is: a drawing, its words, and the table behind it; and the plane most of them stand on."""

from __future__ import annotations

from dataclasses import dataclass

from engine.report.svg import INK, Axes, Scale, segment

WIDTH, HEIGHT = 360.0, 310.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 346.0, 12.0, 264.0

UNIT = (0.0, 1.0)
FIFTHS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture: `caption` says in a sentence what is to be seen, `rows` are the numbers behind it."""

    name: str
    title: str
    caption: str
    svg: str
    header: Row
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Undrawn:
    """A picture that these facts can't give, and why."""

    title: str
    reason: str


def plane(
    x: tuple[float, float], y: tuple[float, float], *, top: float = TOP, bottom: float = BOTTOM
) -> Axes:
    """Return axes over the usual area for values between the ends of `x` and `y`."""
    return Axes(x=Scale(*x, LEFT, RIGHT), y=Scale(*y, bottom, top))


def threshold_line(axes: Axes, at: float) -> str:
    """Return the upright line that marks the threshold in use."""
    x = axes.x.px(at)
    return segment(x, axes.y.start, x, axes.y.end, stroke=INK, width=1.5, dash="5 3")

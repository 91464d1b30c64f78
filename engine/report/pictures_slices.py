"""The picture of a slicing: the goal's metric of each slice beside that of all test rows."""

from __future__ import annotations

import numpy as np

from engine.report import scores, slices, svg
from engine.report.canvas import WIDTH, Figure
from engine.report.record import Record
from engine.report.scores import Score, Scored
from engine.report.slices import Slicing
from engine.report.words import metric, quantity

_MOST = 20
_STEP, _TOP, _LEFT, _RIGHT = 20.0, 12.0, 150.0, 346.0


def draw(record: Record) -> tuple[Figure, ...]:
    """Draw each slicing of which two slices or more can be told."""
    goal = scores.headline(record)
    if goal is None:
        return ()
    drawn = (_picture(record, slicing, goal, place + 1) for place, slicing in enumerate(slices.read(record)))
    return tuple(figure for figure in drawn if figure is not None)


def _picture(record: Record, slicing: Slicing, goal: Scored, place: int) -> Figure | None:
    known = [
        (one.name, one.n, score, score.value)
        for one in slicing.slices
        if (score := one.scores.get(goal.name)) is not None and score.value is not None
    ]
    if len(known) < 2:  # noqa: PLR2004 (one slice is no comparison)
        return None
    shown = sorted(known, key=lambda item: -item[1])[:_MOST]
    shown = [item for item in known if item in shown]
    whole = goal.test.value
    ends = [end for _, _, score, value in shown for end in (value, score.low, score.high) if end is not None]
    scale = svg.Scale(*svg.span(np.array([*ends, *([whole] if whole is not None else [])])), _LEFT, _RIGHT)
    bottom = _TOP + _STEP * len(shown)
    parts = [
        svg.segment(scale.px(whole), _TOP - 4, scale.px(whole), bottom, stroke=svg.INK, width=1.5, dash="5 3")
    ] if whole is not None else []  # fmt: skip
    parts += [_strip(name, score, value, _TOP + _STEP * at, scale)
              for at, (name, _, score, value) in enumerate(shown)]  # fmt: skip
    ticks = svg.ticks(scale.low, scale.high, about=4)
    parts += [
        svg.label(
            scale.px(tick), bottom + 16, svg.tick_label(tick), anchor="middle", fill=svg.QUIET, size_px=11
        )
        for tick in ticks
    ]
    middle = (_LEFT + _RIGHT) / 2
    parts.append(svg.centred(middle, bottom + 34, goal.title, end=WIDTH - 4, limit_px=WIDTH - 8))
    title = f"{goal.title} by {slicing.columns}"
    least = "; the largest are drawn" if len(shown) < len(known) else ""
    caption = (
        f"{goal.title} of each slice; the bar is the {scores.confidence(record)}, the line is all test rows, "
        f"{metric(whole)}{least}."
    )
    return Figure(
        name=f"slices_{place}",
        title=title,
        caption=caption,
        svg=svg.document(WIDTH, bottom + 42, parts, title=title, description=caption),
        header=("Slice", "Rows", goal.title, scores.confidence(record).capitalize()),
        rows=tuple(
            (name, quantity(n), metric(value), score.interval or "none") for name, n, score, value in shown
        ),
    )


def _strip(name: str, score: Score, value: float, y: float, scale: svg.Scale) -> str:
    middle = y + _STEP / 2
    parts = [svg.label(_LEFT - 8, middle + 4, name, anchor="end", limit_px=_LEFT - 14)]
    if score.low is not None and score.high is not None:
        parts.append(
            svg.segment(scale.px(score.low), middle, scale.px(score.high), middle, stroke=svg.SKY, width=5)
        )
    parts.append(svg.dot(scale.px(value), middle, fill=svg.BLUE, radius=4.5))
    return "".join(parts)

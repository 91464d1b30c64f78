"""The pictures of every task: what the model looks at, and how it stands against the baselines."""

from __future__ import annotations

import numpy as np

from engine.report import scores, svg
from engine.report.canvas import WIDTH, Figure, Undrawn
from engine.report.record import Record, members, number, text
from engine.report.scores import Scored
from engine.report.words import metric, share, title

_MOST_COLUMNS = 14
_MOST_METRICS = 5
_MARKS = (("linear", svg.VERMILLION, "square"), ("constant", "#6e7781", "diamond"))


def importances(record: Record) -> Figure | Undrawn:
    """Draw the share of the model's attention that each raw column has."""
    name = "What the model looks at"
    found = {
        column: value
        for column in members(record.facts, "model", "importances")
        if (value := number(record.facts, "model", "importances", column)) is not None
    }
    if not found:
        return Undrawn(name, "this model gives no importances.")
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = ordered[:_MOST_COLUMNS]
    others = ordered[_MOST_COLUMNS:]
    bars = [*shown, *([(f"{len(others)} others", sum(v for _, v in others))] if others else [])]
    top, step, left, right = 12.0, 20.0, 130.0, 300.0
    scale = svg.Scale(0.0, max(*(value for _, value in bars), 1e-12), left, right)
    parts = []
    for index, (column, value) in enumerate(bars):
        y = top + step * index
        parts.append(svg.label(left - 8, y + 12, column, anchor="end", limit_px=left - 14))
        parts.append(svg.rectangle(left, y + 2, max(scale.px(value) - left, 1.0), 13, fill=svg.BLUE))
        parts.append(svg.label(scale.px(value) + 6, y + 12, share(value), fill=svg.QUIET))
    first = shown[0]
    caption = (
        f"Shares of importance as the library itself counts them; the largest is “{first[0]}” "
        f"with {share(first[1])}."
    )
    return Figure(
        name="importances",
        title=name,
        caption=caption,
        svg=svg.document(WIDTH, top * 2 + step * len(bars), parts, title=name, description=caption),
        header=("Column", "Share"),
        rows=tuple((column, share(value)) for column, value in ordered),
    )


def baselines(record: Record) -> Figure | Undrawn:
    """Draw each metric of the model with its interval beside the same metric of the baselines."""
    name = "Against the baselines"
    standings = [one for one in scores.read(record) if one.test.value is not None and _known(one)]
    if not standings:
        return Undrawn(name, "no metric was recorded beside a baseline.")
    goal = text(record.recipe, "goal", "metric")
    standings.sort(key=lambda one: one.name != goal)
    del standings[_MOST_METRICS:]
    step, top = 64.0, 34.0
    strips = [_strip(one, top + step * index) for index, one in enumerate(standings)]
    drawn = [mark for mark in _MARKS if any(mark[0] in _known(one) for one in standings)]
    kinds = " and ".join(kind for kind, _, _ in drawn)
    caption = (
        f"Test metrics of the model and of the {kinds} baseline, each on its own scale; the bar is the "
        f"{scores.confidence(record)}."
    )
    return Figure(
        name="baselines",
        title=name,
        caption=caption,
        svg=svg.document(
            WIDTH, top + step * len(standings), [_key(drawn), *strips], title=name, description=caption
        ),
        header=(
            "Metric",
            "Model",
            scores.confidence(record).capitalize(),
            *(title(kind) for kind, _, _ in drawn),
        ),
        rows=tuple(
            (
                one.title,
                metric(one.test.value),
                one.test.interval or "not recorded",
                *(metric(_known(one).get(kind)) for kind, _, _ in drawn),
            )
            for one in standings
        ),
    )


def _known(scored: Scored) -> dict[str, float]:
    found = {kind: scored.baselines[kind].value for kind, _, _ in _MARKS if kind in scored.baselines}
    return {kind: value for kind, value in found.items() if value is not None}


def _key(drawn: list[tuple[str, str, str]]) -> str:
    parts = [svg.dot(20, 14, fill=svg.BLUE, radius=4.5), svg.label(30, 18, "this model")]
    for index, (kind, colour, shape) in enumerate(drawn):
        parts.append(svg.dot(120 + 76 * index, 14, fill=colour, radius=4.5, shape=shape))
        parts.append(svg.label(130 + 76 * index, 18, kind))
    return "".join(parts)


def _strip(scored: Scored, y: float) -> str:
    mine, against = scored.test, _known(scored)
    ends = [end for end in (mine.value, mine.low, mine.high, *against.values()) if end is not None]
    scale = svg.Scale(*svg.span(np.array(ends), margin=0.05), 14.0, 346.0)
    said = " · ".join(f"{kind} {metric(value)}" for kind, value in against.items())
    middle = y + 26
    parts = [
        svg.label(14, y + 12, scored.title, bold=True, limit_px=250),
        svg.label(346, y + 12, metric(mine.value), anchor="end", bold=True),
        svg.segment(14, middle, 346, middle, stroke=svg.FAINT, width=2),
        svg.label(14, middle + 19, said, fill=svg.QUIET, size_px=11),
    ]
    if mine.low is not None and mine.high is not None:
        low, high = scale.px(mine.low), scale.px(mine.high)
        parts.append(svg.segment(low, middle, high, middle, stroke=svg.BLUE, width=5))
    for kind, colour, shape in _MARKS:
        if kind in against:
            parts.append(svg.dot(scale.px(against[kind]), middle, fill=colour, radius=4.5, shape=shape))
    parts.append(svg.dot(scale.px(ends[0]), middle, fill=svg.BLUE, radius=5))
    return "".join(parts)

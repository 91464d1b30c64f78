"""The picture of what the score loses when rows are disturbed, and the words and numbers behind it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.report import scores, svg
from engine.report.canvas import WIDTH, Figure
from engine.report.record import Record, elements, number, plain, text
from engine.report.scores import Score
from engine.report.words import counted, metric, title

NAME = "robustness"
_TOP, _STEP, _LEFT, _RIGHT = 12.0, 20.0, 176.0, 340.0
_MOST_SHIFTS = 6


@dataclass(frozen=True, slots=True)
class Test:
    """One disturbance: what it is in words, the metric under it, and how far that fell."""

    words: str
    is_shift: bool
    value: float | None
    fall: Score


def tests(record: Record) -> tuple[Test, ...]:
    """Return every disturbance in the order of the file; none where nobody looked."""
    found = []
    for one in elements(record.metrics, "robustness", "tests"):
        fall = Score(number(one, "fall"), number(one, "low"), number(one, "high"))
        kind, level = text(one, "kind") or "", number(one, "level") or 0.0
        columns = [plain(name) for name in elements(one, "columns")]
        found.append(Test(_words(kind, level, columns), kind == "shift", number(one, "value"), fall))
    return tuple(found)


def said(record: Record) -> str:
    """Say what was done, on which rows."""
    measured, rows = _measured(record)
    return (
        f"What {measured} loses on {rows} when they are disturbed within what the schema allows: numbers by "
        "noise of a share of their spread (standard deviation), values gone, categories that nobody has "
        "seen, one column moved by half its spread, and each row's numbers moved against it by at most a "
        "tenth of theirs: by asking the model alone (greedy), or by the slopes of its loss (PGD). "
        "An attack that finds more may exist."
    )


def header(record: Record) -> tuple[str, str, str, str]:
    """Return the table's header."""
    measured, _ = _measured(record)
    return ("Disturbance", measured, "Loss", scores.confidence(record).capitalize())


def rows(record: Record) -> list[tuple[str, str, str, str]]:
    """Return what each disturbance costs."""
    return [
        (one.words, metric(one.value), metric(one.fall.value), one.fall.interval or "none")
        for one in tests(record)
    ]


def robustness(record: Record) -> Figure | None:
    """Draw the loss under each disturbance with its interval; of shifts those that cost most."""
    found = tests(record)
    if not found:
        return None
    costly = sorted((one for one in found if one.is_shift), key=lambda one: -(one.fall.value or 0.0))
    shown = [one for one in found if not one.is_shift or one in costly[:_MOST_SHIFTS]]
    known = [end for one in shown for end in (one.fall.value, one.fall.low, one.fall.high) if end is not None]
    scale = svg.Scale(*svg.span(np.array(known or [0.0]), zero=True), _LEFT, _RIGHT)
    bottom, zero = _TOP + _STEP * len(shown), scale.px(0.0)
    parts = [svg.segment(zero, _TOP - 4, zero, bottom, stroke=svg.RULE)]
    parts += [_bar(one, _TOP + _STEP * (at + 0.5), scale) for at, one in enumerate(shown)]
    parts += [
        svg.label(
            scale.px(tick), bottom + 16, svg.tick_label(tick), anchor="middle", fill=svg.QUIET, size_px=11
        )
        for tick in svg.ticks(scale.low, scale.high, about=3)
    ]
    measured, on = _measured(record)
    left_out = len(found) - len(shown)
    more = f" The {left_out} shifts that cost least stand in the numbers alone." if left_out else ""
    caption = f"Loss in {measured} on {on}; the bar is the {scores.confidence(record)}.{more}"
    return Figure(
        name=NAME,
        title="What disturbed rows cost",
        caption=caption,
        svg=svg.document(WIDTH, bottom + 26, parts, title="What disturbed rows cost", description=caption),
        header=header(record),
        rows=tuple(rows(record)),
    )


def _measured(record: Record) -> tuple[str, str]:
    name = text(record.metrics, "robustness", "metric") or ""
    known = scores.declared(record).get(name)
    on = counted(number(record.metrics, "robustness", "n_rows"), "test row")
    return (known.title if known else title(name)), on


def _words(kind: str, level: float, columns: list[str]) -> str:
    said = f"{100 * abs(level):g}%"
    if kind == "shift":
        return f"{columns[0]} {'+' if level > 0 else '-'}{said}"
    return {"attack": f"attack, greedy, {said}", "gradient": f"attack, PGD, {said}"}.get(
        kind, f"{kind}, {said}"
    )


def _bar(one: Test, middle: float, scale: svg.Scale) -> str:
    parts = [svg.label(_LEFT - 8, middle + 4, one.words, anchor="end", limit_px=_LEFT - 14)]
    if one.fall.low is not None and one.fall.high is not None:
        ends = scale.px(one.fall.low), scale.px(one.fall.high)
        parts.append(svg.segment(ends[0], middle, ends[1], middle, stroke=svg.SKY, width=5))
    if one.fall.value is not None:
        parts.append(svg.dot(scale.px(one.fall.value), middle, fill=svg.BLUE, radius=4.5))
    return "".join(parts)

"""The pictures of quality: what columns say alone, how parts differ, what is missing, doubted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine.report import svg
from engine.report.canvas import WIDTH, Figure
from engine.report.record import Record, elements, members, number, text
from engine.report.words import share

_MOST_BARS = 14
_TOP, _STEP, _LEFT, _RIGHT = 26.0, 20.0, 130.0, 300.0
# Siddiqi 2006, ch. 6: above it a spread has changed much.
_MUCH = 0.25
Bars = Sequence[tuple[str, float]]


def draw(record: Record) -> tuple[Figure, ...]:
    """Draw what the checks measured; a picture that would be empty is none."""
    drawn = (picture(record) for picture in (_power, _shift, _missing, _doubted))
    return tuple(figure for figure in drawn if figure is not None)


def _figure_of(record: Record, name: str) -> dict[str, float]:
    node = members(record.data, "quality", "figures", name)
    return {key: value for key in node if (value := number(node, key)) is not None}


def _ordered(found: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(found.items(), key=lambda item: (-item[1], item[0]))


def _power(record: Record) -> Figure | None:
    found = _ordered(_figure_of(record, "predictive_power"))
    if not found:
        return None
    suspects = {
        column
        for finding in elements(record.data, "quality", "findings")
        if text(finding, "check") == "leakage"
        for column in map(str, elements(finding, "columns"))
    }
    name = "What each column says alone"
    first, value = found[0]
    named = ", ".join(f"“{column}”" for column in sorted(suspects)) or "none"
    caption = (
        "How much of the error of knowing nothing one column takes away, judged on other rows than it learns "
        f"from; the most is “{first}” with {share(value)}. Suspected of giving the target away: {named}."
    )
    colours = dict.fromkeys(suspects, svg.VERMILLION)
    return _bars(
        "quality_power", name, caption, found, "Error taken away", colours=colours, top=1.0, say=share
    )


def _shift(record: Record) -> Figure | None:
    found = _ordered(_figure_of(record, "shift_test"))
    if not found:
        return None
    name = "Test rows against training rows"
    first, value = found[0]
    caption = (
        "Population stability index of each column: below 0.1 nothing changed, above 0.25 much did. "
        f"The most changed is “{first}” with {_index(value)}."
    )
    top = max(found[0][1], 0.3)
    colours = {column: svg.VERMILLION for column, psi in found if psi > _MUCH}
    return _bars(
        "quality_shift", name, caption, found, "PSI", colours=colours, top=top, mark=_MUCH, say=_index
    )


def _missing(record: Record) -> Figure | None:
    found = _ordered(_figure_of(record, "missing_values"))
    if not found:
        return None
    first, value = found[0]
    caption = f"Share of rows without a value, of columns that have such rows: “{first}” {share(value)}."
    top = max(value, 0.1)
    return _bars("quality_missing", "Missing values", caption, found, "Missing", top=top, say=share)


def _doubted(record: Record) -> Figure | None:
    found = _ordered(_figure_of(record, "label_noise"))
    if not found:
        return None
    caption = (
        "Estimated share of all rows that were given one class and are likely of another: given → likely "
        "(confident learning). Where classes overlap, the rows may be right and the model wrong."
    )
    return _bars("quality_doubted", "Classes in doubt", caption, found, "Share", top=found[0][1], say=share)


def _index(value: float) -> str:
    return f"{value:.2f}"


def _bars(
    key: str,
    name: str,
    caption: str,
    found: Bars,
    unit: str,
    *,
    top: float,
    colours: Mapping[str, str] | None = None,
    mark: float | None = None,
    say: Callable[[float], str] | None = None,
) -> Figure:
    """Draw one bar a name, the longest first; `mark` is a bound drawn through them."""
    say = say or _index
    shown = found[:_MOST_BARS]
    scale = svg.Scale(0.0, max(top, 1e-12), _LEFT, _RIGHT)
    height = _TOP + _STEP * len(shown) + 10
    parts = []
    for index, (label, value) in enumerate(shown):
        y = _TOP + _STEP * index
        colour = (colours or {}).get(label, svg.BLUE)
        parts.append(svg.label(_LEFT - 8, y + 12, label, anchor="end", limit_px=_LEFT - 14))
        parts.append(svg.rectangle(_LEFT, y + 2, max(scale.px(value) - _LEFT, 1.0), 13, fill=colour))
        parts.append(svg.label(scale.px(value) + 6, y + 12, say(value), fill=svg.QUIET))
    if mark is not None and mark <= top:
        x = scale.px(mark)
        parts.append(svg.segment(x, _TOP - 8, x, height - 6, stroke=svg.INK, width=1.5, dash="5 3"))
        parts.append(svg.label(x, _TOP - 12, say(mark), anchor="middle", fill=svg.QUIET))
    rest = len(found) - len(shown)
    said = f"{caption} {rest} more columns stand in the table." if rest else caption
    return Figure(
        name=key,
        title=name,
        caption=said,
        svg=svg.document(WIDTH, height, parts, title=name, description=said),
        header=("Column", unit),
        rows=tuple((label, say(value)) for label, value in found),
    )

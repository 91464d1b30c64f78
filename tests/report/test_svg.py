"""Drawings are well formed, to scale, and the same every time."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.report import svg
from engine.report.pictures_classes import cell_colours


def luminance(colour: str) -> float:
    """Return relative luminance as WCAG 2.1 defines it."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours, as WCAG 2.1 defines it."""
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12))
def test_ticks_are_few_and_inside(low: float, width: float) -> None:
    """Ticks lie in range, rise, and are neither one nor many."""
    high = low + width
    if high - low < 1e-9 * abs(low):
        return
    found = svg.ticks(low, high)
    assert 2 <= len(found) <= 12
    assert list(found) == sorted(set(found))
    assert low - 1e-6 * width <= found[0] <= found[-1] <= high + 1e-6 * width


@given(st.lists(st.floats(-1e9, 1e9)), st.booleans())
def test_span_has_width(values: list[float], zero: bool) -> None:
    """What is drawn has a width, whatever the values, and holds them all."""
    low, high = svg.span(np.array(values), zero=zero)
    assert low < high
    assert all(low <= value <= high for value in values)
    assert low <= 0 <= high or not zero or not values


def test_scale_by_hand() -> None:
    """Values map to pixels on a line, and what lies outside is held at the edge."""
    scale = svg.Scale(0.0, 10.0, 100.0, 200.0)
    assert [scale.px(value) for value in (0, 5, 10, -1, 99)] == [100, 150, 200, 100, 200]


def test_line_by_hand() -> None:
    """A line goes through its finite points, y upwards."""
    axes = svg.Axes(x=svg.Scale(0, 1, 0, 100), y=svg.Scale(0, 1, 100, 0))
    drawn = svg.line(axes, np.array([0, 0.5, np.nan, 1]), np.array([0, 1, 1, 0.25]), stroke="#000000")
    assert ET.fromstring(drawn).get("d") == "M0 100L50 0L100 75"


def test_bars_by_hand() -> None:
    """A histogram's outline stands on zero and steps at the edges."""
    axes = svg.Axes(x=svg.Scale(0, 2, 0, 20), y=svg.Scale(0, 4, 40, 0))
    drawn = svg.bars(axes, np.array([0, 1, 2]), np.array([1, 4]), fill="#000000")
    assert ET.fromstring(drawn).get("d") == "M0 40V30H10V0H20V40z"


def test_document_is_literal() -> None:
    """Names from data are text in a drawing, in its title and in its labels."""
    evil = "<img src=x onerror=alert(1)>&\"'"
    drawn = svg.document(100, 50, [svg.label(1, 1, evil)], title=evil, description=evil)
    root = ET.fromstring(drawn)
    names = {element.tag.split("}")[1] for element in root.iter()}
    assert names == {"svg", "title", "desc", "rect", "text"}
    assert [element.text for element in root.iter() if element.text] == [evil, evil, evil]


def test_cut_label_keeps_its_whole_text() -> None:
    """A label that was cut tells the whole of it in a tooltip."""
    drawn = ET.fromstring(svg.label(0, 0, "a very long name of a column", limit_px=60))
    assert (drawn[0].text, drawn[0].tail) == ("a very long name of a column", "a v…umn")


@pytest.mark.parametrize("colour", [svg.INK, svg.QUIET, "#116329", "#a40e26", "#424a53", "#0b5f94"])
@pytest.mark.parametrize("paper", ["#ffffff", "#f6f7f9"])
def test_text_colours_have_contrast(colour: str, paper: str) -> None:
    """Text keeps a contrast of 4.5 to its paper (WCAG AA)."""
    assert contrast(colour, paper) >= 4.5


@given(st.floats(0, 1))
def test_cells_have_contrast(portion: float) -> None:
    """The count in a cell keeps a contrast of 4.5 at every shade."""
    assert contrast(*cell_colours(portion)) >= 4.5


def test_words_stay_within_a_picture() -> None:
    """Text that would pass the end of its picture stands left of where its middle was asked for."""
    assert 'x="100"' in svg.centred(100, 9, "short", end=356)
    long = svg.centred(237, 9, "score of the class decided for, before calibration", end=356, limit_px=352)
    assert 'x="193.8"' in long
    longer = svg.centred(237, 9, 90 * "a", end=356, limit_px=352)
    assert 'x="180"' in longer
    assert "…" in longer

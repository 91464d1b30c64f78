"""The section on the data's quality: findings in order, their evidence, the pictures, and data as text."""

# ruff: noqa: S314 - what is parsed here was written by the code under test

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

from engine.report import figures, record, render

Facts = dict[str, dict]
Write = Callable[..., Path]
EVIL = "<img src=x onerror=alert(1)>"
QUALITY = {
    "findings": [
        {
            "check": "leakage",
            "severity": "serious",
            "columns": ["age"],
            "what": "'age' may give the target away: alone it leaves 2.0% of the error",
            "evidence": {"error_left": 0.02},
            "advice": "ask whether it is known before the outcome is",
        },
        {
            "check": "shift_between_parts",
            "severity": "note",
            "columns": ["job"],
            "what": f"'{EVIL}' is spread otherwise",
            "evidence": {"psi": 0.31, "n_rows": 1200, "furthest": EVIL},
            "advice": "look",
        },
    ],
    "measures": {"leakage": 1.0, "shift_from_population": None},
    "figures": {
        "predictive_power": {"age": 0.98, EVIL: 0.1},
        "shift_test": {"age": 0.01, "job": 0.31},
        "missing_values": {"age": 0.025},
        "label_noise": {},
    },
    "sampled": ["leaks are looked for in 10 of 20 training rows"],
}


def section_of(folder: Path) -> ET.Element | None:
    """Return the section of a run's page."""
    render(folder)
    page = (folder / "report.html").read_text(encoding="utf-8").removeprefix("<!doctype html>\n")
    return ET.fromstring(page).find(".//section[@id='quality']")


def words_of(element: ET.Element) -> str:
    """Return the words of an element, blanks aside."""
    return re.sub(r"\s+", " ", " ".join(element.itertext()))


def test_the_section_tells_all(binary: Facts, write_run: Write) -> None:
    """Counts, findings with evidence and advice, what was sampled, every measure."""
    binary["data"]["quality"] = QUALITY
    section = section_of(write_run(binary, None))
    assert section is not None
    words = words_of(section)
    assert "1 serious finding" in words
    assert "1 note" in words
    assert "'age' may give the target away" in words
    assert "Ask whether it is known before the outcome is." in words
    assert "Psi: 0.31 Rows: 1,200 Furthest: <img" in words.replace(" Furthest", " Furthest")
    assert "leaks are looked for in 10 of 20 training rows" in words
    assert "shift_from_population largest population stability index" in words
    assert "not measured" in words
    assert section.find(".//img") is None


def test_pictures_are_drawn_of_what_was_measured(binary: Facts, write_run: Write) -> None:
    """One picture for each figure that holds something, its numbers beside it, the suspects named."""
    binary["data"]["quality"] = QUALITY
    folder = write_run(binary, None)
    gallery = figures.draw(record.read(folder))
    assert [figure.name for figure in gallery.quality] == [
        "quality_power",
        "quality_shift",
        "quality_missing",
    ]
    power, shift, missing = gallery.quality
    assert power.rows == (("age", "98.0%"), (EVIL, "10.0%"))
    assert "Suspected of giving the target away: “age”." in power.caption
    assert shift.rows == (("job", "0.31"), ("age", "0.01"))
    assert missing.rows == (("age", "2.5%"),)
    for figure in gallery.quality:
        assert ET.fromstring(figure.svg).tag.endswith("svg")
    render(folder)
    assert {"quality_power.svg", "quality_shift.svg"} <= {
        path.name for path in (folder / "figures").iterdir()
    }


def test_a_run_of_before_has_no_section(binary: Facts, write_run: Write) -> None:
    """A run that did not look keeps its list of warnings in the section on data."""
    folder = write_run(binary, None)
    assert section_of(folder) is None
    assert "3 rows equal an earlier row in every column" in (folder / "report.html").read_text()


def test_nothing_found_is_said(binary: Facts, write_run: Write) -> None:
    """A table without findings says so."""
    binary["data"]["quality"] = {"findings": [], "measures": {}, "figures": {}, "sampled": []}
    section = section_of(write_run(binary, None))
    assert section is not None
    assert "Nothing was found that makes the result doubtful." in words_of(section)

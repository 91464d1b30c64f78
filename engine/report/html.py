"""The report as one page that needs nothing but itself: no script, no request, no font from elsewhere.

Its order is that of its readers: a manager reads the top, an engineer goes on.
"""

from __future__ import annotations

import re

from engine.report import (
    section_calibration,
    section_champion,
    section_explain,
    section_governance,
    section_origins,
    section_quality,
    section_results,
    section_robustness,
    section_search,
    section_slices,
    section_summary,
)
from engine.report.document import NOTICE
from engine.report.figures import Gallery
from engine.report.markup import Html, joined, tag, words
from engine.report.record import Record, text
from engine.report.shell import contents, whole

_SECTION = re.compile(r'<section id="([a-z]+)"><h2>([^<]*)</h2>')
_TRACED = "Every number here stands in a file of this run's folder, or is counted from its predictions."


def page(record: Record, gallery: Gallery | None) -> str:
    """Return the whole page; without a gallery it holds no pictures.

    The same record and gallery give the same text, byte for byte.
    """
    sections = [
        section_results.money(record, gallery),
        section_results.gates(record),
        section_results.pictures(record, gallery) if gallery else None,
        section_results.metrics(record),
        section_champion.champion(record),
        section_calibration.calibration(record),
        section_slices.sliced(record, gallery),
        section_results.fairness(record),
        section_results.worth(record, gallery),
        section_explain.explanations(record, gallery),
        section_robustness.robustness(record, gallery),
        section_quality.quality(record, gallery),
        section_origins.data(record),
        section_origins.split(record),
        section_origins.model(record),
        section_search.search(record, gallery),
        section_governance.governance(record),
        section_origins.reproduce(record),
        section_origins.versions(record),
        section_origins.timings(record),
        section_origins.recipe(record),
    ]
    shown = [body for body in sections if body is not None]
    name = text(record.facts, "name") or text(record.recipe, "name") or "run"
    return whole(
        f"{name}: report",
        section_summary.header(record),
        tag("main", section_summary.summary(record), contents(_headings(joined(shown))), *shown),
        tag("footer", words(f"{_TRACED} {NOTICE}")),
    )


def _headings(body: Html) -> dict[str, Html]:
    """Return the heading of each section by its anchor."""
    return {anchor: Html(heading) for anchor, heading in _SECTION.findall(body)}

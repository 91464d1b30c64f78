"""The section that says how far the score falls when rows are disturbed."""

from __future__ import annotations

from engine.report import pictures_robustness as drawn
from engine.report.figures import Gallery
from engine.report.markup import Html, paragraph, section, table, tag, words
from engine.report.record import Record
from engine.report.section_results import picture


def robustness(record: Record, gallery: Gallery | None) -> Html | None:
    """Return what each disturbance costs, where a recipe asks for it."""
    tests = drawn.tests(record)
    if not tests:
        return None
    shown = [picture(figure) for figure in gallery.figures if figure.name == drawn.NAME] if gallery else []
    figures = [tag("div", *shown, class_="gallery")] if shown else []
    rows = ([words(cell) for cell in row] for row in drawn.rows(record))
    body = [paragraph(drawn.said(record)), *figures]
    if not shown:
        body.append(table(drawn.header(record), rows))
    return section("robustness", "Robustness", *body)

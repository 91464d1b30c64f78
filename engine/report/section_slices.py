"""The section that says how the model does on each slice that the recipe asks for."""

from __future__ import annotations

from engine.report import scores, slices
from engine.report.figures import Gallery
from engine.report.markup import Html, code, paragraph, section, table, tag, words
from engine.report.record import Record
from engine.report.section_results import picture
from engine.report.slices import Slice, Slicing
from engine.report.words import metric, quantity


def sliced(record: Record, gallery: Gallery | None) -> Html | None:
    """Return the scores of every slice, where the recipe asks for slices."""
    found = slices.read(record)
    if not found:
        return None
    drawn = {figure.name: figure for figure in gallery.slices} if gallery else {}
    body: list[Html] = []
    for place, slicing in enumerate(found):
        body += _told(record, slicing)
        figure = drawn.get(f"slices_{place + 1}")
        if figure is not None:
            body.append(tag("div", picture(figure), class_="gallery"))
    note = (
        f"Below a value: its {scores.confidence(record)}; none where resamples of so few rows tell none. "
        "Numbers are cut at the quartiles of the test rows. Every other metric stands in metrics.json."
    )
    if any(one.name == "roc_auc" for one in slices.shown_metrics(record)):
        note += " ROC AUC of all rows also compares rows of different slices, so that of each may be lower."
    return section("slices", "Slices", *body, paragraph(note))


def _told(record: Record, slicing: Slicing) -> list[Html]:
    shown = slices.shown_metrics(record)
    header = ("Slice", "Rows", *(one.title for one in shown))
    rows = (
        [_name(one), words(quantity(one.n)), *_cells(one, [m.name for m in shown])] for one in slicing.slices
    )
    said = slices.behind(record, slicing)
    return [
        tag("h3", words("By "), code(slicing.columns)),
        *([paragraph(said)] if said else []),
        *([table(header, rows)] if slicing.slices else []),
        *(paragraph(line) for line in slicing.left_out),
    ]


def _name(one: Slice) -> Html:
    return Html(words(one.name) + tag("small", words(one.said))) if one.said else words(one.name)


def _cells(one: Slice, names: list[str]) -> list[Html]:
    cells = []
    for name in names:
        score = one.scores.get(name)
        if score is None or score.value is None:
            cells.append(words("-"))
        else:
            spread = tag("small", words(score.interval)) if score.interval else Html("")
            cells.append(Html(words(metric(score.value)) + spread))
    return cells

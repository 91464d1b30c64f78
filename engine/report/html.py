"""The report as one page that needs nothing but itself: no script, no request, no font from elsewhere."""

from __future__ import annotations

from pathlib import Path

from engine.report import section_origins, section_quality, section_results, section_search, section_slices
from engine.report.figures import Gallery
from engine.report.markup import Html, joined, tag, words
from engine.report.record import Record, text

_STYLE = Path(__file__).with_name("page.css")
# Should an escape ever fail, the browser still refuses scripts, requests and forms.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_ANCHORS = (
    "gates", "pictures", "metrics", "slices", "fairness", "search", "quality", "data", "split", "model",
    "reproduce", "versions", "timings", "recipe",
)  # fmt: skip


def page(record: Record, gallery: Gallery | None) -> str:
    """Return the whole page; without a gallery it holds no pictures.

    The same record and gallery give the same text, byte for byte.
    """
    sections = [
        section_results.gates(record),
        section_results.pictures(record, gallery) if gallery else None,
        section_results.metrics(record),
        section_slices.sliced(record, gallery),
        section_results.fairness(record),
        section_search.search(record, gallery),
        section_quality.quality(record, gallery),
        section_origins.data(record),
        section_origins.split(record),
        section_origins.model(record),
        section_origins.reproduce(record),
        section_origins.versions(record),
        section_origins.timings(record),
        section_origins.recipe(record),
    ]
    shown = [body for body in sections if body is not None]
    body = tag(
        "body",
        section_results.header(record),
        tag("main", section_results.summary(record), _contents(joined(shown)), *shown),
        tag(
            "footer",
            words(
                "Every number here stands in a file of this run's folder, or is counted from its predictions."
            ),
        ),
    )
    return "<!doctype html>\n" + tag("html", _head(record), body, lang="en") + "\n"


def _head(record: Record) -> Html:
    name = text(record.facts, "name") or text(record.recipe, "name") or "run"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>'),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", words(f"{name}: report")),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )


def _contents(body: Html) -> Html:
    links = (
        tag("a", words(name.capitalize()), href=f"#{name}") for name in _ANCHORS if f'id="{name}"' in body
    )
    return tag("nav", *links, aria_label="Sections")

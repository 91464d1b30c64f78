"""The section that says what the data can't be trusted in: each finding with its evidence and what to do."""

from __future__ import annotations

from engine.data.quality.finding import DATA_MEANINGS, SEVERITIES
from engine.report.figures import Gallery
from engine.report.markup import Html, code, details, joined, known, paragraph, section, table, tag, words
from engine.report.record import Json, Record, at, elements, members, number, plain, text
from engine.report.section_results import picture
from engine.report.words import counted, quantity, title

_NOUNS = {"serious": "serious finding", "warning": "warning", "note": "note"}
_LONGEST = 160


def quality(record: Record, gallery: Gallery | None) -> Html | None:
    """Return the section; None for a run of before it was looked for."""
    if at(record.data, "quality") is None:
        return None
    findings = elements(record.data, "quality", "findings")
    body = [_summary(findings)]
    if findings:
        header = ("Weight", "Finding", "Evidence")
        body.append(table(header, [_row(finding) for finding in findings], numbers=range(0)))
    sampled = [plain(said) for said in elements(record.data, "quality", "sampled")]
    if sampled:
        body.append(paragraph(f"Not all rows are looked at everywhere: {'; '.join(sampled)}."))
    if gallery is not None and gallery.quality:
        body.append(tag("div", *(picture(figure) for figure in gallery.quality), class_="gallery"))
    body.append(details("Every measure, as a gate can bound it", _measures(record)))
    return section("quality", "Quality of the data", *body)


def _summary(findings: list[Json]) -> Html:
    if not findings:
        return paragraph("Nothing was found that makes the result doubtful.")
    counts = dict.fromkeys(SEVERITIES, 0)
    for finding in findings:
        counts[text(finding, "severity") or "note"] += 1  # type: ignore[index]
    said = [_pill(severity, counted(n, _NOUNS[severity])) for severity, n in counts.items() if n]
    return tag("p", joined(Html(f"{one} ") for one in said))


def _pill(severity: str, said: str) -> Html:
    kind = severity if severity in SEVERITIES else "note"
    return tag("span", words(said), class_=f"pill {kind}")


def _row(finding: Json) -> list[Html]:
    severity = text(finding, "severity") or "note"
    advice = text(finding, "advice")
    what = known(text(finding, "what"))
    if advice:
        what = joined([what, tag("small", words(f"{advice[:1].upper()}{advice[1:]}."))])
    return [_pill(severity, severity), what, _evidence(finding)]


def _evidence(finding: Json) -> Html:
    items = []
    for name, value in members(finding, "evidence").items():
        figure = number(value)
        shown = quantity(figure) if figure is not None else plain(value)
        shown = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
        items.append(tag("li", words(f"{title(name.removeprefix('n_'))}: {shown}")))
    return tag("ul", *items, class_="plain") if items else words("-")


def _measures(record: Record) -> Html:
    measured = members(record.data, "quality", "measures")
    rows = [
        [
            code(name),
            words(DATA_MEANINGS.get(name, "")),
            words(quantity(number(measured, name), absent="not measured")),
        ]
        for name in measured
    ]
    return table(("Measure", "Meaning", "Value"), rows, numbers=range(2, 3))

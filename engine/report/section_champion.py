"""The section that says how the model stands to the champion of its name, on the same test rows."""

from __future__ import annotations

from engine.report import scores
from engine.report.markup import Html, code, paragraph, section, table, tag, words
from engine.report.record import Record, members, number, text
from engine.report.words import metric

_MEANS = {
    "better": "is better",
    "worse": "is worse",
    "the same": "is the same",
    "unproven": "is not proven to be better or worse",
}


def champion(record: Record) -> Html | None:
    """Return the difference in every metric, or why it can't be told; nothing where there was no champion."""
    name = text(record.champion, "champion")
    if name is None:
        return None
    why = text(record.champion, "not_tested")
    if why is not None:
        told = tag("p", words("Not held against "), code(name), words(f": {why}."))
        return section("champion", "Champion", told)
    known = scores.declared(record)
    rows = [
        [
            words(known[one].title if one in known else one),
            words(difference(record, one)),
            words(verdict(record, one)),
        ]
        for one in members(record.champion, "test")
    ]
    note = "This run's score less the champion's, with the interval of a paired bootstrap of the test rows."
    return section(
        "champion",
        "Champion",
        tag("p", words("Held against "), code(name), words(f": {said(record)}")),
        table(("Metric", "Difference", "This run is"), rows),
        paragraph(note),
    )


def said(record: Record) -> str:
    """Say in a sentence how the model stands to the champion in what the goal is about."""
    scored = scores.headline(record)
    if scored is None or scored.name not in members(record.champion, "test"):
        return "the goal's metric is not among what both were scored by."
    means = _MEANS.get(verdict(record, scored.name), "is not proven to be better or worse")
    return f"in {scored.title} this run {means}: {difference(record, scored.name)}."


def verdict(record: Record, name: str) -> str:
    """Return what the paired test found of one metric."""
    return text(record.champion, "test", name, "verdict") or "unproven"


def difference(record: Record, name: str) -> str:
    """Return one metric's difference with its interval."""
    value, low, high = (number(record.champion, "test", name, key) for key in ("value", "low", "high"))
    return metric(value) + ("" if low is None or high is None else f" ({metric(low)} to {metric(high)})")

"""The section that says why the model answers so."""

from __future__ import annotations

from engine.report.figures import Gallery
from engine.report.markup import Html, code, joined, paragraph, section, table, tag, words
from engine.report.pictures_explain import opened
from engine.report.record import Json, Record, elements, members, number, plain, text
from engine.report.section_results import picture
from engine.report.words import counted, metric, share

_CAUTION = "What a column adds is what the model made of it, not what causes the target."


def explanations(record: Record, gallery: Gallery | None) -> Html | None:
    """Return what columns add, what answers depend on, telling rows and the shallow tree, where studied."""
    found = members(record.metrics, "explanations")
    if not found:
        return None
    body = [paragraph(_said(record))]
    if gallery and gallery.explanations:
        body.append(tag("div", *map(picture, gallery.explanations), class_="gallery"))
    else:
        unit = text(found, "unit") or ""
        means = members(found, "columns")
        rows = ([code(name), words(metric(number(means, name)))] for name in means)
        body.append(table(("Column", f"Adds in the mean, without sign ({unit})"), rows))
    return section("explanations", "Why it answers so", *body, *_surrogate(members(found, "surrogate")))


def _said(record: Record) -> str:
    found = members(record.metrics, "explanations")
    drawn, there = number(found, "n_rows"), number(found, "n_test_rows")
    rows = f"{counted(drawn, 'test row')}, drawn at random from {counted(there, 'row')}"
    if drawn == there:
        rows = f"all {counted(there, 'test row')}"
    how = "Shapley values, sampled by asking the model beside 32 training rows"
    if text(found, "method") == "exact":
        how = "exact Shapley values of the model's own sum"
    return f"{how[0].upper()}{how[1:]}, counted in {text(found, 'unit')}, of {rows}. {_CAUTION}"


def _surrogate(found: dict[str, Json]) -> list[Html]:
    """Return the leaves of the shallow tree, and how near it comes."""
    rules = elements(found, "rules")
    if not rules:
        return []
    of, fidelity = text(found, "of") or "", number(found, "fidelity")
    near = "which never varies" if fidelity is None else f"of which it explains {share(max(fidelity, 0.0))}"
    learnt, held = (
        counted(number(found, f"n_{part}_rows"), f"{said} row")
        for part, said in (("train", "training"), ("test", "test"))
    )
    what = of if opened(of) == of else f"the {of}"
    said = (
        f"A tree fitted to what the model says of {learnt}: {what}, {near} on {held} (R²). It stands "
        "beside the model, not for it."
    )
    body = (
        [_conditions(rule), words(share(number(rule, "share"))), words(metric(number(rule, "answer")))]
        for rule in rules
    )
    header = ("Where", "Training rows", opened(of))
    return [tag("h3", words("The model in a few sentences")), paragraph(said), table(header, body)]


def _conditions(rule: Json) -> Html:
    parts = [code(plain(one)) for one in elements(rule, "conditions")]
    if not parts:
        return words("always")
    return joined([parts[0], *(joined([words(" and "), part]) for part in parts[1:])])

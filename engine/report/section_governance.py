"""The section that says who answers for the model, its class of risk, and what that class requires."""

from __future__ import annotations

from engine.governance.requirements import REQUIREMENTS
from engine.report.document import NOTICE
from engine.report.markup import Html, code, joined, known, pairs, paragraph, section, table, words
from engine.report.record import Record, elements, members, plain, text

_TOLD = (
    ("Purpose", "purpose"),
    ("Risk class", "risk_class"),
    ("Reason", "risk_reason"),
    ("Point of Annex III", "risk_area"),
    ("Intended use", "intended_use"),
    ("Must not be used for", "out_of_scope"),
    ("Human oversight", "oversight"),
    ("Legal basis", "legal_basis"),
    ("Retention", "retention"),
)


def governance(record: Record) -> Html | None:
    """Return what the recipe says of it; None where it says nothing."""
    if not members(record.recipe, "governance"):
        return None
    told = [(name, known(text(record.recipe, "governance", key))) for name, key in _TOLD]
    people = [
        (name, _people(record, key)) for name, key in (("Owners", "owners"), ("Reviewers", "reviewers"))
    ]
    risk = text(record.recipe, "governance", "risk_class")
    asked = {one.what: one for one in REQUIREMENTS if risk in one.classes}.values()
    rows = (
        [words(one.what[:1].upper() + one.what[1:]), words(one.article), code(_where(one.key))]
        for one in asked
    )
    listed = (
        table(("Required of this class", "By", "Held to by"), rows, numbers=range(0)) if asked else Html("")
    )
    papers = "card.html, datasheet.html and engine techdoc RUN say the rest, and what is missing."
    return section(
        "governance", "Governance", pairs([*people, *told]), listed, paragraph(f"{NOTICE} {papers}")
    )


def _where(key: str) -> str:
    return "goal.gates" if key == "governance.risk_class" else key


def _people(record: Record, key: str) -> Html:
    named = [words(plain(one)) for one in elements(record.recipe, "governance", key)]
    return joined([one if not at else Html(f", {one}") for at, one in enumerate(named)]) or known(None)

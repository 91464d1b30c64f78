"""A class of risk switches on what it requires, each by an article, and what is prohibited is not run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from engine.governance.annex import POINTS, PRINCIPLES
from engine.governance.check import check_governance
from engine.governance.requirements import DOCUMENTS, LOG_DAYS, REQUIREMENTS, documents, required
from engine.recipe.spec import Spec
from engine.recipe.spec_governance import GovernanceSpec

Make = Callable[[Mapping[str, object]], Spec]
METRICS = ("roc_auc", "accuracy", "f1")
WORDS = "somebody wrote this"
SHEET = ("motivation", "composition", "collection", "preparation")
TEXTS = (
    "intended_use", "out_of_scope", "limits", "risks", "oversight", "monitoring", "legal_basis", "retention",
)  # fmt: skip
HIGH: dict[str, Any] = {
    "purpose": WORDS, "risk_class": "high", "risk_reason": WORDS, "risk_area": "employment", "owners": ["a"],
    "reviewers": ["b"], "log_days": LOG_DAYS, **dict.fromkeys(TEXTS, WORDS), "datasheet": dict.fromkeys(SHEET, WORDS),
}  # fmt: skip
GATES: dict[str, Any] = {
    "accuracy": {"min": 0.5}, "missing_values": {"max": 0.1}, "robustness_noise_fall": {"max": 0.1},
    "demographic_parity_ratio": {"by": "sex", "min": 0.8},
}  # fmt: skip


def told(make: Make, said: Mapping[str, Any], gates: Mapping[str, Any] | None, **more: object) -> list[str]:
    """Return what is wrong, a line each: the key and what."""
    spec = make({"governance": said, "goal.gates": gates, **more})
    return [f"{one.key}: {one.what}" for one in check_governance(spec, metrics=METRICS)]


def test_nothing_said_is_nothing_required(make_spec: Make) -> None:
    """Without `governance` nothing is asked, and a whole recipe of class high lacks nothing."""
    assert list(check_governance(make_spec({}), metrics=METRICS)) == []
    assert told(make_spec, HIGH, GATES) == []


@pytest.mark.parametrize(
    "key", [*TEXTS, "risk_area", "log_days", "owners", "reviewers", *(f"datasheet.{key}" for key in SHEET)]
)
def test_each_text_of_class_high_is_asked_for(make_spec: Make, key: str) -> None:
    """What class high requires is missed when it is taken out, each alone, with its article."""
    said = {**HIGH, "datasheet": dict(HIGH["datasheet"])}
    above, _, name = key.rpartition(".")
    del (said[above] if above else said)[name]
    (what,) = told(make_spec, said, GATES)
    assert re.fullmatch(
        rf"governance\.{key}: risk class high asks for .+ \(.*Articles? .+\), and nobody has written it", what
    )


@pytest.mark.parametrize("gate", list(GATES))
def test_each_gate_of_class_high_is_asked_for(make_spec: Make, gate: str) -> None:
    """A gate on accuracy, data, robustness, and on the groups of a sensitive column: none may be missing."""
    gates = {name: bound for name, bound in GATES.items() if name != gate}
    (what,) = told(make_spec, HIGH, gates)
    assert what.startswith("governance.risk_class: risk class high asks for")


def test_the_audit_is_asked_for_where_there_is_a_sensitive_column(make_spec: Make) -> None:
    """Without a sensitive column, or where the task decides nothing, no groups need be compared, nor is the GDPR asked for."""
    plain = {"schema.columns.sex": {"type": "category"}}
    gates = {name: bound for name, bound in GATES.items() if name != "demographic_parity_ratio"}
    said = {key: value for key, value in HIGH.items() if key not in ("legal_basis", "retention")}
    assert told(make_spec, said, gates, **plain) == []
    spec = make_spec({"governance": HIGH, "goal.gates": gates})
    assert list(check_governance(spec, metrics=("rmse", "accuracy"))) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"reviewers": ["b", " A "]}, "governance.reviewers: risk class high asks for an examination by somebody else (Article 17(1)(d)), and ' A ' is an owner too"),
        ({"log_days": 90}, "governance.log_days: risk class high asks for record-keeping (Articles 12 and 19), and 90 days are less than six months"),
        ({"purpose": " "}, "governance.purpose: 'purpose' is blank"),
        ({"oversight": "\n"}, "governance.oversight: risk class high asks for human oversight (Article 14), and nobody has written it"),
        ({"risk_class": "prohibited"}, "governance.risk_class: Article 5 of Regulation (EU) 2024/1689 prohibits what is of this class: it is not run"),
        ({"annex_iv": {"2h": WORDS}}, "governance.annex_iv.2h: '2h' is not a point of Annex IV"),
    ],
)  # fmt: skip
def test_what_is_wrong(make_spec: Make, change: Mapping[str, Any], expected: str) -> None:
    """A reviewer who owns it, a log that is kept too short, blank words, a prohibited class, a point that is none."""
    assert told(make_spec, {**HIGH, **change}, GATES) == [expected]


def test_the_table_is_sound() -> None:
    """Each line names an article and a key that recipes have; each class but the prohibited has documents."""
    known = {f"governance.{name}" for name in GovernanceSpec.model_fields}
    for one in REQUIREMENTS:
        assert "Article" in one.article
        assert one.write
        assert one.key in known or one.key.startswith("governance.datasheet.")
    assert [len(required(risk)) for risk in ("minimal", "limited")] == [0, 2]
    assert len(required("high")) > 20
    assert set(DOCUMENTS) == {"minimal", "limited", "high"}
    assert len(POINTS) == len({point.id for point in POINTS}) == 23
    assert [principle.id for principle in PRINCIPLES] == ["1.1", "1.2", "1.3", "1.4", "1.5"]


def test_documents_follow_the_class(make_spec: Make) -> None:
    """Class high has the technical documentation written into its run."""
    forms = ("md", "html", "json")
    two = tuple(f"{name}.{form}" for name in ("card", "datasheet") for form in forms)
    assert documents(make_spec({})) == two
    assert documents(make_spec({"governance": HIGH})) == (*two, *(f"techdoc.{form}" for form in forms))


@pytest.mark.parametrize(
    "gate",
    [
        {"accuracy": {"min": 0}},
        {"missing_values": {"max": 1}},
        {"demographic_parity_ratio": {"by": "sex", "min": 0}},
    ],
)
def test_a_gate_that_no_run_can_miss_is_none(make_spec: Make, gate: Mapping[str, Any]) -> None:
    """A bound at the end of what a measure can be rules nothing out, so it proves nothing."""
    (what,) = told(make_spec, HIGH, {**GATES, **gate})
    assert ", and no gate " in what


def test_a_sensitive_number_is_judged_by_quarters(make_spec: Make) -> None:
    """No gate compares the groups of a number; a slice judges them apart, and one is asked for."""
    columns = {
        "age": {"type": "number", "sensitive": True},
        "sex": {"type": "category", "sensitive": True},
        "y": {"type": "category"},
    }
    more = {"schema.columns": columns, "schema.target": "y"}
    (what,) = told(make_spec, HIGH, GATES, **more)
    assert what.endswith("'age', a number that is marked sensitive, makes no slice")
    assert told(make_spec, HIGH, GATES, **more, **{"evaluation.slices": ["age"]}) == []

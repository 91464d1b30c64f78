"""The part of the spec that says who answers for a model, and how much the law asks of it.

What a person writes here stands in the card, the data sheet and the technical documentation; which of it a
risk class requires is in `engine.governance`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from engine.recipe.strict import Strict, as_tuple

# Regulation (EU) 2024/1689: Article 5, Article 6, Article 50, and the rest.
RiskClass = Literal["prohibited", "high", "limited", "minimal"]
# The points of its Annex III, in their order; `product` stands for Article 6(1) and Annex I.
RiskArea = Literal[
    "biometrics",
    "critical_infrastructure",
    "education",
    "employment",
    "essential_services",
    "law_enforcement",
    "migration",
    "justice",
    "product",
]
People = Annotated[tuple[str, ...], BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...])]


class DatasheetSpec(Strict):
    """What only a person knows of the data; sections after Gebru et al., "Datasheets for Datasets" (2021)."""

    motivation: str | None = Field(
        None,
        description="why the data was made, by whom, and who paid for it",
        examples=["collected by the census bureau to know who earns what; paid for by the state"],
    )
    composition: str | None = Field(
        None,
        description="what a row stands for, of what larger whole it is a sample, what it leaves out",
        examples=["a person of 16 years or more; a weighted sample of households"],
    )
    collection: str | None = Field(
        None,
        description="how and when the values were obtained, by whom, and whether people knew and agreed",
        examples=["interviews of 1994; people were told that answers are used for statistics"],
    )
    preparation: str | None = Field(
        None,
        description="what was cleaned, labelled or left out before this engine read it, and where the raw "
        "data is kept",
        examples=["rows without an age were left out; the raw file is in the archive of the bureau"],
    )
    uses: str | None = Field(
        None,
        description="what else it was used for, and what it must not be used for",
        examples=["teaching; not for decisions about single persons"],
    )
    distribution: str | None = Field(
        None, description="who may have it, and under which licence", examples=["anyone, CC BY 4.0"]
    )
    maintenance: str | None = Field(
        None,
        description="who looks after it, how errors are told, and when it is renewed",
        examples=["the data team, data@example.com; renewed each January"],
    )


class GovernanceSpec(Strict):
    """Who answers for a model, what it is for, and its class of risk."""

    purpose: str = Field(
        description="what the system that uses the model is for",
        examples=["choose whom to offer the premium plan"],
    )
    risk_class: RiskClass = Field(
        description="its class by the EU's AI Act, Regulation (EU) 2024/1689: prohibited (Article 5; no such "
        "recipe runs), high (Article 6), limited (Article 50) or minimal; a class asks for gates and texts, "
        "and a recipe that lacks one is refused. The engine gives evidence, not legal compliance",
        examples=["high"],
    )
    risk_reason: str = Field(
        description="why it is of that class, by whose judgement",
        examples=["sets no price and denies no service; judged by the legal team, 2026-03-01"],
    )
    risk_area: RiskArea | None = Field(
        None,
        description="of class high: the point of Annex III that it falls under; product: a safety component "
        "or a product of Annex I",
        examples=["employment"],
    )
    owners: People = Field(
        (), description="who answers for the model, and how they are reached", examples=["growth@example.com"]
    )
    reviewers: People = Field(
        (), description="who examines it before it is used, none of them an owner", examples=["Ada Lovelace"]
    )
    provider: str | None = Field(
        None, description="the organisation that puts it into service", examples=["Example Ltd, Dublin"]
    )
    licence: str | None = Field(None, description="the licence of the model", examples=["apache-2.0"])
    intended_use: str | None = Field(
        None,
        description="who decides what with its answers",
        examples=["the sales team orders its calls by the probability"],
    )
    out_of_scope: str | None = Field(
        None, description="what it must not be used for", examples=["credit, prices, anybody below 18"]
    )
    limits: str | None = Field(
        None,
        description="its known weaknesses, and what to do about them",
        examples=["learnt from 1994: incomes have moved since"],
    )
    affected: str | None = Field(
        None,
        description="who is affected by its answers, and how they can object",
        examples=["customers; any of them by the help desk, answered within a week"],
    )
    risks: str | None = Field(
        None,
        description="what can go wrong for people, and what is done against it: the risk management of "
        "Article 9",
        examples=["women are offered less: held to a parity gate, looked at each quarter"],
    )
    oversight: str | None = Field(
        None,
        description="who watches it, may overrule an answer and may stop it, and how: Article 14",
        examples=["the head of sales reads a sample each day, and switches the list off in the console"],
    )
    monitoring: str | None = Field(
        None,
        description="what is looked at once it is in use, how often, and who acts: Article 72",
        examples=["drift and parity each week; the data team retrains"],
    )
    disclosure: str | None = Field(
        None,
        description="how people are told that an AI system is at work: Article 50",
        examples=["a line under each offer"],
    )
    legal_basis: str | None = Field(
        None,
        description="why personal data may be used: the GDPR's Article 6, of special categories Article 9",
        examples=["consent, Article 6(1)(a) GDPR"],
    )
    retention: str | None = Field(
        None,
        description="how long the data is kept, and who deletes it",
        examples=["24 months, deleted by the warehouse"],
    )
    log_days: Annotated[int, Field(ge=0)] | None = Field(
        None,
        description="for how many days the log of the system in use is kept: Article 19 asks for six months",
        examples=[365],
    )
    datasheet: DatasheetSpec | None = Field(
        None,
        description="what only a person knows of the data; null: nothing is written yet",
        examples=[{"motivation": "collected to know who earns what", "collection": "interviews of 1994"}],
    )
    annex_iv: dict[str, str] = Field(
        {},
        description="what the engine can't know of a point of Annex IV, by the point; engine techdoc RUN "
        "says which are missing",
        examples=[{"2(h)": "signed images, a private network"}],
    )

"""Annex IV of Regulation (EU) 2024/1689: what technical documentation holds, point by point, in short.

And the OECD's principles for trustworthy AI, each with what this engine measures of it.
"""

from __future__ import annotations

from dataclasses import dataclass

PROVIDER, OWNERS, REVIEWERS = "the provider", "the owners", "the reviewers"


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the annex: its number, what it asks for in short, and who writes what no run knows."""

    id: str
    asks: str
    by: str = PROVIDER


POINTS: tuple[Point, ...] = (
    Point("1(a)", "Intended purpose, name of the provider, version and its relation to earlier versions"),
    Point("1(b)", "How it works with hardware or software that is no part of it, other AI systems among it"),
    Point("1(c)", "Versions of software or firmware, and what an update requires"),
    Point("1(d)", "The forms in which it is put into service: packages, downloads, interfaces"),
    Point("1(e)", "The hardware on which it is to run"),
    Point("1(f)", "Of a component of a product: pictures of its outside, marking and inner layout"),
    Point("1(g)", "The user interface that the deployer gets, in outline"),
    Point("1(h)", "Instructions for use for the deployer"),
    Point("2(a)", "How it was developed, also what was taken from others: trained systems, tools"),
    Point("2(b)", "Design: logic, choices, assumptions, what is optimised for, trade-offs, expected output",
          OWNERS),
    Point("2(c)", "Architecture, and the computing that developing, training and testing took"),
    Point("2(d)", "The data: where it comes from, its scope, how it was chosen, labelled, cleaned", OWNERS),
    Point("2(e)", "Human oversight that is needed, and what helps people to read the output", OWNERS),
    Point("2(f)", "Changes that are foreseen from the start, and how it stays in order through them", OWNERS),
    Point("2(g)", "Validation and testing: data, metrics, discriminatory impact, dated and signed reports",
          REVIEWERS),
    Point("2(h)", "Cybersecurity"),
    Point("3", "Monitoring, functioning and control: accuracy, also for groups, foreseeable harm, input data",
          OWNERS),
    Point("4", "Why the performance metrics suit this system", OWNERS),
    Point("5", "The risk management system of Article 9", OWNERS),
    Point("6", "Changes made through its life"),
    Point("7", "Harmonised standards applied, or what was done instead"),
    Point("8", "The EU declaration of conformity of Article 47"),
    Point("9", "How it is watched once it is in use, with the plan of Article 72(3)", OWNERS),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Principle:
    """One of the OECD's principles, and what is said when nothing of it was measured."""

    id: str
    name: str
    unmeasured: str


PRINCIPLES: tuple[Principle, ...] = (
    Principle("1.1", "Inclusive growth, sustainable development and well-being",
              "No worth of outcomes is declared (goal.value)"),
    Principle("1.2", "Human rights and democratic values, fairness and privacy",
              "No groups were compared: no column is marked sensitive, or the target has no decisions"),
    Principle("1.3", "Transparency and explainability",
              "No column's worth was measured (evaluation.importance_rows)"),
    Principle("1.4", "Robustness, security and safety",
              "No robustness was measured"),
    Principle("1.5", "Accountability",
              "Nobody is named (governance.owners)"),
)  # fmt: skip

"""What each class of risk requires of a recipe: one table, each line with the article that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from engine.data.quality.finding import DATA_MEANINGS
from engine.evaluation.fairness import DEMOGRAPHIC_PARITY_RATIO, FOUR_FIFTHS, MEASURES
from engine.evaluation.gates import MEASURED_ON_BUNDLE, Grouping, binds
from engine.evaluation.robustness import FALLS
from engine.recipe.spec import Spec
from engine.recipe.spec_governance import DatasheetSpec, GovernanceSpec, RiskClass
from engine.tasks.confusion import F1

# Article 19(1): at least six months.
LOG_DAYS = 183
Document = Literal["card", "datasheet", "techdoc"]
FORMS = ("md", "html", "json")
# What is written into the run folder of each class; what is prohibited has no run.
DOCUMENTS: Mapping[RiskClass, tuple[Document, ...]] = {
    "minimal": ("card", "datasheet"),
    "limited": ("card", "datasheet"),
    "high": ("card", "datasheet", "techdoc"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A recipe as the lines of the table see it; `metrics` are those that its task has."""

    spec: Spec
    said: GovernanceSpec
    metrics: tuple[str, ...]

    @property
    def gates(self) -> frozenset[str]:
        """The measures that are bounded, by gates that can be missed."""
        return frozenset(name for name, gate in (self.spec.goal.gates or {}).items() if binds(name, gate))

    @property
    def uncompared(self) -> tuple[str, ...]:
        """The columns marked sensitive whose groups no gate compares, though decisions could be."""
        if F1.name not in self.metrics:
            return ()
        gates = (self.spec.goal.gates or {}).items()
        compared = {column for name, gate in gates if name in self.gates & {*MEASURES} for column in gate.by}
        columns = self.spec.schema_.columns
        groups = (name for name in Grouping().columns(self.spec) if columns[name].sensitive)
        return tuple(name for name in groups if name not in compared)

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The numbers marked sensitive of which there is no slice; no gate compares a number's groups."""
        sliced = {column for by in self.spec.evaluation.slices for column in by}
        columns = self.spec.schema_.columns.items()
        numbers = (name for name, column in columns if column.sensitive and column.type == "number")
        return tuple(name for name in numbers if name not in sliced)

    @property
    def is_personal(self) -> bool:
        """Whether a column is marked sensitive or personal."""
        return any(column.sensitive or column.pii for column in self.spec.schema_.columns.values())


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing that classes of risk require.

    Attributes
    ----------
    key
        Where it is written in the recipe.
    write
        What to write there.
    lacks
        Says of a recipe what it lacks; empty where it has it, or needs it not.
    """

    classes: tuple[RiskClass, ...]
    what: str
    article: str
    key: str
    write: str
    lacks: Callable[[Asked], str]


def is_written(value: object) -> bool:
    """Tell whether somebody wrote something."""
    if isinstance(value, str):
        return bool(value.strip())
    return any(map(is_written, value)) if isinstance(value, tuple) else value is not None


def _text(
    what: str,
    article: str,
    key: str,
    *,
    classes: tuple[RiskClass, ...] = ("high",),
    wanted: Callable[[Asked], bool] = lambda _: True,
) -> Requirement:
    """Return the line of a text; what to write is what the key's own description says."""
    above, _, name = key.rpartition(".")
    fields = DatasheetSpec.model_fields if above else GovernanceSpec.model_fields

    def lacks(asked: Asked) -> str:
        holder = asked.said.datasheet if above else asked.said
        has_it = holder is not None and is_written(getattr(holder, name))
        return "" if has_it or not wanted(asked) else "nobody has written it"

    return Requirement(
        classes, what, article, f"governance.{key}", f"{name}: {fields[name].description}", lacks
    )


def _gate(what: str, article: str, write: str, lacks: Callable[[Asked], str]) -> Requirement:
    # The place is that of the class: of no gates at all there is none.
    return Requirement(("high",), what, article, "governance.risk_class", f"goal.gates: {write}", lacks)


def _area(asked: Asked) -> str:
    return "" if asked.said.risk_area else "nobody has written it"


def _other_reviewers(asked: Asked) -> str:
    owners = {name.strip().casefold() for name in asked.said.owners}
    both = [name for name in asked.said.reviewers if name.strip().casefold() in owners]
    return f"'{both[0]}' is an owner too" if both else ""


def _logs(asked: Asked) -> str:
    days = asked.said.log_days
    if days is None:
        return "nobody has written it"
    return "" if days >= LOG_DAYS else f"{days} days are less than six months"


def _accuracy(asked: Asked) -> str:
    bounded = asked.gates & {*asked.metrics} - {*MEASURED_ON_BUNDLE, *MEASURES}
    return "" if bounded else "no gate bounds a metric of the task"


def _robust(asked: Asked) -> str:
    return "" if asked.gates & {*FALLS} else "no gate bounds how far the score falls"


def _sound_data(asked: Asked) -> str:
    return "" if asked.gates & {*DATA_MEANINGS} else "no gate bounds a measure of the data"


def _groups(asked: Asked) -> str:
    left = asked.uncompared
    return f"no gate compares the groups of '{left[0]}', which is marked sensitive" if left else ""


def _numbers(asked: Asked) -> str:
    left = asked.unjudged
    return f"'{left[0]}', a number that is marked sensitive, makes no slice" if left else ""


REQUIREMENTS: tuple[Requirement, ...] = (
    Requirement(("high",), "the point of Annex III", "Article 6(2)", "governance.risk_area",
                f"risk_area: {GovernanceSpec.model_fields['risk_area'].description}", _area),
    _text("somebody who answers for it", "Article 17(1)(m)", "owners", classes=("limited", "high")),
    _text("an examination by somebody else", "Article 17(1)(d)", "reviewers"),
    Requirement(("high",), "an examination by somebody else", "Article 17(1)(d)", "governance.reviewers",
                "reviewers: people who do not own it", _other_reviewers),
    _text("its intended use", "Article 13(3)(b)(i)", "intended_use"),
    _text("what it must not be used for", "Article 13(3)(b)(iii)", "out_of_scope"),
    _text("its limits", "Article 13(3)(b)(ii)", "limits"),
    _text("risk management", "Article 9", "risks"),
    _text("human oversight", "Article 14", "oversight"),
    _text("a plan to watch it in use", "Article 72", "monitoring"),
    Requirement(("high",), "record-keeping", "Articles 12 and 19", "governance.log_days",
                f"log_days: the days that its log is kept, {LOG_DAYS} or more", _logs),
    _text("the origin of the data", "Article 10(2)(b)", "datasheet.collection"),
    _text("what the data was made for", "Article 10(2)(b)", "datasheet.motivation"),
    _text("how the data was prepared", "Article 10(2)(c)", "datasheet.preparation"),
    _text("what the data stands for", "Article 10(2)(d)", "datasheet.composition"),
    _text("why personal data may be used", "GDPR, Article 6", "legal_basis",
          wanted=lambda asked: asked.is_personal),
    _text("how long personal data is kept", "GDPR, Article 5(1)(e)", "retention",
          wanted=lambda asked: asked.is_personal),
    _gate("a bound on the data's quality", "Article 10(3)", "{missing_values: {max: 0.1}}", _sound_data),
    _gate("an audit for bias", "Article 10(2)(f)",
          f"{{{DEMOGRAPHIC_PARITY_RATIO}: {{by: COLUMN, min: {FOUR_FIFTHS}}}}}", _groups),
    Requirement(("high",), "an audit for bias", "Article 10(2)(f)", "governance.risk_class",
                "evaluation.slices: [COLUMN], which judges a number's quarters apart", _numbers),
    _gate("a declared accuracy", "Article 15(3)", "{roc_auc: {min: 0.9}}, or another metric of the task",
          _accuracy),
    _gate("a bound on robustness", "Article 15(4)", "{robustness_noise_fall: {max: 0.05}}, or another fall",
          _robust),
    _text("how people are told", "Article 50", "disclosure", classes=("limited",)),
)  # fmt: skip


def documents(spec: Spec) -> tuple[str, ...]:
    """Return the files of the documents that a run of this recipe writes."""
    risk = "minimal" if spec.governance is None else spec.governance.risk_class
    return tuple(f"{name}.{form}" for name in DOCUMENTS.get(risk, ()) for form in FORMS)


def risk_words(spec: Spec) -> str | None:
    """Say the class of a recipe, and how much it requires; None where the recipe says none."""
    said = spec.governance
    if said is None:
        return None
    area = f", {said.risk_area}" if said.risk_area else ""
    asked = len(required(said.risk_class))
    held = f": the {asked} things that it asks for are there" if asked else ": it asks for nothing"
    return f"{said.risk_class}{area}{held}"


def required(risk_class: RiskClass) -> tuple[Requirement, ...]:
    """Return the lines of the table that hold for a class."""
    return tuple(one for one in REQUIREMENTS if risk_class in one.classes)

"""One thing found in the data, and the measures of the data that gates can bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["serious", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("serious", "warning", "note")
Evidence = float | int | str
# The types of column whose values are groups, each of which is to be judged.
SENSITIVE_TYPES = ("category", "boolean")

LEAKAGE = "leakage"
FUTURE = "future_columns"
ACROSS = "duplicates_across_parts"
DUPLICATES = "duplicate_rows"
CONFLICTS = "conflicting_rows"
NEAR = "near_duplicate_rows"
NEAR_ACROSS = "near_duplicates_across_parts"
NULLS = "missing_values"
CONSTANTS = "constant_columns"
ID_LIKE = "id_like_columns"
TWINS = "redundant_columns"
LABEL_NOISE = "label_noise"
RAREST = "rarest_class"
SENSITIVE = "smallest_sensitive_group"
SHIFT = "shift_between_parts"
POPULATION = "shift_from_population"
# What a gate can bound of the data, before anything is fitted.
DATA_MEANINGS: Mapping[str, str] = {
    LEAKAGE: "number of columns, or sets of them, that give the target away",
    FUTURE: "number of columns from the future of their row: a later moment, the target of a later row",
    ACROSS: "share of validation and test rows that stand among the training rows too",
    DUPLICATES: "share of rows that repeat an earlier row",
    CONFLICTS: "share of rows with a twin that is equal in every feature and has another target",
    NEAR: "share of rows that equal another, target and all, but for rounding, case or blanks",
    NEAR_ACROSS: "share of validation and test rows equal to a training row but for rounding, case or blanks",
    NULLS: "largest share of missing values in a feature",
    CONSTANTS: "number of features with one value or none",
    ID_LIKE: "number of features with another value in every row",
    TWINS: "number of features that say what another one says",
    LABEL_NOISE: "estimated share of rows whose class is wrong (confident learning), or whose number is",
    RAREST: "share of all rows that the rarest class has",
    SENSITIVE: "test rows of the smallest group of a column marked sensitive",
    SHIFT: "largest population stability index of a feature, test rows against training rows",
    POPULATION: "largest population stability index of a column, training rows against data.population",
}
# Those between 0 and 1.
SHARES = frozenset({ACROSS, DUPLICATES, CONFLICTS, NEAR, NEAR_ACROSS, NULLS, LABEL_NOISE, RAREST})
# Those of which more is better.
GREATER_IS_BETTER = frozenset({RAREST, SENSITIVE})
# Those of a target that has classes.
OF_CLASSES = frozenset({RAREST})


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found.

    Attributes
    ----------
    check
        Which check found it, the measure of that name among them where there is one.
    columns
        What it is about; empty where it is the whole table.
    what
        One sentence, without a cell's value of a column marked `sensitive` or `pii`.
    evidence
        The numbers behind it, by name.
    advice
        What to do, one sentence.
    """

    check: str
    severity: Severity
    columns: tuple[str, ...]
    what: str
    evidence: Mapping[str, Evidence]
    advice: str

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`."""
        return {
            "check": self.check,
            "severity": self.severity,
            "columns": list(self.columns),
            "what": self.what,
            "evidence": dict(self.evidence),
            "advice": self.advice,
        }


@dataclass(frozen=True, slots=True)
class Found:
    """What one check brings: findings, measures, and figures for a picture, by column."""

    findings: Sequence[Finding] = ()
    measures: Mapping[str, float] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quality:
    """All that the checks found, the gravest first.

    Attributes
    ----------
    measures
        By the names of `DATA_MEANINGS`; NaN where it could not be measured.
    figures
        For pictures: `predictive_power` of each feature alone, `shift` of each feature, …
    sampled
        What was looked at in fewer rows than there are, a sentence each.
    """

    findings: tuple[Finding, ...]
    measures: Mapping[str, float]
    figures: Mapping[str, Mapping[str, float]]
    sampled: tuple[str, ...]

    @property
    def serious(self) -> tuple[Finding, ...]:
        """What a person should look at before the result is used."""
        return tuple(finding for finding in self.findings if finding.severity == "serious")

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`; a measure that is not finite is null."""
        return {
            "findings": [finding.to_json() for finding in self.findings],
            "measures": {name: _finite(value) for name, value in self.measures.items()},
            "figures": {
                name: {column: _finite(value) for column, value in figure.items()}
                for name, figure in self.figures.items()
            },
            "sampled": list(self.sampled),
        }


def _finite(value: float) -> float | None:
    # NaN and the infinities are the numbers whose difference to themselves is not 0.
    return value if value - value == 0 else None

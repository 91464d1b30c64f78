"""Every check of the data's quality in turn, with a bound on what each may cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from engine.data.profile import Profile
from engine.data.quality import labels, leaks, shift
from engine.data.quality.codes import draw, pick
from engine.data.quality.columns import check_columns, check_twins
from engine.data.quality.finding import DATA_MEANINGS, LEAKAGE, SEVERITIES, Finding, Found, Quality
from engine.data.quality.future import check_future
from engine.data.quality.groups import check_classes, check_groups
from engine.data.quality.rows import check_rows
from engine.data.quality.shift import check_population, check_shift
from engine.data.quality.spellings import check_spellings
from engine.data.quality.values import check_values
from engine.data.split import Parts
from engine.data.table import Table

if TYPE_CHECKING:
    Array = np.ndarray
_POWER = "predictive_power"
_ADVICE = (
    "ask whether it is known before the outcome is; if not, set its role to ignore",
    "ask whether they are known before the outcome is; if not, set the role of one to ignore",
)


def inspect(
    table: Table,
    *,
    parts: Parts,
    y: Array,
    classes: Sequence[str],
    profile: Profile,
    population: Mapping[str, Mapping[str, float]] | None,
    in_time: bool,
    seed: int,
) -> Quality:
    """Look for everything that makes a result doubtful, before anything is fitted.

    Nothing of it is used by the model. What compares columns with the target looks at training rows alone;
    wrong classes are looked for in all parts, for in the test rows they make the judgement wrong.

    Parameters
    ----------
    y
        Class codes, or values; shape (n_rows,).
    classes
        The names of the classes by code, empty where the target is a number.
    in_time
        Whether the parts follow each other in time.
    seed
        Draws the rows where not all are looked at.
    """
    frame, schema = table.frame, table.schema
    sampled: list[str] = []
    if len(parts.train) > shift.MAX_ROWS:
        sampled.append(f"shifts are looked for in {shift.MAX_ROWS:,} rows of each part")
    founds = [
        _leaks(table, parts.train, y, n_classes=len(classes), seed=seed, sampled=sampled),
        check_future(frame, schema, y),
        check_population(frame, parts, population),
        check_rows(frame, schema, parts, n_repeated=profile.n_duplicate_rows, kept=table.kept),
        check_columns(profile.columns, n_rows=table.n_rows),
        check_twins(frame, schema.features),
        check_spellings(frame, (*schema.features, schema.target)),
        check_shift(frame, schema, parts, in_time=in_time, seed=seed),
        check_groups(frame, schema, parts),
    ]
    if classes:
        founds.append(check_classes(y, parts, classes, schema.target))
    founds.append(_labels(table, y, classes, seed=seed, sampled=sampled))
    return _together(founds, sampled)


def _together(founds: Sequence[Found], sampled: Sequence[str]) -> Quality:
    findings = [finding for found in founds for finding in found.findings]
    findings.sort(key=lambda finding: SEVERITIES.index(finding.severity))
    measures = {name: value for found in founds for name, value in found.measures.items()}
    return Quality(
        findings=tuple(findings),
        measures={name: float(measures.get(name, np.nan)) for name in DATA_MEANINGS},
        figures={name: figure for found in founds for name, figure in found.figures.items()},
        sampled=tuple(sampled),
    )


def _leaks(table: Table, train: Array, y: Array, *, n_classes: int, seed: int, sampled: list[str]) -> Found:
    found = leaks.suspect_columns(
        table.frame, schema=table.schema, rows=train, y=y, n_classes=n_classes, seed=seed
    )
    if found.n_rows < len(train):
        sampled.append(f"leaks are looked for in {found.n_rows:,} of {len(train):,} training rows")
    findings = list(_suspected(found.suspects))
    # What a column takes away of the error of knowing nothing, so that 1 is a column that says it all.
    power = {one.column: round(float(np.clip(1 - one.error_left, 0, 1)), 6) for one in found.powers}
    return Found(findings, {LEAKAGE: len(findings)}, {_POWER: power})


def _suspected(suspects: Sequence[leaks.Suspect]) -> Iterator[Finding]:
    for suspect in suspects:
        several = len(suspect.columns) > 1
        named = " and ".join(f"'{name}'" for name in suspect.columns)
        what = f"{named} may give the target away: {suspect.what}"
        yield Finding(LEAKAGE, "serious", suspect.columns, what, suspect.evidence, _ADVICE[several])


def _labels(table: Table, y: Array, classes: Sequence[str], *, seed: int, sampled: list[str]) -> Found:
    drawn = draw(table.n_rows, labels.MAX_ROWS, seed=seed)
    if len(drawn) < table.n_rows:
        what = "classes" if classes else "targets"
        sampled.append(f"wrong {what} are looked for in {len(drawn):,} of {table.n_rows:,} rows")
    features = table.schema.features
    looked = pick(table.frame, (column.name for column in features))[drawn]
    if not classes:
        return check_values(looked, features, y[drawn], table.places(drawn), target=table.schema.target)
    return labels.check_labels(
        looked, features, y[drawn], table.places(drawn), names=classes, target=table.schema.target
    )

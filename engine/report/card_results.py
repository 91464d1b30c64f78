"""The sections of the card that say how good the model is: metrics, columns, gates, slices, groups."""

from __future__ import annotations

from collections.abc import Iterator

from engine.evaluation.gates import MEASURED_BY_CLOCK
from engine.report import mitigation, pictures_importance, scores, slices
from engine.report.document import (
    Block,
    Heading,
    Paragraph,
    Said,
    Section,
    Table,
    amount,
    entries,
    ours,
    score,
    sentence,
    source,
    tell,
)
from engine.report.record import Json, Record, at, elements, number
from engine.report.scores import Scored
from engine.report.words import metric, quantity, share, title

# Measured by the clock or the machine: their values differ between equal runs.
_MEASURED = ("_ms", "_s", "_mib")
_NONE, _NOT_MADE = ours("none recorded"), ours("-")


def sections(record: Record) -> tuple[Section, ...]:
    """Return what was measured, section by section; one of which there is nothing is left out."""
    found = (
        Section("Metrics on the test rows", tuple(metrics(record))),
        Section("What each column is worth", tuple(worth(record))),
        Section("Gates", tuple(gates(record))),
        Section("Slices of the test rows", tuple(_slices(record))),
        Section("Groups", tuple(groups(record))),
    )
    return tuple(section for section in found if section.blocks)


def is_stable(name: str) -> bool:
    """Tell whether equal runs measure the same under a name, of a metric or a gate."""
    bare = name.partition(" by ")[0]
    return bare not in MEASURED_BY_CLOCK and not bare.endswith(_MEASURED)


def metrics(record: Record) -> Iterator[Block]:
    """Yield every metric with its interval and the baselines' values."""
    rows = [one for one in scores.read(record) if is_stable(one.name)]
    if not rows:
        yield Paragraph(Said(None))
        return
    kinds = [kind for kind in scores.BASELINES if any(kind in one.baselines for one in rows)]
    header = ("Metric", "Value", "Interval", *(f"{title(kind)} baseline" for kind in kinds))
    body = (
        (
            ours(one.title),
            score(record, "test", one.name, "value"),
            interval(record, "test", one.name),
            *(_baseline(record, one, kind) for kind in kinds),
        )
        for one in rows
    )
    yield Table(header, tuple(body))
    yield from confidence(record)
    if any(one.differences for one in rows):
        said = "In brackets: the model on the same rows is better, worse, the same, or that is unproven."
        yield Paragraph(ours(said))
    behind = scores.worse(record)
    if behind:
        yield Paragraph(sentence(behind, source("metrics", (), record.metrics)))


def confidence(record: Record) -> Iterator[Block]:
    """Yield with what confidence the intervals hold, where one was asked for."""
    level = number(record.recipe, "evaluation", "confidence")
    if level is not None:
        path = ("evaluation", "confidence")
        said = f"The intervals are {quantity(100 * level)}% intervals."
        yield Paragraph(sentence(said, source("recipe", path, level)))


def interval(record: Record, *path: str) -> Said:
    """Return an interval that stands in metrics.json."""
    low, high = (score(record, *path, end) for end in ("low", "high"))
    if not (low.sources and high.sources):
        return _NONE
    return sentence(f"{low.text} to {high.text}", low, high)


def _baseline(record: Record, one: Scored, kind: str) -> Said:
    if kind not in one.baselines:
        return _NOT_MADE
    value = score(record, "baselines", kind, "test", one.name, "value")
    found = one.differences.get(kind)
    if found is None:
        return value
    path = ("baselines", kind, "difference", one.name, "verdict")
    told = f"{value.text} (the model: {found.verdict})"
    return sentence(told, value, source("metrics", path, found.verdict))


def worth(record: Record) -> Iterator[Block]:
    """Yield what the score loses without each column, where that was measured."""
    found = pictures_importance.lost_without(record)
    if not found:
        return
    measured, rows = pictures_importance.measured_on(record)
    n_rows = amount(record, "metrics", "importance", "n_rows")
    yield Paragraph(sentence(f"What is lost when a column is shuffled among {rows}.", n_rows))
    body = (
        (
            Said(name, is_code=True),
            score(record, "importance", "columns", name, "value"),
            interval(record, "importance", "columns", name),
        )
        for name in found
    )
    yield Table(("Column", f"Loss in {measured}", "Interval"), tuple(body))


def gates(record: Record) -> Iterator[Block]:
    """Yield each bound with what was reached."""
    found = elements(record.gates, "gates")
    if not found:
        said = Said(None) if record.gates is None else ours("The recipe sets none.")
        yield Paragraph(said)
        return
    body = (_gate(record, str(place), gate) for place, gate in enumerate(found))
    yield Table(("Gate", "Bound", "Reached", "Verdict"), tuple(body))


def _gate(record: Record, place: str, gate: Json) -> tuple[Said, ...]:
    name = tell(record, "gates", "gates", place, "name", is_code=True)
    ends = [
        (said, amount(record, "gates", "gates", place, "bound", key))
        for key, said in (("min", "at least"), ("max", "at most"))
    ]
    limits = [(said, limit) for said, limit in ends if limit.text is not None]
    asked = " and ".join(f"{said} {limit.text}" for said, limit in limits)
    bound = sentence(asked, *(limit for _, limit in limits)) if limits else Said(None)
    value = number(gate, "value")
    reached = ours(metric(None))
    if not is_stable(name.text or ""):
        reached = ours("in gates.json")
    elif value is not None:
        reached = amount(record, "gates", "gates", place, "value", by=metric)
    passed = at(gate, "passed")
    verdict = Said(
        "met" if passed is True else "missed", (source("gates", ("gates", place, "passed"), passed),)
    )
    return name, bound, reached, verdict


def _slices(record: Record) -> Iterator[Block]:
    goal = scores.headline(record)
    for slicing in slices.read(record) if goal else ():
        assert goal is not None
        yield Heading(Said(slicing.columns, is_code=True))
        rows = []
        for place, one in enumerate(slicing.slices):
            path = ("slices", slicing.columns, "slices", str(place))
            value, spread = _NOT_MADE, _NONE
            if goal.name in one.scores and one.scores[goal.name].value is not None:
                value = score(record, *path, "metrics", goal.name, "value")
                spread = interval(record, *path, "metrics", goal.name)
            if spread is _NONE and one.said:
                spread = tell(record, "metrics", *path, "said")
            rows.append((Said(one.name, is_code=True), amount(record, "metrics", *path, "n"), value, spread))
        yield Table(("Slice", "Rows", goal.title, "Interval"), tuple(rows))
        by = ("slices", slicing.columns)
        whole = source("metrics", by, at(record.metrics, *by))
        for said in (slices.behind(record, slicing), *slicing.left_out):
            if said:
                yield Paragraph(sentence(said, whole, score(record, "test", goal.name, "value")))


def groups(record: Record) -> Iterator[Block]:
    """Yield how the groups of each sensitive column fare, and what was done for them."""
    for columns, audit in scores.audits(record):
        yield Heading(Said(columns, is_code=True))
        rates = scores.group_rates(audit)
        rows = []
        for place, group in enumerate(elements(audit, "groups")):
            path = ("fairness", columns, "groups", str(place))
            cells = (_rate(record, path, rate) for rate in rates)
            rows.append((Said(scores.group_name(group), is_code=True), *cells))
        yield Table(("Group", *(title(rate) for rate in rates)), tuple(rows))
        yield entries(
            (title(name), _measure(record, columns, audit, name)) for name in scores.measures(audit)
        )
        left_out = scores.excluded(audit)
        if left_out:
            ends = (amount(record, "metrics", "fairness", columns, key)
                    for key in ("n_excluded_groups", "n_excluded_rows"))  # fmt: skip
            yield Paragraph(sentence(left_out, *ends))
    cost = mitigation.rows(record)
    if cost:
        found = source("metrics", ("mitigation",), at(record.metrics, "mitigation"))
        now = source("metrics", ("fairness",), at(record.metrics, "fairness"))
        yield Heading(ours("With and without what was done for fairness"))
        yield Paragraph(sentence(mitigation.said(record), found))
        told = (tuple(sentence(cell, found, now) for cell in row) for row in cost)
        yield Table(mitigation.HEADER, tuple(told))


def _measure(record: Record, columns: str, audit: Json, name: str) -> Said:
    path = ("fairness", columns, name)
    ends = (("fairness", columns, "intervals", name, end) for end in ("low", "high"))
    found = (source("metrics", one, at(record.metrics, *one)) for one in (path, *ends))
    return sentence(scores.measure_words(audit, name), *found)


def _rate(record: Record, path: tuple[str, ...], rate: str) -> Said:
    value = at(record.metrics, *path, rate)
    if value is None:
        return ours(share(None))
    return amount(record, "metrics", *path, rate, by=quantity if rate == "n" else share)

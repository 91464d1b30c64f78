"""What was done for fairness, and what it cost: the model's scores with it and without."""

from __future__ import annotations

from engine.evaluation.fairness import MEASURES
from engine.report import scores, slices
from engine.report.record import Record, at, elements, members, number, plain, text, threshold_groups
from engine.report.words import metric, quantity, title

HEADER = ("Measure", "Without", "With", "Difference")


def rows(record: Record) -> list[tuple[str, str, str, str]]:
    """Return scores and gaps between groups, without it and with it; none where nothing was done."""
    if not members(record.metrics, "mitigation"):
        return []
    told = []
    for one in slices.shown_metrics(record):
        path = ("mitigation", "difference", one.name)
        value, low, high = (number(record.metrics, *path, key) for key in ("value", "low", "high"))
        around = "" if low is None or high is None else f" ({metric(low)} to {metric(high)})"
        verdict = text(record.metrics, *path, "verdict") or "unproven"
        before = number(record.metrics, "mitigation", "test", one.name, "value")
        told.append(
            (one.title, metric(before), metric(one.test.value), f"{metric(value)}{around}: {verdict}")
        )
    for columns, audit in scores.audits(record):
        before_audit = at(record.metrics, "mitigation", "fairness", columns)
        for name in MEASURES:
            before, now = number(before_audit, name), number(audit, name)
            change = None if before is None or now is None else now - before
            told.append(
                (
                    f"{title(name)} by {columns}",
                    metric(before),
                    scores.measure_words(audit, name),
                    metric(change),
                )
            )
    return told


def said(record: Record) -> str:
    """Say in a sentence what was done."""
    kind = text(record.metrics, "mitigation", "kind") or ""
    by = ", ".join(plain(name) for name in elements(record.metrics, "mitigation", "by"))
    bounds = members(record.recipe, "model", "fairness", "bounds")
    kept = " and ".join(
        f"{'an' if name[0] in 'aeiou' else 'a'} {title(name).lower()} {words} {quantity(limit)}"
        for name in bounds
        for side, words in (("min", "at least"), ("max", "at most"))
        if (limit := number(bounds, name, side)) is not None
    )
    done = {
        "reweigh": "Training rows were weighed so that group and class are independent",
        "sample": "Training rows were drawn so that group and class are independent",
        "adversarial": "The network was trained against another that is to tell the group from its answer",
        "reductions": f"Fits with other weights were mixed to keep, on training rows, to {kept}",
        "thresholds": f"Validation rows chose a threshold for each group, which keep to {kept} there",
    }
    fitted = "decided by one threshold" if kind == "thresholds" else "fitted without that"
    return (
        f"{done.get(kind, kind)} ({kind}), by {by}. Without: the same model, {fitted}. The difference of a "
        "score is of the same test rows, better or worse for the model as it is."
    )


def thresholds(record: Record) -> list[tuple[str, str]]:
    """Return the groups that have a threshold of their own and which, then that of all others."""
    facts = members(record.facts, "thresholds")
    if not facts:
        return []
    found = zip(threshold_groups(record), elements(facts, "own"), strict=True)
    own = [(name, metric(number(one, "threshold"))) for name, one in found]
    return [*own, ("any other", metric(number(facts, "overall")))]

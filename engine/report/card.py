"""The model card: what was recorded about a model, and MISSING where only a person can say.

Sections after Mitchell et al., "Model Cards for Model Reporting" (2019). Nothing that changes between equal
runs is in it: no clock, no times, no machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.report import mitigation, pictures_importance, scores, search, slices
from engine.report.record import Json, Record, at, elements, is_null, members, number, plain, text
from engine.report.words import MISSING, inline_code, metric, prose, quantity, share, title

# Gates on these are measured by the clock or the machine: their values differ between equal runs.
_MEASURED = ("_ms", "_s", "_mib")


def card(record: Record) -> str:
    """Return the model card as Markdown; equal runs give equal bytes."""
    sections = [
        _title(record),
        _details(record),
        _use(),
        _data(record),
        _metrics(record),
        _worth(record),
        _gates(record),
        _slices(record),
        _fairness(record),
        _caveats(record),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _title(record: Record) -> str:
    name = text(record.facts, "name") or text(record.recipe, "name")
    statement = text(record.recipe, "goal", "statement")
    return f"# Model card: {prose(name) if name else MISSING}\n\n{_prose(statement)}"


def _details(record: Record) -> str:
    facts, model = record.facts, at(record.facts, "model")
    classes = at(facts, "target", "classes")
    params = members(model, "params") or members(record.recipe, "model", "params")
    entries = [
        ("Task", _code(text(record.recipe, "task", "kind"))),
        ("Target", _code(text(facts, "target", "name"))),
        ("Classes", _codes(classes) if isinstance(classes, list) else MISSING),
        ("Family", _code(text(model, "family") or text(record.recipe, "model", "family"))),
        ("Estimator", "" if is_null(model, "estimator") else _code(text(model, "estimator")) or MISSING),
        ("Parameters", ", ".join(inline_code(f"{k}={plain(v)}") for k, v in params.items()) or "none set"),
        *_search(record),
        ("Iterations kept", "" if is_null(model, "n_iterations") else _whole(model, "n_iterations")),
        ("Decision threshold", "" if is_null(facts, "threshold") else _whole(facts, "threshold")),
        ("Deployed as", _code(text(model, "deployed_as"))),
        ("Seed", _code(text(facts, "seed"))),
        ("Recipe SHA-256", _code(text(facts, "recipe_sha256"))),
        ("Data SHA-256", _code(text(facts, "data_sha256"))),
        ("Engine", _code(text(facts, "engine_version"))),
        ("Python", _code(text(facts, "python"))),
        ("Owner and contact", MISSING),
        ("Licence of the model", MISSING),
    ]
    # An empty text stands for a recorded null, such as the threshold of a regression.
    return "## Model\n\n" + _list(
        (name, MISSING if value is None else value) for name, value in entries if value != ""
    )


def _search(record: Record) -> list[tuple[str, str]]:
    found = search.read(record)
    if found is None:
        return []
    cut = {"user": "; stopped by the user", "time": "; stopped by time"}.get(found.stopped or "", "")
    tried = f"{inline_code(found.strategy)}, {prose(found.scope)}{found.losses}{cut}"
    return [
        ("Parameters searched by", tried),
        ("Parameters chosen by", prose(found.verdict)),
        ("Validation scores", prose(found.caution)),
    ]


def _use() -> str:
    return "## Intended use\n\n" + _list(
        [
            ("Who decides what with it", MISSING),
            ("What it must not be used for", MISSING),
            ("Who is affected, and how they can object", MISSING),
        ]
    )


def _data(record: Record) -> str:
    node = record.data
    n_dropped = number(node, "n_rows_dropped", "missing_target")
    sizes = members(node, "split", "sizes")
    parts = ", ".join(f"{prose(part)} {quantity(number(sizes, part), absent=MISSING)}" for part in sizes)
    columns = elements(node, "columns")
    features = [text(column, "name") or "" for column in columns if text(column, "role") == "feature"]
    marked = [
        name
        for name in members(record.recipe, "schema", "columns")
        if at(record.recipe, "schema", "columns", name, "sensitive") is True
    ]
    entries = [
        ("Rows", _whole(node, "n_rows")),
        *([("Rows left out, their target missing", quantity(n_dropped))] if n_dropped else []),
        ("Split", f"{_code(text(node, 'split', 'kind')) or MISSING}: {parts}" if parts else None),
        ("SHA-256 of the source", _code(text(node, "source", "sha256"))),
        ("Columns used", _codes(features) if features else None),
        ("Columns marked sensitive", _codes(marked) if marked else "none"),
        ("How and from whom the data was collected", MISSING),
        ("Licence of the data", MISSING),
    ]
    return "## Data\n\n" + _list((k, v or MISSING) for k, v in entries)


def _metrics(record: Record) -> str:
    rows = [one for one in scores.read(record) if not one.name.endswith(_MEASURED)]
    if not rows:
        return f"## Metrics on the test rows\n\n{MISSING}"
    kinds = [kind for kind in scores.BASELINES if any(kind in one.baselines for one in rows)]
    body = [
        [
            prose(one.title),
            metric(one.test.value),
            one.test.interval or "none recorded",
            *(_baseline(one, kind) for kind in kinds),
        ]
        for one in rows
    ]
    header = (
        "Metric",
        "Value",
        scores.confidence(record).capitalize(),
        *(f"{title(k)} baseline" for k in kinds),
    )
    told = scores.worse(record)
    if any(one.differences for one in rows):
        note = "In brackets: the model on the same rows is better, worse, the same, or that is unproven."
        told = f"{note} {told}".strip()
    return "\n\n".join(
        ["## Metrics on the test rows", _table(header, body), *([prose(told)] if told else [])]
    )


def _worth(record: Record) -> str:
    found = pictures_importance.lost_without(record)
    if not found:
        return ""
    measured, rows = pictures_importance.measured_on(record)
    header = ("Column", f"Loss in {prose(measured)}", scores.confidence(record).capitalize())
    body = [[inline_code(name), metric(one.value), one.interval or "none"] for name, one in found.items()]
    said = f"What is lost when a column is shuffled among {rows}."
    return f"## What each column is worth\n\n{said}\n\n" + _table(header, body)


def _baseline(one: scores.Scored, kind: str) -> str:
    if kind not in one.baselines:
        return "-"
    found = one.differences.get(kind)
    said = "" if found is None else f" ({found.verdict})"
    return metric(one.baselines[kind].value) + said


def _gates(record: Record) -> str:
    gates = elements(record.gates, "gates")
    if not gates:
        return "## Gates\n\nThe recipe sets none."
    rows = []
    for gate in gates:
        name = text(gate, "name") or ""
        limits = [f"{said} {quantity(limit)}" for key, said in (("min", "at least"), ("max", "at most"))
                  if (limit := number(gate, "bound", key)) is not None]  # fmt: skip
        reached = "in gates.json" if name.endswith(_MEASURED) else metric(number(gate, "value"))
        verdict = "met" if at(gate, "passed") is True else "**missed**"
        rows.append(
            [inline_code(name) if name else MISSING, " and ".join(limits) or MISSING, reached, verdict]
        )
    return "## Gates\n\n" + _table(("Gate", "Bound", "Reached", "Verdict"), rows)


def _slices(record: Record) -> str:
    goal, parts = scores.headline(record), []
    for slicing in slices.read(record) if goal else ():
        rows = []
        for one in slicing.slices:
            score = one.scores.get(goal.name) if goal else None
            value = metric(score.value) if score and score.value is not None else "-"
            told = (score.interval if score else "") or prose(one.said) or "none"
            rows.append([inline_code(one.name), quantity(one.n), value, told])
        header = ("Slice", "Rows", prose(goal.title) if goal else "", scores.confidence(record).capitalize())
        said = prose(slices.behind(record, slicing))
        parts += [f"### {inline_code(slicing.columns)}", _table(header, rows), said, *slicing.left_out]
    return "\n\n".join(["## Slices of the test rows", *filter(None, parts)]) if parts else ""


def _fairness(record: Record) -> str:
    parts = []
    for columns, audit in scores.audits(record):
        rates = scores.group_rates(audit)
        rows = [
            [inline_code(scores.group_name(group)), *(_rate(group, rate) for rate in rates)]
            for group in elements(audit, "groups")
        ]
        parts.append(f"### {inline_code(columns)}")
        parts.append(_table(("Group", *(prose(title(rate)) for rate in rates)), rows))
        parts.append(
            _list((title(name), scores.measure_words(audit, name)) for name in scores.measures(audit))
        )
        parts.append(scores.excluded(audit))
    cost = [[prose(name), *numbers] for name, *numbers in mitigation.rows(record)]
    if cost:
        parts += ["### With and without what was done for fairness", prose(mitigation.said(record))]
        parts.append(_table(mitigation.HEADER, cost))
    return "\n\n".join(["## Groups", *filter(None, parts)]) if parts else ""


def _caveats(record: Record) -> str:
    warnings = [
        f"- {prose((text(item, 'what') or plain(item)) if isinstance(item, dict) else plain(item))}"
        for item in elements(record.data, "warnings")
    ]
    known = (
        "Noticed in the data:\n\n" + "\n".join(warnings)
        if warnings
        else "No warning about the data was recorded."
    )
    written = _list(
        [("Ethical considerations", MISSING), ("Known weaknesses, and what to do about them", MISSING)]
    )
    return f"## Caveats\n\n{known}\n\n{written}"


def _rate(group: Json, rate: str) -> str:
    value = number(group, rate)
    return quantity(value) if rate == "n" else share(value)


def _prose(value: str | None) -> str:
    return prose(value) if value and value.strip() else MISSING


def _code(value: str | None) -> str | None:
    return None if value is None else inline_code(value)


def _codes(values: Sequence[Json]) -> str:
    return ", ".join(inline_code(plain(value)) for value in values)


def _whole(node: Json, key: str) -> str:
    return quantity(number(node, key), absent=MISSING)


def _list(entries: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in entries)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)

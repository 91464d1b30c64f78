"""Technical documentation after Annex IV of Regulation (EU) 2024/1689, as far as a run answers it.

Each point of the annex has what was recorded, what a person wrote in the recipe, or who must write it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from engine.governance.annex import OWNERS, POINTS, PRINCIPLES, Point
from engine.report import card_results
from engine.report.card import columns, named, people, sensitive, warnings, written
from engine.report.document import (
    NOTICE,
    Block,
    Cell,
    Document,
    Gap,
    Paragraph,
    Said,
    Section,
    Source,
    Table,
    amount,
    codes,
    decision_thresholds,
    entries,
    missing,
    ours,
    person,
    score,
    sentence,
    source,
    tell,
)
from engine.report.record import Record, at, elements, members, number, text
from engine.report.words import duration, size, title

Answer = Iterator[tuple[str, Said | Cell]]
GAPS = "Gaps"
_OWN = "What no run knows of this"
_WHAT = (
    "Drawn up from the recorded facts of one run, along Annex IV of Regulation (EU) 2024/1689. What no run "
    "knows is MISSING until a person writes it: in the recipe, under governance or governance.annex_iv."
)


def techdoc(record: Record) -> Document:
    """Return the technical documentation of a run, its gaps first."""
    points = tuple(_section(record, point) for point in POINTS)
    principles = Section("OECD principles, and what was measured of them", (_principles(record),))
    document = Document("Technical documentation", named(record), (*points, principles))
    rows = tuple(map(_gap, missing(document)))
    gaps = Table(("Point", "What is missing", "Who must write it", "Where in the recipe"), rows)
    found = (Paragraph(ours(f"{len(rows)} answers are missing.")), gaps) if rows else ()
    nothing = (Paragraph(ours("No answer is missing.")),)
    return Document(
        "Technical documentation",
        document.name,
        (Section(GAPS, found or nothing), *document.sections),
        lead=(Paragraph(ours(_WHAT)), Paragraph(ours(NOTICE)), entries(_head(record))),
    )


def _gap(gap: Gap) -> tuple[Said, ...]:
    asked = next((point.asks for point in POINTS if gap.section == _title(point)), "")
    what = asked if gap.name == _OWN else gap.name
    by = gap.by or "the engine, which did not record it"
    return ours(gap.section), ours(what or "-"), ours(by), ours(gap.key or "-")


def _title(point: Point) -> str:
    return f"Point {point.id}"


def _head(record: Record) -> Answer:
    yield "Run", tell(record, "facts", "run", is_code=True)
    yield "Made", tell(record, "facts", "created")
    yield "Risk class", written(record, "risk_class")


def _section(record: Record, point: Point) -> Section:
    """Return one point: what it asks for, what was recorded, what a person wrote or must write."""
    blocks: list[Block] = [Paragraph(ours(f"{point.asks}."))]
    facts = tuple(_ANSWERS[point.id](record)) if point.id in _ANSWERS else ()
    blocks += [entries(facts)] if facts else []
    blocks += [block for make in _TABLES.get(point.id, ()) for block in make(record)]
    own = tell(record, "recipe", "governance", "annex_iv", point.id)
    if own.text:
        blocks.append(Paragraph(own))
    elif point.id not in _WHOLE:
        blocks.append(entries([(_OWN, person(point.by, f"governance.annex_iv, {point.id}"))]))
    return Section(_title(point), tuple(blocks))


def _identity(record: Record) -> Answer:
    yield "Purpose", written(record, "purpose")
    yield "Intended use", written(record, "intended_use")
    yield "Provider", written(record, "provider")
    yield "Version", tell(record, "facts", "run", is_code=True)
    yield "Recipe SHA-256", tell(record, "facts", "recipe_sha256", is_code=True)
    yield "Data SHA-256", tell(record, "facts", "data_sha256", is_code=True)
    yield "Code", tell(record, "facts", "code_sha256", is_code=True)


def _software(record: Record) -> Answer:
    yield "Engine", tell(record, "facts", "engine_version", is_code=True)
    yield "Python", tell(record, "facts", "python", is_code=True)
    packages = members(record.facts, "packages")
    said = (
        Said(f"{name} {version}", (source("facts", ("packages", name), version),), is_code=True)
        for name, version in packages.items()
    )
    yield "Packages", tuple(said) or (Said(None),)


def _forms(record: Record) -> Answer:
    yield "Deployment", tell(record, "recipe", "deploy", "kind", is_code=True)
    yield "The model's file", tell(record, "facts", "model", "deployed_as", is_code=True)


def _machine(record: Record) -> Answer:
    yield "Trained for", tell(record, "recipe", "compute", "device", is_code=True)
    for name in ("latency_p50_ms", "latency_p95_ms"):
        yield f"{title(name.removesuffix('_ms'))}, ms a row", amount(record, "facts", "latency", name)


def _development(record: Record) -> Answer:
    yield "Task", tell(record, "recipe", "task", "kind", is_code=True)
    yield "Family", tell(record, "facts", "model", "family", is_code=True)
    yield "Search", tell(record, "recipe", "tune", "kind", is_code=True)
    yield "Split", tell(record, "recipe", "split", "kind", is_code=True)
    yield "Seed", tell(record, "facts", "seed", is_code=True)


def _design(record: Record) -> Answer:
    yield "Optimised for", tell(record, "recipe", "goal", "metric", is_code=True)
    params = members(record.facts, "model", "params")
    said = (
        Said(f"{name}={value}", (source("facts", ("model", "params", name), value),), is_code=True)
        for name, value in params.items()
    )
    yield "Parameters", tuple(said) or (ours("none set"),)
    yield "Columns that it reads", columns(record, "feature")
    yield "Target", tell(record, "facts", "target", "name", is_code=True)
    if text(record.facts, "target", "kind") != "continuous":
        yield "Expected output", codes(record, "facts", "target", "classes")
    yield from decision_thresholds(record)


def _computing(record: Record) -> Answer:
    for name, key in (("Processor", "processor"), ("Cores", "cores"), ("Memory, MiB", "memory_mib")):
        yield name, tell(record, "facts", "hardware", key)
    for place, step in enumerate(elements(record.facts, "steps")):
        taken = amount(record, "facts", "steps", str(place), "seconds", by=duration)
        yield f"Step: {text(step, 'name')}", taken


def _table_data(record: Record) -> Answer:
    yield "Rows", amount(record, "data", "n_rows")
    yield "Bytes", amount(record, "data", "source", "n_bytes", by=size)
    yield "SHA-256 of the source", tell(record, "data", "source", "sha256", is_code=True)
    yield "Columns used", columns(record, "feature")
    for name, key in (
        ("Why it was made", "motivation"),
        ("What it stands for", "composition"),
        ("How it was obtained", "collection"),
        ("How it was prepared", "preparation"),
    ):
        yield name, written(record, "datasheet", key)
    yield "Noticed in the data", warnings(record) or (ours("nothing"),)


def _oversight(record: Record) -> Answer:
    yield "Human oversight", written(record, "oversight")
    said = "engine explain RUN ROWS: what each column added to an answer, and what would have changed it"
    yield "Help in reading an answer", ours(said)


def _testing(record: Record) -> Answer:
    for part in ("validation", "test"):
        yield f"{title(part)} rows", amount(record, "data", "split", "sizes", part)
        yield f"SHA-256 of the {part} rows", tell(record, "data", "split", "sha256", part, is_code=True)
    yield "Resamples behind each interval", amount(record, "recipe", "evaluation", "bootstrap")
    yield "Reviewers", people(record, "reviewers")


def _security(_: Record) -> Answer:
    yield "The bundle", ours("no pickle; every file is held against its SHA-256 before it is read")
    yield "The service", ours("on loopback unless told otherwise; bodies, records and time are bounded")


def _functioning(record: Record) -> Answer:
    yield "Must not be used for", written(record, "out_of_scope")
    yield "Limits", written(record, "limits")
    yield "What can go wrong for people", written(record, "risks")
    yield "Who is affected, and how they can object", written(record, "affected")
    yield "Input columns", columns(record, "feature")
    yield "Columns marked sensitive", sensitive(record)


def _risks(record: Record) -> Answer:
    yield "Risk management", written(record, "risks")
    yield "Risk class", written(record, "risk_class")
    yield "Reason", written(record, "risk_reason")


def _changes(record: Record) -> Answer:
    yield "This version", tell(record, "facts", "run", is_code=True)
    git = at(record.facts, "git")
    yield (
        "Commit",
        tell(record, "facts", "git", "commit", is_code=True) if git else ours("not in a repository"),
    )


def _watching(record: Record) -> Answer:
    yield "Plan", written(record, "monitoring")
    yield "Days that its log is kept", _log_days(record)
    yield "How people are told", written(record, "disclosure")


def _log_days(record: Record) -> Said:
    found = amount(record, "recipe", "governance", "log_days")
    return found if found.text else person(OWNERS, "governance.log_days")


_ANSWERS: Mapping[str, Callable[[Record], Answer]] = {
    "1(a)": _identity, "1(c)": _software, "1(d)": _forms, "1(e)": _machine, "2(a)": _development,
    "2(b)": _design, "2(c)": _computing, "2(d)": _table_data, "2(e)": _oversight, "2(g)": _testing,
    "2(h)": _security, "3": _functioning, "5": _risks, "6": _changes, "9": _watching,
}  # fmt: skip
_TABLES: Mapping[str, tuple[Callable[[Record], Iterator[Block]], ...]] = {
    "2(g)": (card_results.metrics, card_results.gates),
    "3": (card_results.groups,),
}
# Points whose answer is whole where nothing above is missing.
_WHOLE = frozenset({"1(a)", "1(c)", "2(a)", "2(c)", "2(d)", "2(e)", "3", "5", "9"})


def _principles(record: Record) -> Table:
    """Return each principle with the first measures of it, or what would have measured it."""
    rows = []
    for principle in PRINCIPLES:
        found = _MEASURED[principle.id](record)
        said = found if found is not None else ours(f"{principle.unmeasured}.")
        rows.append((ours(f"{principle.id} {principle.name}"), said))
    return Table(("Principle", "Measured"), tuple(rows))


def _profit(record: Record) -> Said | None:
    found = score(record, "test", "profit", "value")
    currency = tell(record, "recipe", "goal", "value", "currency")
    if not (found.sources and currency.text):
        return None
    return sentence(f"Profit on the test rows: {found.text} {currency.text} per 1,000 cases", found, currency)


def _parity(record: Record) -> Said | None:
    told: list[str] = []
    known: list[Source] = []
    for by in members(record.metrics, "fairness"):
        path = ("fairness", by, "demographic_parity_ratio")
        found = score(record, *path)
        if found.sources:
            told.append(f"by {by} {found.text}")
            known += found.sources
    return Said(f"Demographic parity ratio: {', '.join(told)}", tuple(known)) if told else None


def _worth(record: Record) -> Said | None:
    found = members(record.metrics, "importance", "columns")
    if not found:
        return None
    most = max(found, key=lambda name: number(found, name, "value") or 0.0)
    value = score(record, "importance", "columns", most, "value")
    return sentence(f"Most is lost without {most}: {value.text}", value)


def _robust(record: Record) -> Said | None:
    falls = [
        (name, score(record, "robustness", "falls", name))
        for name in members(record.metrics, "robustness", "falls")
    ]
    told = ", ".join(f"{title(name)} {fall.text}" for name, fall in falls if fall.sources)
    return sentence(told, *(fall for _, fall in falls)) if told else None


def _accountable(record: Record) -> Said | None:
    named_ = [said for said in people(record, "owners") if said.text]
    return sentence(f"Owners: {', '.join(said.text or '' for said in named_)}", *named_) if named_ else None


_MEASURED: Mapping[str, Callable[[Record], Said | None]] = {
    "1.1": _profit, "1.2": _parity, "1.3": _worth, "1.4": _robust, "1.5": _accountable,
}  # fmt: skip

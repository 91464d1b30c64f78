"""The model card: what was recorded about a model, and MISSING where only a person can say.

Sections after Mitchell et al., "Model Cards for Model Reporting" (2019). Nothing that changes between equal
runs is in it: no clock, no times, no machine, no id of the run.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.report import card_metadata, card_results, search
from engine.report.document import (
    NOTICE,
    Block,
    Cell,
    Document,
    Listing,
    Paragraph,
    Said,
    Section,
    amount,
    codes,
    decision_thresholds,
    entries,
    ours,
    person,
    sentence,
    source,
    tell,
)
from engine.report.record import Record, at, elements, is_null, members, plain, text

OWNERS = "the owners"


def card(record: Record) -> Document:
    """Return the model card; equal runs give equal ones."""
    sections = (
        Section("Model", (entries(_details(record)),)),
        Section("Intended use", (entries(_use(record)),)),
        Section("Governance", (entries(_governance(record)), Paragraph(ours(NOTICE)))),
        Section("Data", (entries(_data(record)),)),
        *card_results.sections(record),
        Section("Caveats", tuple(_caveats(record))),
    )
    metadata, sources = card_metadata.metadata(record)
    return Document(
        "Model card",
        named(record),
        sections,
        lead=(Paragraph(tell(record, "recipe", "goal", "statement")),),
        metadata=metadata,
        metadata_sources=sources,
    )


def named(record: Record) -> Said:
    """Return what the recipe and its runs are called."""
    name = tell(record, "facts", "name")
    return name if name.text else tell(record, "recipe", "name")


def written(record: Record, *key: str, by: str = OWNERS) -> Said:
    """Return what a person wrote under a key of `governance`, or that somebody must."""
    said = tell(record, "recipe", "governance", *key)
    return said if said.text else person(by, ".".join(("governance", *key)))


def people(record: Record, key: str, *, by: str = OWNERS) -> Cell:
    """Return the people whom `governance` names, or that somebody must name them."""
    found, path = elements(record.recipe, "governance", key), ("governance", key)
    is_one = isinstance(at(record.recipe, *path), str)
    named_ = (
        Said(plain(one), (source("recipe", path if is_one else (*path, str(place)), one),))
        for place, one in enumerate(found)
    )
    return tuple(named_) or (person(by, f"governance.{key}"),)


def _details(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    model = at(record.facts, "model")
    yield "Task", tell(record, "recipe", "task", "kind", is_code=True)
    yield "Target", tell(record, "facts", "target", "name", is_code=True)
    if text(record.facts, "target", "kind") != "continuous":
        yield "Classes", codes(record, "facts", "target", "classes")
    yield "Family", tell(record, "facts", "model", "family", is_code=True)
    if not is_null(model, "estimator"):
        yield "Estimator", tell(record, "facts", "model", "estimator", is_code=True)
    yield "Parameters", _params(record)
    yield from _search(record)
    if not is_null(model, "n_iterations"):
        yield "Iterations kept", amount(record, "facts", "model", "n_iterations")
    yield from decision_thresholds(record)
    yield "Deployed as", tell(record, "facts", "model", "deployed_as", is_code=True)
    for name, key in (
        ("Seed", "seed"),
        ("Recipe SHA-256", "recipe_sha256"),
        ("Data SHA-256", "data_sha256"),
        ("Engine", "engine_version"),
        ("Python", "python"),
    ):
        yield name, tell(record, "facts", key, is_code=True)
    yield "Owner and contact", people(record, "owners", by="whoever answers for it")
    yield "Licence of the model", written(record, "licence")


def _params(record: Record) -> Cell:
    params = members(record.facts, "model", "params")
    if not params:
        return (ours("none set") if isinstance(at(record.facts, "model", "params"), dict) else Said(None),)
    said = (
        Said(f"{name}={plain(value)}", (source("facts", ("model", "params", name), value),), is_code=True)
        for name, value in params.items()
    )
    return tuple(said)


def _search(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    found = search.read(record)
    if found is None:
        return
    facts = source("facts", ("search",), at(record.facts, "search"))
    cut = {"user": "; stopped by the user", "time": "; stopped by time"}.get(found.stopped or "", "")
    strategy = Said(found.strategy, (facts,), is_code=True)
    yield "Parameters searched by", (strategy, sentence(f"{found.scope}{found.losses}{cut}", facts))
    yield "Parameters chosen by", sentence(found.verdict, facts)
    yield "Validation scores", ours(found.caution)


def _use(record: Record) -> Iterator[tuple[str, Said]]:
    yield "Purpose", written(record, "purpose")
    yield "Who decides what with it", written(record, "intended_use")
    yield "What it must not be used for", written(record, "out_of_scope")
    yield "Who is affected, and how they can object", written(record, "affected")


def _governance(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield "Risk class by Regulation (EU) 2024/1689", written(record, "risk_class")
    yield "Reason", written(record, "risk_reason")
    if text(record.recipe, "governance", "risk_area"):
        yield "Point of Annex III", tell(record, "recipe", "governance", "risk_area")
    yield "Reviewers", people(record, "reviewers")
    yield "Human oversight", written(record, "oversight")
    yield "Legal basis", written(record, "legal_basis")
    yield "Retention of the data", written(record, "retention")


def _data(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield "Rows", amount(record, "data", "n_rows")
    if at(record.data, "n_rows_dropped", "missing_target"):
        dropped = amount(record, "data", "n_rows_dropped", "missing_target")
        yield "Rows left out, their target missing", dropped
    yield "Split", _split(record)
    yield "SHA-256 of the source", tell(record, "data", "source", "sha256", is_code=True)
    yield "Columns used", columns(record, "feature")
    yield "Columns marked sensitive", sensitive(record)
    yield "How and from whom the data was collected", written(record, "datasheet", "collection")
    yield "Licence of the data", written(record, "datasheet", "distribution")


def _split(record: Record) -> Cell:
    kind = tell(record, "data", "split", "kind", is_code=True)
    sizes = members(record.data, "split", "sizes")
    parts = []
    for part in sizes:
        n_rows = amount(record, "data", "split", "sizes", part)
        parts.append(sentence(f"{part} {n_rows.text}", n_rows) if n_rows.text else Said(None))
    return (kind, *(parts or [Said(None)]))


def columns(record: Record, role: str) -> Cell:
    """Return the names of the columns of a role; something missing where no columns were recorded."""
    found = elements(record.data, "columns")
    if not found:
        return (Said(None),)
    said = (
        tell(record, "data", "columns", str(place), "name", is_code=True)
        for place, column in enumerate(found)
        if text(column, "role") == role
    )
    return tuple(said)


def sensitive(record: Record) -> Cell:
    """Return the names of the columns that the recipe marks sensitive."""
    declared = members(record.recipe, "schema", "columns")
    if not declared:
        return (Said(None),)
    names = (name for name in declared if at(declared, name, "sensitive") is True)
    found = ((name, source("recipe", ("schema", "columns", name, "sensitive"), True)) for name in names)
    return tuple(Said(name, (one,), is_code=True) for name, one in found)


def warnings(record: Record) -> Cell:
    """Return what was noticed in the data, a sentence each."""
    found = []
    for place, item in enumerate(elements(record.data, "warnings")):
        what = text(item, "what") if isinstance(item, dict) else None
        path = ("warnings", str(place), *(() if what is None else ("what",)))
        value = item if what is None else what
        found.append(Said(plain(value), (source("data", path, value),)))
    return tuple(found)


def _caveats(record: Record) -> Iterator[Block]:
    noticed = warnings(record)
    if record.data is None:
        noticed = (Said(None),)
    yield Paragraph(ours("Noticed in the data:" if noticed else "No warning about the data was recorded."))
    if noticed:
        yield Listing(noticed)
    yield entries(
        [
            ("Ethical considerations: harm to people, and what is done against it", written(record, "risks")),
            ("Known weaknesses, and what to do about them", written(record, "limits")),
        ]
    )

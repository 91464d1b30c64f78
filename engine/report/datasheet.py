"""The data sheet: what was recorded about the data, and MISSING where only a person can say.

Questions after Gebru et al., "Datasheets for Datasets" (2021), in their order and in short. As in the card,
nothing that differs between equal runs is in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from engine.report.card import columns, named, sensitive, warnings
from engine.report.document import (
    Block,
    Cell,
    Document,
    Entries,
    Paragraph,
    Said,
    Section,
    Table,
    amount,
    entries,
    ours,
    person,
    sentence,
    source,
    tell,
)
from engine.report.record import Json, Record, at, elements, members, number, text
from engine.report.words import share

# Who knows what the engine can't.
_KEEPERS = "whoever made or keeps the data"
_NO_VALUES = ("id",)

Answers = Callable[[Record], Iterator[tuple[str, Said | Cell]]]


def datasheet(record: Record) -> Document:
    """Return the data sheet; equal runs give equal ones."""
    sections = (
        _section(
            record, "Motivation", "motivation", ("For what purpose was it made, by whom, and who paid?",)
        ),
        _section(
            record,
            "Composition",
            "composition",
            (
                "What does a row stand for?",
                "Of what larger whole is it a sample, and how far does it represent it?",
                "Could anybody be harmed, offended or recognised by it?",
            ),
            _composition,
            after=tuple(_columns(record)),
        ),
        _section(
            record,
            "Collection",
            "collection",
            (
                "How was each value obtained, by whom, and when?",
                "Did people know and agree, and how can they take that back?",
                "Was it examined by an ethical review?",
            ),
        ),
        _section(
            record,
            "Preprocessing, cleaning, labelling",
            "preparation",
            ("What was done before this engine read it, and where is the raw data?",),
            _preparation,
        ),
        _section(record, "Uses", "uses", ("For what else was it used, and for what must it not be?",), _uses),
        _section(
            record, "Distribution", "distribution", ("Who may have it, under which licence?",), _distribution
        ),
        _section(
            record,
            "Maintenance",
            "maintenance",
            (
                "Who looks after it, and how are errors told?",
                "Will it be renewed, and how are old versions kept?",
            ),
            _maintenance,
        ),
    )
    return Document("Data sheet", named(record), sections)


def _none(_: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield from ()


def _section(
    record: Record,
    heading: str,
    key: str,
    questions: tuple[str, ...],
    recorded: Answers = _none,
    *,
    after: tuple[Block, ...] = (),
) -> Section:
    """Return a section: what a person wrote in answer to its questions, then what was recorded."""
    said, written = (
        tell(record, "recipe", "governance", "datasheet", key),
        f"governance.datasheet.{key}",
    )
    blocks: list[Block] = []
    if said.text:
        blocks += [Paragraph(ours(" ".join(questions))), Paragraph(said)]
    else:
        blocks.append(entries((question, person(_KEEPERS, written)) for question in questions))
    facts = tuple(recorded(record))
    blocks += [entries(facts)] if facts else []
    return Section(heading, (*blocks, *after))


def _composition(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield "How many rows are there?", amount(record, "data", "n_rows")
    yield "Is it a sample of the file?", _sample(record)
    yield "Which column is predicted?", tell(record, "recipe", "schema", "target", is_code=True)
    yield "How many rows has each class?", _classes(record)
    yield "Is anything missing in rows?", _nulls(record)
    yield "Which rows are for training, validating, testing?", _parts(record)
    yield "Are there errors, noise or redundancies?", _doubts(record)
    yield "Are rows told apart by people's groups?", sensitive(record)
    yield "Which columns tell who a person is?", _marked(record, "pii", True)
    yield "Which columns name a row?", columns(record, "id")


def _sample(record: Record) -> Said:
    if record.data is None:
        return Said(None)
    drawn, of = (amount(record, "data", "sample", name) for name in ("n_rows", "n_rows_read"))
    if drawn.text is None:
        return ours("no")
    return sentence(f"{drawn.text} of {of.text} rows", drawn, of)


def _classes(record: Record) -> Cell | Said:
    if text(record.facts, "target", "kind") == "continuous":
        return ours("it is a number")
    parts = members(record.data, "quality", "figures", "classes")
    return tuple(_rated(record, name) for name in parts) or Said(None)


def _rated(record: Record, name: str) -> Said:
    found = amount(record, "data", "quality", "figures", "classes", name, by=share)
    return sentence(f"{name} {found.text}", found)


def _nulls(record: Record) -> Cell:
    found = elements(record.data, "columns")
    if not found:
        return (Said(None),)
    told = []
    for place, column in enumerate(found):
        if number(column, "nulls"):
            n_nulls = amount(record, "data", "columns", str(place), "nulls")
            told.append(sentence(f"{text(column, 'name')} {n_nulls.text}", n_nulls))
    return tuple(told) or (ours("no value is missing"),)


def _parts(record: Record) -> Cell:
    told = []
    for part in members(record.data, "split", "sizes"):
        n_rows = amount(record, "data", "split", "sizes", part)
        told.append(sentence(f"{part} {n_rows.text}", n_rows))
    return (tell(record, "data", "split", "kind", is_code=True), *told) if told else (Said(None),)


def _doubts(record: Record) -> Cell:
    if at(record.data, "quality") is None:
        return (Said(None),)
    return warnings(record) or (ours("nothing was found that makes it doubtful"),)


def _marked(record: Record, key: str, value: Json) -> Cell:
    """Return the columns of which the recipe says this."""
    declared = members(record.recipe, "schema", "columns")
    if not declared:
        return (Said(None),)
    names = (name for name in declared if at(declared, name, key) == value)
    found = ((name, source("recipe", ("schema", "columns", name, key), value)) for name in names)
    return tuple(Said(name, (one,), is_code=True) for name, one in found)


def _columns(record: Record) -> Iterator[Table | Entries]:
    """Yield what each column holds, no values of those that tell who a person is."""
    found = elements(record.data, "columns")
    if not found:
        yield entries([("What does each column hold?", Said(None))])
        return
    header = ("Column", "Type", "Role", "Nulls", "Distinct", "Least", "Largest", "Units", "Meaning")
    yield Table(header, tuple(_row(record, str(place)) for place in range(len(found))))


def _row(record: Record, place: str) -> tuple[Said, ...]:
    column = at(record.data, "columns", place)
    name = text(column, "name") or ""
    declared = ("schema", "columns", name)
    hidden = at(record.recipe, *declared, "pii") is True or text(column, "role") in _NO_VALUES
    ends = [ours("not shown")] * 2 if hidden else [_end(record, place, end) for end in ("min", "max")]
    words = (tell(record, "recipe", *declared, key) for key in ("units", "description"))
    return (
        tell(record, "data", "columns", place, "name", is_code=True),
        tell(record, "data", "columns", place, "type"),
        tell(record, "data", "columns", place, "role"),
        amount(record, "data", "columns", place, "nulls"),
        amount(record, "data", "columns", place, "distinct"),
        *ends,
        *(said if said.text else ours("-") for said in words),
    )


def _end(record: Record, place: str, end: str) -> Said:
    path = ("columns", place, end)
    found = amount(record, "data", *path)
    found = found if found.text else tell(record, "data", *path)
    return found if found.text else ours("-")


def _preparation(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    dropped = amount(record, "data", "n_rows_dropped", "missing_target")
    yield "Rows left out here, their target missing", dropped
    yield "Columns left out here", _marked(record, "role", "ignore")
    yield "Columns after preparation", amount(record, "facts", "model", "n_features")


def _uses(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield "What it is used for here", tell(record, "recipe", "goal", "statement")
    yield "Columns that the model reads", columns(record, "feature")


def _distribution(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield "Format", tell(record, "data", "source", "format", is_code=True)
    yield "Bytes", amount(record, "data", "source", "n_bytes")


def _maintenance(record: Record) -> Iterator[tuple[str, Said | Cell]]:
    yield "SHA-256 of the source", tell(record, "data", "source", "sha256", is_code=True)
    if at(record.data, "content", "sha256") is not None:
        yield "SHA-256 of the values", tell(record, "data", "content", "sha256", is_code=True)
    if at(record.data, "source", "version") is not None:
        yield "Version", tell(record, "data", "source", "version")
    said = tell(record, "recipe", "governance", "retention")
    yield (
        "How long is it kept, and who deletes it?",
        (said if said.text else person(_KEEPERS, "governance.retention")),
    )

"""What a document says, apart from how it is written: words, each with the recorded facts that they tell.

A number enters a document with the file and the key it stands under, or not at all. A fact that nobody
recorded has no words, and whoever writes the document down says MISSING.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from engine.report.record import Json, Record, at, elements, is_null, plain, threshold_groups
from engine.report.words import metric, quantity

NOTICE = "The engine gives evidence, not legal compliance."


@dataclass(frozen=True, slots=True)
class Source:
    """One recorded fact: its file in the run folder, and its place there as a JSON pointer (RFC 6901)."""

    file: str
    key: str
    value: Json


@dataclass(frozen=True, slots=True)
class Said:
    """Words and what they tell.

    Attributes
    ----------
    text
        As they are read, not yet escaped for any format; None where nobody recorded or wrote it.
    sources
        The facts in the words.
    is_code
        Whether they are a name or a value as a file has it.
    by
        Who is to write what is missing; empty where the engine should have recorded it.
    key
        Where in the recipe they would write it.
    """

    text: str | None
    sources: tuple[Source, ...] = ()
    is_code: bool = False
    by: str = ""
    key: str = ""


Cell = tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A name and what is said under it, several things one after the other."""

    name: str
    values: Cell


@dataclass(frozen=True, slots=True)
class Entries:
    """A list of names with what they stand for."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below a header of our own words."""

    header: tuple[str, ...]
    rows: tuple[tuple[Said, ...], ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or more."""

    said: Said


@dataclass(frozen=True, slots=True)
class Listing:
    """Sentences, each a point of its own."""

    said: tuple[Said, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """The head of a part of a section."""

    said: Said


Block = Entries | Table | Paragraph | Listing | Heading


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document under a heading of our own words."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A whole document: what kind it is, of what it is, and its sections."""

    kind: str
    name: Said
    sections: tuple[Section, ...]
    lead: tuple[Block, ...] = ()
    metadata: dict[str, object] = field(default_factory=dict)
    metadata_sources: dict[str, Source] = field(default_factory=dict)


def ours(text: str) -> Said:
    """Return words of our own, which tell no fact."""
    return Said(text)


def person(by: str, key: str) -> Said:
    """Return what a person must still write, and under which key of the recipe."""
    return Said(None, by=by, key=key)


def tell(
    record: Record, file: str, *path: str, by: Callable[[Json], str] = plain, is_code: bool = False
) -> Said:
    """Return a recorded fact in the words of `by`; a null or absent one has none."""
    value = at(getattr(record, file), *path)
    if value is None or (isinstance(value, str) and not value.strip()):
        return Said(None)
    return Said(by(value), (source(file, path, value),), is_code)


def amount(record: Record, file: str, *path: str, by: Callable[[float | None], str] = quantity) -> Said:
    """Return a recorded number; what is no number there is none."""
    value = at(getattr(record, file), *path)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return Said(None)
    return Said(by(value), (source(file, path, value),))


def decision_thresholds(record: Record) -> Iterator[tuple[str, Cell]]:
    """Yield what rows are decided by: one probability for all, or that of each group and of all others."""
    if is_null(record.facts, "threshold"):
        return
    groups = threshold_groups(record)
    by = ", ".join(plain(name) for name in elements(record.facts, "thresholds", "by"))
    for place, group in enumerate(groups):
        path = ("thresholds", "own", str(place), "threshold")
        yield f"Decision threshold where {by} is {group}", (amount(record, "facts", *path),)
    name = "Decision threshold of all other rows" if groups else "Decision threshold"
    yield name, (amount(record, "facts", "threshold"),)


def score(record: Record, *path: str) -> Said:
    """Return a metric's value that stands in metrics.json; one that is null is not defined."""
    found = at(record.metrics, *path)
    if found is None and isinstance(at(record.metrics, *path[:-1]), dict):
        return Said(metric(None))
    return amount(record, "metrics", *path, by=metric)


def codes(record: Record, file: str, *path: str) -> Cell:
    """Return every element of a recorded list as code; one thing missing where there is no list."""
    found = at(getattr(record, file), *path)
    if not isinstance(found, list):
        return (Said(None),)
    said = (
        Said(plain(value), (source(file, (*path, str(place)), value),), is_code=True)
        for place, value in enumerate(found)
    )
    return tuple(said)


def source(file: str, path: Sequence[str], value: Json) -> Source:
    """Return where a fact stands.

    Examples
    --------
    >>> source("data", ["columns", "a/b"], 1).key
    '/columns/a~1b'
    """
    key = "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
    return Source(f"{file}.json", key, value)


def sentence(text: str, *said: Said | Source) -> Said:
    """Return one sentence that tells several facts."""
    found = (one.sources if isinstance(one, Said) else (one,) for one in said)
    return Said(text, tuple(source for sources in found for source in sources))


def said_under(said: Said, text: str) -> Said:
    """Return the same facts in other words, nothing where there was nothing."""
    return said if said.text is None else replace(said, text=text)


def entries(pairs: Iterable[tuple[str, Said | Cell]]) -> Entries:
    """Return a list of names with what they stand for."""
    return Entries(tuple(Entry(name, one if isinstance(one, tuple) else (one,)) for name, one in pairs))


@dataclass(frozen=True, slots=True)
class Gap:
    """What a document lacks: in which section, under which name, who is to write it, and where."""

    section: str
    name: str
    by: str
    key: str


def missing(document: Document) -> tuple[Gap, ...]:
    """Return all that a document lacks."""
    return tuple(
        Gap(section.title, name, said.by, said.key)
        for section in document.sections
        for block in section.blocks
        for name, said in _named(block)
        if said.text is None
    )


def _named(block: Block) -> Iterable[tuple[str, Said]]:
    if isinstance(block, Entries):
        return [(entry.name, said) for entry in block.entries for said in entry.values]
    if isinstance(block, Table):
        return [(name, said) for row in block.rows for name, said in zip(block.header, row, strict=True)]
    return [("", said) for said in (block.said if isinstance(block, Listing) else (block.said,))]

"""A document written down: as Markdown, as a page, and as JSON that names the source of every fact."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict

from engine.recipe import text
from engine.report import markup
from engine.report.document import (
    NOTICE,
    Block,
    Cell,
    Document,
    Entries,
    Heading,
    Listing,
    Said,
    Section,
    Table,
    missing,
)
from engine.report.markup import Html, tag, words
from engine.report.shell import contents, whole
from engine.report.words import MISSING, clean, inline_code, metric, phrase, prose

# What stands for a number that there is not.
_ABSENT = ("none recorded", metric(None))


def markdown(document: Document) -> str:
    """Return a document as Markdown in which nothing that was recorded is markup."""
    parts = [f"# {document.kind}: {_md(document.name)}", *map(_md_block, document.lead)]
    for section in document.sections:
        parts += [f"## {section.title}", *map(_md_block, section.blocks)]
    parts.append(f"*{NOTICE}*")
    head = f"---\n{text.write(document.metadata)}---\n\n" if document.metadata else ""  # type: ignore[arg-type]
    return head + "\n\n".join(parts) + "\n"


def _md(said: Said) -> str:
    if said.text is None:
        return f"{MISSING}, to be written by {said.by}" if said.by else MISSING
    return inline_code(said.text) if said.is_code else phrase(said.text)


def _md_name(name: str) -> str:
    return prose(name) + ("" if name.endswith("?") else ":")


def _md_line(said: Said) -> str:
    """Return what begins a line."""
    return prose(said.text) if said.text is not None and not said.is_code else _md(said)


def _md_cell(values: Cell) -> str:
    return _between(values).join(map(_md, values)) or "none"


def _between(values: Cell) -> str:
    """Return what stands between values: a comma, but for sentences that have some of their own."""
    return "; " if any(", " in (said.text or "") and not said.is_code for said in values) else ", "


def _md_block(block: Block) -> str:
    if isinstance(block, Entries):
        return "\n".join(f"- {_md_name(entry.name)} {_md_cell(entry.values)}" for entry in block.entries)
    if isinstance(block, Table):
        header = [phrase(name) for name in block.header]
        lines = [header, ["---"] * len(header), *(map(_md, row) for row in block.rows)]
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if isinstance(block, Listing):
        return "\n".join(f"- {_md_line(said)}" for said in block.said)
    return f"### {_md(block.said)}" if isinstance(block, Heading) else _md_line(block.said)


def page(document: Document) -> str:
    """Return a document as a page that needs nothing but itself."""
    name = document.name.text or MISSING
    anchors = {_anchor(section): words(section.title) for section in document.sections}
    header = tag(
        "header",
        tag("h1", words(f"{document.kind}: "), _html(document.name)),
        *map(_html_block, document.lead),
    )
    sections = (
        markup.section(_anchor(section), section.title, *map(_html_block, section.blocks))
        for section in document.sections
    )
    footer = tag("footer", words(f"{NOTICE} Every number here stands in a file of this run's folder."))
    return whole(f"{name}: {document.kind}", header, tag("main", contents(anchors), *sections), footer)


def _anchor(section: Section) -> str:
    return "".join(c if c.isalnum() else "-" for c in section.title.casefold())


def _html(said: Said) -> Html:
    if said.text is None:
        who = f"{MISSING}, to be written by {said.by}" if said.by else MISSING
        return tag("span", words(who), class_="missing")
    return markup.code(said.text) if said.is_code else words(said.text)


def _html_cell(values: Cell) -> Html:
    return Html(_between(values).join(map(_html, values))) if values else words("none")


def _html_block(block: Block) -> Html:
    if isinstance(block, Entries):
        return markup.pairs((entry.name, _html_cell(entry.values)) for entry in block.entries)
    if isinstance(block, Table):
        rows = ([_html(said) for said in row] for row in block.rows)
        return markup.table(block.header, rows, numbers=_numbers(block))
    if isinstance(block, Listing):
        return tag("ul", *(tag("li", _html(said)) for said in block.said))
    return tag("h3" if isinstance(block, Heading) else "p", _html(block.said))


def _numbers(table: Table) -> set[int]:
    """Return the columns of which no cell begins with a word."""
    columns = enumerate(zip(*table.rows, strict=True))
    return {place for place, cells in columns if place and not any(_is_word(said) for said in cells)}


def _is_word(said: Said) -> bool:
    return (said.text or "x")[:1].isalpha() and said.text not in _ABSENT


def as_json(document: Document) -> str:
    """Return a document as JSON: every fact with the file and the key that it stands under."""
    content = {
        "document": document.kind,
        "of": _clean(document.name.text),
        "notice": NOTICE,
        "metadata": document.metadata,
        "metadata_from": {
            place: {"file": one.file, "key": one.key} for place, one in document.metadata_sources.items()
        },
        "sections": [
            {"title": section.title, "facts": [fact for block in section.blocks for fact in _facts(block)]}
            for section in document.sections
        ],
        "missing": [asdict(gap) for gap in missing(document)],
    }
    return json.dumps(content, indent=2) + "\n"


def _facts(block: Block) -> Iterable[dict[str, object]]:
    if isinstance(block, Entries):
        return [_fact(said, name=entry.name) for entry in block.entries for said in entry.values]
    if isinstance(block, Table):
        return [fact for row in block.rows for fact in _row(block.header, row)]
    if isinstance(block, Listing):
        return [_fact(said, name="point") for said in block.said]
    kind = "heading" if isinstance(block, Heading) else "paragraph"
    return [_fact(block.said, name=kind)]


def _row(header: Sequence[str], row: Sequence[Said]) -> Iterable[dict[str, object]]:
    named = zip(header[1:], row[1:], strict=True)
    return [{"row": _clean(row[0].text), **_fact(said, name=name)} for name, said in named]


def _fact(said: Said, *, name: str) -> dict[str, object]:
    found = [{"file": one.file, "key": one.key} for one in said.sources]
    return {"name": _clean(name), "text": _clean(said.text), "from": found}


def _clean(said: str | None) -> str | None:
    return None if said is None else clean(said)


WRITERS: Mapping[str, Callable[[Document], str]] = {"md": markdown, "html": page, "json": as_json}

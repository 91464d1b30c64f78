"""HTML in the small: elements whose contents are escaped by type, and the tables all sections share.

`Html` is markup, `str` is words: mypy refuses words where markup is wanted, so nothing is written unescaped.
What is written here is also well-formed XML.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from typing import NewType

from engine.report.words import MISSING, escape

Html = NewType("Html", str)

_VOID = frozenset({"meta", "br"})


def words(text: str) -> Html:
    """Return words as markup that shows them literally."""
    return Html(escape(text))


def known(text: str | None) -> Html:
    """Return words, or a plain mark that nobody recorded them."""
    return tag("span", words(MISSING), class_="missing") if text is None or not text.strip() else words(text)


def joined(parts: Iterable[Html]) -> Html:
    """Return pieces of markup one after the other."""
    return Html("".join(parts))


def tag(name: str, *inner: Html, **attributes: str) -> Html:
    """Return an element; a trailing underscore in an attribute's name is dropped, others become dashes.

    Examples
    --------
    >>> tag("td", words("a < b"), class_="num", data_label="x")
    '<td class="num" data-label="x">a &lt; b</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value)}"' for key, value in attributes.items()
    )
    if name in _VOID:
        return Html(f"<{name}{written}/>")
    return Html(f"<{name}{written}>{joined(inner)}</{name}>")


def code(text: str) -> Html:
    """Return a name or a value in a fixed-width face."""
    return tag("code", words(text))


def section(anchor: str, heading: str, *body: Html) -> Html:
    """Return one section of the page."""
    return tag("section", tag("h2", words(heading)), *body, id=anchor)


def paragraph(text: str, *, kind: str = "note") -> Html:
    """Return a paragraph of words."""
    return tag("p", words(text), class_=kind)


def details(summary: str, *body: Html) -> Html:
    """Return what is shown on demand."""
    return tag("details", tag("summary", words(summary)), *body)


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[Html]],
    *,
    numbers: Container[int] | None = None,
    kind: str = "stack",
) -> Html:
    """Return a table whose columns `numbers` hold numbers: by default all but the first.

    On a narrow screen each row of a `stack` table becomes a small list, named by its header; a `dense` table
    keeps its shape.
    """
    numbers = range(1, len(header)) if numbers is None else numbers
    sides = [{"class_": "num"} if index in numbers else {} for index in range(len(header))]
    head = (tag("th", words(name), scope="col", **side) for name, side in zip(header, sides, strict=True))
    body = []
    for row in rows:
        named = zip(header[1:], row[1:], sides[1:], strict=True)
        rest = (tag("td", tag("div", cell), data_label=name, **side) for name, cell, side in named)
        body.append(tag("tr", tag("th", *row[:1], scope="row"), *rest))
    inner = (tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", tag("table", *inner, class_=kind), class_="scroll")


def plain_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """Return the table of words and numbers behind a picture."""
    return table(header, ([words(cell) for cell in row] for row in rows), kind="dense")


def pairs(entries: Iterable[tuple[str, Html]]) -> Html:
    """Return names with what they stand for."""
    items = joined(tag("div", tag("dt", words(name)), tag("dd", value)) for name, value in entries)
    return tag("dl", items)

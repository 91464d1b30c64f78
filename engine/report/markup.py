"""HTML in the small: elements whose contents are escaped by type, and the tables all sections share.

`Html` is markup, `str` is words: mypy refuses words where markup is wanted, so nothing is written unescaped.
What is written here is also well-formed XML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    header: Sequence[str], rows: Iterable[Sequence[Html]], *, n_text: int = 1, kind: str = "stack"
) -> Html:
    """Return a table; the first `n_text` columns hold words, the others numbers.

    On a narrow screen each row of a `stack` table becomes a small list, named by its header.
    """
    head = tag(
        "tr", *(tag("th", words(name), scope="col", **_side(k, n_text)) for k, name in enumerate(header))
    )
    body = []
    for row in rows:
        first = tag("th", *row[:1], scope="row")
        rest = (
            tag("td", tag("div", cell), data_label=name, **_side(k, n_text))
            for k, (name, cell) in enumerate(zip(header[1:], row[1:], strict=True), start=1)
        )
        body.append(tag("tr", first, *rest))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body), class_=kind), class_="scroll")


def _side(index: int, n_text: int) -> dict[str, str]:
    return {} if index < n_text else {"class_": "num"}


def plain_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, n_text: int = 1) -> Html:
    """Return a table of words that keeps its shape on narrow screens, such as the one behind a picture."""
    return table(header, ([words(cell) for cell in row] for row in rows), n_text=n_text, kind="dense")


def pairs(entries: Iterable[tuple[str, Html]]) -> Html:
    """Return names with what they stand for."""
    items = joined(tag("div", tag("dt", words(name)), tag("dd", value)) for name, value in entries)
    return tag("dl", items)

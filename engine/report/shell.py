"""What every page of ours stands in: no script, no request, no font from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from engine.report.markup import Html, tag, words

_STYLE = Path(__file__).with_name("page.css")
# Should an escape ever fail, the browser still refuses scripts, requests and forms.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def whole(title: str, *body: Html) -> str:
    """Return a whole page of its title and what stands in its body."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        Html(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>'),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("title", words(title)),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", *body), lang="en") + "\n"


def contents(headings: Mapping[str, Html]) -> Html:
    """Return the links to the sections of a page, by their anchors."""
    links = (tag("a", heading, href=f"#{anchor}") for anchor, heading in headings.items())
    return tag("nav", *links, aria_label="Sections")

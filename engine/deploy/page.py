"""The page at `/` of a service: what it predicts and how it is asked; it loads nothing from anywhere."""

from __future__ import annotations

from engine.data.schema import Column
from engine.report.markup import Html, code, joined, paragraph, table, tag, words
from engine.runs.bundle import Bundle

# Nothing but the page itself: no script, no picture, no frame.
POLICY = b"default-src 'none'; style-src 'unsafe-inline'"
_STYLE = Html(
    "body{font-family:sans-serif;max-width:60em;margin:2em auto}td,th{text-align:left;padding:.2em 1em}"
)
_PATHS = (
    ("POST /predict", 'takes {"records": [{…}, …]}, answers with a prediction for each record'),
    ("GET /schema", "the columns of a record and the limits of a request, as JSON"),
    ("GET /docs.json", "the same as OpenAPI 3"),
    ("GET /livez, /readyz, /metrics", "for those who keep the service running"),
)


def page(bundle: Bundle) -> bytes:
    """Return the page as UTF-8 HTML."""
    title = f"Predicts {bundle.target.name}"
    body = (
        tag("h1", words(title)),
        paragraph(f"Model version {bundle.model_version}."),
        table(
            ("Path", "What it does"), ([code(path), words(what)] for path, what in _PATHS), numbers=range(0)
        ),
        tag("h2", words("Columns of a record")),
        table(("Column", "Type", "Rules"), map(_row, bundle.schema.features), numbers=range(0)),
    )
    head = tag("head", tag("meta", charset="utf-8"), tag("title", words(title)), tag("style", _STYLE))
    return f"<!DOCTYPE html>{tag('html', head, tag('body', joined(body)), lang='en')}".encode()


def _row(column: Column) -> tuple[Html, Html, Html]:
    rules = {
        "min": column.min,
        "max": column.max,
        "pattern": column.pattern,
        "max_length": column.max_length,
        "values": None if column.values is None else ", ".join(map(str, column.values)),
        "nullable": "true" if column.nullable else None,
        "units": column.units or None,
    }
    said = "; ".join(f"{name} {rule}" for name, rule in rules.items() if rule is not None)
    return code(column.name), words(column.type), words(said)

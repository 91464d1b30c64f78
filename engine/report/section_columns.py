"""One row of the data section's table a column: what it is and how its values are spread."""

from __future__ import annotations

from engine.evaluation.fairness import MIN_GROUP_ROWS
from engine.report import svg
from engine.report.markup import Html, code, known, tag, words
from engine.report.record import Json, Record, at, elements, number, plain, text
from engine.report.words import clean, quantity, share

_MOST_VALUES = 4
_LONGEST = 28
_WIDE = 10_000


def column_rows(record: Record) -> list[list[Html]]:
    """Return the cells of each recorded column, in the table's order."""
    n_rows = number(record.data, "n_rows")
    return [_row(record, column, n_rows) for column in elements(record.data, "columns")]


def _row(record: Record, column: Json, n_rows: float | None) -> list[Html]:
    name = text(column, "name")
    nulls, distinct = number(column, "nulls"), number(column, "distinct")
    empty = "MISSING" if nulls is None else quantity(nulls)
    if nulls and n_rows:
        empty += f" ({share(nulls / n_rows)})"
    return [
        known(None) if name is None else code(name),
        known(text(column, "type")),
        known(text(column, "role")),
        words(empty),
        known(None if distinct is None else quantity(distinct)),
        _values(record, column, n_rows),
    ]


def _values(record: Record, column: Json, n_rows: float | None) -> Html:
    name = text(column, "name") or ""
    if at(record.recipe, "schema", "columns", name, "pii") is True:
        return tag("span", words("not shown: personal data"), class_="quiet")
    if text(column, "role") == "id":
        return tag("span", words("not shown: names a row"), class_="quiet")
    counts = [number(count) or 0.0 for count in elements(column, "histogram", "counts")]
    top = elements(column, "top")
    if at(record.recipe, "schema", "columns", name, "sensitive") is True:
        # As where groups are compared: so few people are not named.
        top = [entry for entry in top if (number(entry, "n") or 0) >= MIN_GROUP_ROWS]
    if counts:
        return Html(svg.spark(counts, hint=_spread(name, column)) + tag("small", words(_range(column))))
    if top:
        return _bars(top, n_rows)
    return tag("small", words(_range(column))) if _range(column) else words("-")


def _range(column: Json) -> str:
    low, high = (_end(column, key) for key in ("min", "max"))
    if low is None or high is None:
        return ""
    middle = number(column, "mean")
    return f"{low} to {high}" + (f", mean {_bare(middle)}" if middle is not None else "")


def _end(column: Json, key: str) -> str | None:
    found = number(column, key)
    return _bare(found) if found is not None else text(column, key)


def _bare(value: float) -> str:
    """Return a value of the data; a year has no comma."""
    return quantity(value).replace(",", "") if abs(value) < _WIDE else quantity(value)


def _spread(name: str, column: Json) -> str:
    return f"Histogram of {name}: {_range(column)}"


def _bars(top: list[Json], n_rows: float | None) -> Html:
    items = []
    for entry in top[:_MOST_VALUES]:
        count = number(entry, "n")
        portion = count / n_rows if count is not None and n_rows else 0.0
        shown = clean(plain(at(entry, "value")))
        shown = shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"
        bar = tag("i", style=f"width:{100 * portion:.1f}%")
        items.append(tag("li", bar, tag("span", words(f"{shown} {share(portion)}"))))
    return tag("ul", *items, class_="top")

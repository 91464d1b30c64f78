"""Values of one category that look alike: blanks or Unicode's normal form alone tell them apart."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

import polars as pl

from engine.data.quality.finding import Finding, Found, Severity
from engine.data.schema import Column

_CHECK = "values_that_look_alike"
# A column of more values is looked at in the commonest ones.
_MAX_VALUES = 10_000
_ADVICE = "write them alike where the data comes from: to a model they are as different as any two"


def check_spellings(frame: pl.DataFrame, columns: Sequence[Column]) -> Found:
    """Find categories, the classes of a target among them, with values that a person reads as one."""
    texts = (column for column in columns if column.type == "category" and column.storage == "string")
    return Found([finding for column in texts for finding in _judge(frame[column.name], column)])


def _judge(cells: pl.Series, column: Column) -> Iterator[Finding]:
    counts = (
        cells.drop_nulls().alias("value").value_counts().sort(["count", "value"], descending=[True, False])
    )
    alike: dict[str, list[tuple[str, int]]] = {}
    for value, n_rows in counts.head(_MAX_VALUES).iter_rows():
        alike.setdefault(" ".join(unicodedata.normalize("NFC", value).split()), []).append((value, n_rows))
    groups = [group for group in alike.values() if len(group) > 1]
    if not groups:
        return
    (one, n_one), (other, n_other), *_ = groups[0]
    by = "blanks alone tell" if one.split() == other.split() else "Unicode's normal form alone tells"
    what = f"'{column.name}' has values that {by} apart"
    if not (column.sensitive or column.pii):
        what += f": '{one}' in {n_one} and '{other}' in {n_other} of the rows"
    n_values = sum(len(group) for group in groups)
    severity: Severity = "serious" if column.role == "target" else "warning"
    evidence = {"n_values": n_values, "n_meant": len(groups)}
    yield Finding(_CHECK, severity, (column.name,), what, evidence, _ADVICE)

"""Values that a person reads as one are told, and values that only resemble each other are not."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from engine.data.quality.spellings import check_spellings
from engine.data.schema import Column

ColumnOf = Callable[..., Column]


@pytest.mark.parametrize(
    ("values", "column", "found"),
    [
        (
            ["yes", "yes ", "no", "yes"],
            {"role": "target"},
            (
                "serious",
                "'c' has values that blanks alone tell apart: 'yes' in 2 and 'yes ' in 1 of the rows",
                2,
                1,
            ),
        ),
        (
            ["Ko\u0308ln", "K\u00f6ln", "a b", "a\u00a0b", None],
            {},
            (
                "warning",
                "'c' has values that Unicode's normal form alone tells apart: 'Ko\u0308ln' in 1 and 'K\u00f6ln' in 1 of the rows",
                4,
                2,
            ),
        ),
        (["a", " a"], {"pii": True}, ("warning", "'c' has values that blanks alone tell apart", 2, 1)),
        (["a", "A", "ab", None], {}, None),
        (["a", "a "], {"type_": "text"}, None),
    ],
)
def test_values_that_look_alike(
    values: list[str | None],
    column: dict[str, object],
    found: tuple[str, str, int, int] | None,
    column_of: ColumnOf,
) -> None:
    """Two of the values are named where they may be; letters, and free texts, are as they are."""
    declared = column_of("c", **{"type_": "category", **column})
    findings = check_spellings(pl.DataFrame({"c": values}), [declared]).findings
    told = [(one.severity, one.what, *one.evidence.values()) for one in findings]
    assert told == ([found] if found else [])

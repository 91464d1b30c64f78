"""Blocks of text become the same values however they are cut and read."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import source
from engine.data.schema import Column, Schema
from engine.recipe.spec import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


_TEXTS = st.sampled_from(
    [
        "1",
        "2.0",
        "1.5",
        " 3",
        "4 ",
        "x",
        "",
        '""',
        "NA",
        "true",
        "0",
        "nan",
        "inf",
        "2020-01-01",
        "1e3",
        "007",
    ]
)


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(_TEXTS, _TEXTS, _TEXTS, _TEXTS), min_size=1, max_size=8),
    block_bytes=st.integers(1, 64),
    nulls=st.sampled_from([(), ("NA",), ("0",), ("NA", "nan")]),
)
def test_blocks_and_ways_of_reading_never_matter(
    rows: list[tuple[str, ...]],
    block_bytes: int,
    nulls: tuple[str, ...],
    column_of: ColumnOf,
    data_of: DataOf,
) -> None:
    """A text cut into blocks anywhere, read the fast way or the exact one, gives one value for each field."""
    types = ("integer", "number", "boolean", "text")
    columns = tuple(column_of(f"c{at}", type_, nullable=True) for at, type_ in enumerate(types))
    content = ("c0,c1,c2,c3\n" + "".join(",".join(row) + "\n" for row in rows)).encode()
    text = source.delimited.Delimited(
        io.BytesIO(content), delimiter=",", shown="t.csv", block_bytes=block_bytes
    )
    data = data_of("t.csv", null_values=nulls)
    parts = list(source.typed_blocks(text, columns, data))
    found = pl.concat([part.frame for part in parts])
    missing = {"", '""', *nulls}
    for at, type_ in enumerate(types):
        expected = [None if row[at] in missing else _value(type_, row[at]) for row in rows]
        assert found[f"c{at}"].to_list() == [None if value is _WRONG else value for value in expected]
        refused = [
            cell
            for part in parts
            for cell in (
                part.refused[f"c{at}"].mask.to_list()
                if f"c{at}" in part.refused
                else [False] * part.frame.height
            )
        ]
        assert refused == [value is _WRONG for value in expected]


_WRONG = object()


def _value(type_: str, text: str) -> object:
    """Return what a text is by the rules, worked out with Python alone."""
    stripped = text.strip()
    if type_ == "text":
        return text
    if type_ == "boolean":
        return {"true": True, "1": True, "0": False, "false": False}.get(stripped.lower(), _WRONG)
    try:
        number = float(stripped)
    except ValueError:
        return _WRONG
    if type_ == "number":
        return None if number != number else number  # noqa: PLR0124
    return int(number) if np.isfinite(number) and number == int(number) else _WRONG

"""Blocks of text become the same values however they are cut and read."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import source
from engine.data.delimited import Delimited, open_text
from engine.data.schema import Column, Schema
from engine.data.storage import hold
from engine.data.text import typed_blocks
from engine.recipe.spec_table import DataSpec

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
    text = Delimited(io.BytesIO(content), delimiter=",", shown="t.csv", block_bytes=block_bytes)
    data = data_of("t.csv", null_values=nulls)
    parts = list(typed_blocks(text, columns, data))
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


_ODD = [
    "1,5", "1.5", "1.234,5", "1,234.5", "1.234", "1,234", ",5", "5,", ".", ",", "-,", "1,5 ", " 1.5", "1,5e3",
    "1,5e3,0", "1,e5", "inf", "-inf", "nan", "NaN", "NA", "n/a", "-", "1e999", "-0", "-0,0", "\u0661",
    "\u22121,5", "9007199254740993", "9223372036854775808", "1,7976931348623157e308", "4,9e-324", "0x1", "1_0",
    "5,0", "true", "FALSE", "1\u00a0", "12 345,6", "'1,5'",
]  # fmt: skip
_HOSTILE = st.text(st.sampled_from("0123456789.,+-eE \t_"), max_size=8) | st.sampled_from(_ODD)
_TYPES = ("integer", "number", "boolean", "text")


@settings(deadline=None, max_examples=100)
@given(
    rows=st.lists(st.tuples(_HOSTILE, _HOSTILE, _HOSTILE, _HOSTILE), min_size=1, max_size=6),
    block_bytes=st.integers(16, 80),
    nulls=st.sampled_from([(), ("NA",), ("-", "n/a"), ("1,5",), ("1.5",), ("0",)]),
    delimiter=st.sampled_from([";", "\t", ","]),
    decimal=st.sampled_from([".", ","]),
)
def test_the_fast_way_and_the_exact_one_agree(
    rows: list[tuple[str, ...]],
    block_bytes: int,
    nulls: tuple[str, ...],
    delimiter: str,
    decimal: str,
    column_of: ColumnOf,
    data_of: DataOf,
) -> None:
    """Whatever stands in a field, polars' reader and our own reading hold and refuse the same, to the bit."""
    columns = tuple(column_of(f"c{at}", type_, nullable=True) for at, type_ in enumerate(_TYPES))
    data = data_of("t.csv", null_values=nulls, delimiter=delimiter, decimal=decimal)
    parts = list(typed_blocks(_text(rows, data, block_bytes), columns, data))
    fast = source._join(parts, columns)
    texts = [[None if text in {"", *nulls} else text for text in cells] for cells in zip(*rows, strict=True)]
    given_texts = {column.name: cells for column, cells in zip(columns, texts, strict=True)}
    frame = pl.DataFrame(given_texts, schema=dict.fromkeys(given_texts, pl.String))
    exact = hold(frame, columns, decimal=decimal)  # type: ignore[arg-type]
    assert _bits(fast.frame) == _bits(exact.frame)
    assert {name: cells.mask.to_list() for name, cells in fast.refused.items()} == {
        name: cells.mask.to_list() for name, cells in exact.refused.items()
    }
    for name, cells in exact.refused.items():
        of_parts = [part.refused[name] for part in parts if name in part.refused]
        assert tuple(text for one in of_parts for text in one.examples)[:3] == cells.examples
        assert frozenset().union(*(one.notes for one in of_parts)) == cells.notes


@settings(deadline=None, max_examples=100)
@given(texts=st.lists(_HOSTILE, min_size=1, max_size=6))
def test_a_decimal_comma_is_a_decimal_point_written_otherwise(texts: list[str], column_of: ColumnOf) -> None:
    """With point and comma changed for each other in every text, the other `data.decimal` reads the same."""
    columns = column_of("a", "number", nullable=True), column_of("b", "integer", nullable=True)
    swapped = [text.translate(str.maketrans(".,", ",.")) for text in texts]
    point = hold(pl.DataFrame({"a": texts, "b": texts}), columns, decimal=".")
    comma = hold(pl.DataFrame({"a": swapped, "b": swapped}), columns, decimal=",")
    assert _bits(comma.frame) == _bits(point.frame)
    for name in "ab":
        assert (name in comma.refused) == (name in point.refused)
        if name in comma.refused:
            assert comma.refused[name].mask.to_list() == point.refused[name].mask.to_list()


_ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-8", "latin-1": "latin-1", "cp1252": "cp1252"}


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_what_is_written_is_read_back(data: st.DataObject, column_of: ColumnOf, data_of: DataOf) -> None:
    """A table written as text in any delimiter, decimal, encoding and quoting is read back to the bit."""
    encoding = data.draw(st.sampled_from(list(_ENCODINGS)))
    letters = st.characters(codec=_ENCODINGS[encoding], exclude_categories=["Cs", "Cc"])
    row = st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False, allow_infinity=False),
        st.none() | st.booleans(),
        st.none() | st.text(st.one_of(letters, st.sampled_from('"\n,;.')), min_size=1, max_size=6),
    )
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    delimiter, decimal = data.draw(st.sampled_from(",;\t|")), data.draw(st.sampled_from(".,"))
    how = data_of("t.csv", delimiter=delimiter, decimal=decimal, encoding=encoding)
    fields = [tuple(_field(value, decimal) for value in cells) for cells in rows]
    text = _text(fields, how, data.draw(st.integers(1, 80)), quote_all=data.draw(st.booleans()))
    columns = tuple(column_of(f"c{at}", type_, nullable=True) for at, type_ in enumerate(_TYPES))
    found = source._join(list(typed_blocks(text, columns, how)), columns)
    assert not found.refused
    assert [tuple(map(_bit, cells)) for cells in found.frame.rows()] == [
        tuple(map(_bit, cells)) for cells in rows
    ]


@pytest.mark.parametrize("quoted", [False, True])
def test_a_point_is_never_taken_for_a_decimal_comma(
    quoted: bool, column_of: ColumnOf, data_of: DataOf
) -> None:
    """1.234 may mean 1234 where a comma stands before fractions: polars' reader would take it, and we do not."""
    data = data_of("t.csv", delimiter=";", decimal=",")
    columns = (column_of("c0", "number"), column_of("c1", "text"))
    written = '"1.234"' if quoted else "1.234"
    content = f"c0;c1\n1,5;a\n{written};b\n".encode()
    text = open_text(io.BytesIO(content), data, shown="t.csv")
    (held,) = typed_blocks(text, columns, data)
    assert held.frame["c0"].to_list() == [1.5, None]
    assert held.refused["c0"].examples == ("1.234",)
    assert held.refused["c0"].notes == {
        "data.decimal: '.' reads a decimal point; thousands may not be set apart"
    }


def _text(
    rows: list[tuple[str, ...]], data: DataSpec, block_bytes: int, *, quote_all: bool = False
) -> Delimited:
    """Write rows as Python's csv module does, and open them as the recipe says."""
    buffer = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(buffer, delimiter=data.delimiter, quoting=quoting, lineterminator="\n")
    writer.writerow([f"c{at}" for at in range(len(rows[0]))])
    writer.writerows(rows)
    content = buffer.getvalue().encode(data.encoding)
    return open_text(io.BytesIO(content), data, shown="t.csv", block_bytes=block_bytes)


def _field(value: object, decimal: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value).replace(".", decimal) if isinstance(value, float) else str(value)


def _bit(value: object) -> object:
    """Return what tells two values apart, -0.0 from 0.0 too."""
    return value.hex() if isinstance(value, float) else (type(value), value)


def _bits(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return [tuple(map(_bit, row)) for row in frame.rows()]

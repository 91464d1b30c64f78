"""The compiled reader of requests takes nothing that the exact one refuses, and gives the same values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.compiled import Compiled
from engine.data.records import Decoder
from engine.data.schema import Column, Schema
from engine.errors import DataError

_NULLS = ("", "?")
_GOOD: dict[str, object] = {
    "age": 20,
    "pay": 1,
    "glad": True,
    "city": "Oslo",
    "zip": 1,
    "born": "2020-01-31T10:00:00+02:00",
    "code": "ab1",
    "odd": 3,
}
_ODD = [
    None, True, False, 0, 1, 2, 17, 90, 91, -1, 1.0, 20.0, 1.5, -0.0, 1e300, 2**53 + 1, 2**63, -(2**63), 10**30,
    "", "?", "Oslo", "Rome", "rome", "42", "ab1", "ab", "abcdefgh", "2020-01-31", "31.1.2020", [], {}, [1],
    "\u00e9\U0001f600", 4, 0.5,
]  # fmt: skip


def schema_of(*, nullable: bool, extra: Any) -> Schema:
    """Return columns of every storage, with rules of every kind."""
    columns = (
        Column("age", "integer", "feature", "int64", nullable=nullable, min=17.0, max=90.0),
        Column("pay", "number", "feature", "float64", nullable=nullable, min=-1.0),
        Column("glad", "boolean", "feature", "boolean", nullable=nullable),
        Column("city", "category", "feature", "string", nullable=nullable, values=("Oslo", "Rome", "?")),
        Column("zip", "category", "feature", "int64", nullable=nullable, values=(1, 2)),
        Column("born", "datetime", "feature", "datetime", nullable=nullable, min="1970-01-01"),
        Column("code", "text", "feature", "string", nullable=nullable, pattern="[a-z]+1", max_length=4),
        Column("odd", "integer", "feature", "int64", nullable=nullable, min=0.5, max=3.5),
        Column("key", "text", "id", "string", max_length=2),
        Column("left", "number", "ignore", "float64"),
        Column("y", "category", "target", "string"),
    )
    return Schema(columns=columns, positive=None, extra=extra, missing_target="error")


def exact(schema: Schema, records: list[dict[str, object]]) -> dict[str, list[object]] | None:
    """Return the feature columns that the exact reader gives, None where it refuses."""
    try:
        rows = Decoder(schema, null_texts=_NULLS).decode_all(records)
    except DataError:
        return None
    return {column.name: [row[column.name] for row in rows] for column in schema.features}


_rows = st.lists(
    st.fixed_dictionaries(
        {name: st.one_of(st.just(value), st.sampled_from(_ODD)) for name, value in _GOOD.items()},
        optional={"key": st.sampled_from(["ab", "abc", 3, ""]), "left": st.just([]), "stranger": st.just(1)},
    ),
    min_size=1,
    max_size=4,
)


@given(rows=_rows, nullable=st.booleans(), extra=st.sampled_from(["error", "ignore"]))
@settings(max_examples=300, deadline=None)
def test_what_is_taken_is_what_the_exact_reader_gives(
    rows: list[dict[str, object]], nullable: bool, extra: str
) -> None:
    """Whatever the compiled reader takes, as records or as columns, the exact one takes, with these values."""
    schema = schema_of(nullable=nullable, extra=extra)
    compiled = Compiled(schema, null_texts=_NULLS, max_records=10)
    bodies: list[dict[str, object]] = [{"records": rows}]
    if all(row.keys() == rows[0].keys() for row in rows):
        bodies.append({"columns": {name: [row[name] for row in rows] for name in rows[0]}})
    for body in bodies:
        found = compiled.decode(json.dumps(body).encode())
        if found is not None:
            expected = exact(schema, rows)
            assert found == (len(rows), expected)
            assert expected is not None
            assert {name: [type(value) for value in values] for name, values in found[1].items()} == {
                name: [type(value) for value in values] for name, values in expected.items()
            }


@pytest.mark.parametrize("nullable", [False, True])
def test_usual_rows_are_taken(nullable: bool) -> None:
    """Rows written the usual way are taken both ways, ids and columns that are left out among them."""
    schema = schema_of(nullable=nullable, extra="error")
    compiled = Compiled(schema, null_texts=_NULLS, max_records=10)
    rows = [_GOOD, {**_GOOD, "age": 90, "pay": 2.5, "key": "ab", "left": 1, "y": "no"}]
    if nullable:
        rows.append({**dict.fromkeys(_GOOD), "city": "?", "code": ""})
    assert compiled.decode(json.dumps({"records": rows}).encode()) == (len(rows), exact(schema, rows))
    columns = {name: [row[name] for row in rows] for name in _GOOD}
    assert compiled.decode(json.dumps({"columns": columns}).encode()) == (len(rows), exact(schema, rows))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"records": null}',
        b'{"records": [], "columns": {}}',
        b'{"records": [], "more": 1}',
        b'{"records": [null]}',
        b'{"columns": {}}',
        b"[" * 100_000,
        b'{"records": [{"age": NaN}]}',
        b'{"records": [\xff]}',
        b'{"columns": {"age": [20, 21], "pay": [1], "glad": [true], "city": ["Oslo"], "zip": [1], '
        b'"born": ["2020-01-31"], "code": ["ab1"], "odd": [3]}}',
    ],
    ids=lambda body: repr(body[:30]),
)
def test_what_is_odd_is_left_alone(body: bytes) -> None:
    """What is no table of this schema is left to the reader that says what is wrong, and nothing is raised."""
    compiled = Compiled(schema_of(nullable=False, extra="error"), max_records=10)
    assert compiled.decode(body) is None


def test_more_records_than_the_limit_are_left_alone() -> None:
    """One record more than the limit is not taken; as many as the limit are, and so are none."""
    compiled = Compiled(schema_of(nullable=False, extra="error"), max_records=3)
    taken = [compiled.decode(json.dumps({"records": [_GOOD] * n}).encode()) for n in (0, 3, 4)]
    assert [found and found[0] for found in taken] == [0, 3, None]


def test_a_name_that_msgspec_has_no_field_for(column_of: Callable[..., Column]) -> None:
    """A column whose name holds a quote has no compiled reader; the exact one does its work."""
    schema = Schema((column_of('a"b', "integer"),), positive=None, extra="error", missing_target="error")
    assert Compiled(schema, max_records=3).decode(b'{"records": [{"a\\"b": 1}]}') is None

"""Single records, judged as frames are."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.check import check
from engine.data.records import Decoder
from engine.data.schema import Column, Schema
from engine.data.source import batches
from engine.data.text import null_texts
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


@pytest.fixture
def decoder(column_of: ColumnOf, schema_of: SchemaOf) -> Decoder:
    """Give a decoder over a column of each storage."""
    return Decoder(
        schema_of(
            column_of("age", "integer", min=17.0, max=90.0),
            column_of("pay", "number", nullable=True),
            column_of("glad", "boolean"),
            column_of("city", "category", values=("Oslo", "Rome"), nullable=True),
            column_of("zip", "category", storage="int64", values=(1, 2)),
            column_of("born", "datetime"),
            column_of("k", "text", "id", max_length=2),
            column_of("w", "number", "ignore"),
            column_of("y", "category", "target"),
        )
    )


GOOD = {"age": 20, "pay": 1, "glad": True, "city": "Oslo", "zip": 1, "born": "2020-01-31T10:00:00+02:00"}
HELD = {**GOOD, "pay": 1.0, "born": datetime(2020, 1, 31, 8, tzinfo=UTC).replace(tzinfo=None)}


@pytest.mark.parametrize(
    ("change", "held"),
    [
        ({}, {}),
        ({"age": 20.0}, {"age": 20}),
        ({"pay": None, "city": None}, {"pay": None, "city": None}),
        ({"k": "ab"}, {"k": "ab"}),
        ({"glad": 1}, {"glad": True}),
        ({"glad": 0.0}, {"glad": False}),
        ({"y": 3, "w": []}, {}),
    ],
)
def test_a_good_record_is_held(decoder: Decoder, change: dict[str, object], held: dict[str, object]) -> None:
    """Values come as their storage's Python type; ids are kept, other declared columns are left out."""
    found = decoder.decode({**GOOD, **change}, index=0)
    assert found == {**HELD, **held}
    assert {type(value) for value in (found["age"], found["zip"])} == {int}
    assert type(found["glad"]) is bool


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("age", "42", "type integer: '42' is not"),
        ("age", True, "type integer: true is not"),
        ("age", 1.5, "type integer: 1.5 is not"),
        ("age", 10**30, "type integer: an integer beyond 64 bits is not"),
        ("age", 3, "min 17: 3 is below it"),
        ("age", 91, "max 90: 91 is above it"),
        ("age", None, "nullable false: the value is null"),
        ("pay", -1e200, "magnitude 1e+150: -1e+200 is beyond it"),
        ("pay", "1", "type number: '1' is not"),
        ("pay", False, "type number: false is not"),
        ("pay", float("nan"), "finite: nan is not"),
        ("pay", float("-inf"), "finite: -inf is not"),
        ("pay", 10**400, "type number: an integer beyond 64 bits is not"),
        ("pay", [1], "type number: a list is not"),
        ("glad", 2, "type boolean: 2 is not; true, false, 1 and 0 are booleans"),
        ("glad", 0.5, "type boolean: 0.5 is not; true, false, 1 and 0 are booleans"),
        ("glad", "true", "type boolean: 'true' is not; true, false, 1 and 0 are booleans"),
        ("city", 1, "type category of texts: 1 is not"),
        ("city", "oslo", "values: oslo is none of them\n  did you mean 'Oslo'?\n  allowed: Oslo, Rome"),
        ("zip", "1", "type category of integers: '1' is not"),
        ("zip", 3, "values: 3 is none of them\n  allowed: 1, 2"),
        ("born", "1.2.2020", "type datetime: '1.2.2020' is not"),
        ("born", 5, "type datetime: 5 is not"),
        ("k", "abc", "max_length 2: abc is longer"),
        ("k", {}, "type text: an object is not"),
    ],
)
def test_a_wrong_value_has_its_message(decoder: Decoder, name: str, value: object, text: str) -> None:
    """Each kind of wrong value has one message, keyed by record and column."""
    with pytest.raises(DataError) as caught:
        decoder.decode({**GOOD, name: value}, index=3)
    assert str(caught.value) == f"records[3].{name}\n  {text}"


def test_missing_and_unknown_fields_get_the_nearest_spelling(decoder: Decoder) -> None:
    """A missing field is an error even where null is allowed, and says what to write."""
    record = {name: value for name, value in GOOD.items() if name not in {"pay", "age"}} | {"Age": 20}
    with pytest.raises(DataError) as caught:
        decoder.decode(record, index=0)
    known = "age, pay, glad, city, zip, born, k"
    assert str(caught.value) == (
        "records[0].age\n  this field is missing\n  did you mean 'Age'?\n\n"
        "records[0].pay\n  this field is missing; write null where there is no value\n\n"
        f"records[0].Age\n  this field is not known\n  did you mean 'age'?\n  allowed: {known}"
    )


def test_all_mistakes_of_all_records_come_together(decoder: Decoder) -> None:
    """One error holds the mistakes of every record, in their order."""
    records = [{**GOOD, "age": 1, "glad": 2}, GOOD, {**GOOD, "x": 1}]
    with pytest.raises(DataError) as caught:
        decoder.decode_all(records)
    assert [message.key for message in caught.value.messages] == [
        "records[0].age",
        "records[0].glad",
        "records[2].x",
    ]
    assert decoder.decode_all([GOOD, GOOD]) == [HELD, HELD]
    assert decoder.decode_all([]) == []


def test_values_of_protected_columns_are_not_shown(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Messages on columns marked sensitive or pii hold no value."""
    decoder = Decoder(
        schema_of(column_of("a", "integer", sensitive=True), column_of("b", "number", pii=True, max=1.0))
    )
    with pytest.raises(DataError) as caught:
        decoder.decode({"a": "secret", "b": 4711}, index=0)
    assert str(caught.value) == (
        "records[0].a\n  type integer: the value is not\n\nrecords[0].b\n  max 1: the value is above it"
    )


def test_unknown_fields_are_left_out_when_the_schema_says_so(
    column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """With `extra: ignore` other fields do not matter."""
    decoder = Decoder(schema_of(column_of("a", "integer"), extra="ignore"))
    assert decoder.decode({"a": 1, "b": 2}, index=0) == {"a": 1}


_CELLS = ["", "?", "a", " ", "NA "]


@pytest.mark.parametrize("nullable", [True, False])
@pytest.mark.parametrize("hidden", [True, False])
def test_texts_that_mean_missing_are_judged_as_in_a_file(
    tmp_path: Path, nullable: bool, hidden: bool, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """A text that is null in a CSV file is null in a record: where it may not be, its message says why."""
    schema = schema_of(
        *(
            column_of(name, kind, nullable=nullable, pii=hidden)
            for name, kind in (("c", "category"), ("s", "text"))
        )
    )
    data = data_of(tmp_path / "t.csv", null_values=("?",))
    decoder = Decoder(schema, null_texts=null_texts(data))
    for cell in _CELLS:
        (tmp_path / "t.csv").write_text(f'c,s\n"{cell}","{cell}"\n')
        record = {"c": cell, "s": cell}
        if nullable or cell not in ("", "?"):
            (row,) = next(batches(data.path, schema=schema, data=data, n_rows=9)).to_dicts()
            assert decoder.decode(record, index=0) == row
            assert row["c"] == (None if cell in ("", "?") else cell)
            continue
        with pytest.raises(DataError) as in_file:
            next(batches(data.path, schema=schema, data=data, n_rows=9))
        assert [message.key for message in in_file.value.messages] == ["c", "s"]
        with pytest.raises(DataError) as caught:
            decoder.decode(record, index=0)
        assert str(caught.value) == "\n\n".join(
            f"records[0].{name}\n  nullable false: '{cell}' means that there is no value" for name in "cs"
        )


def test_parquet_has_nulls_of_its_own(column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf) -> None:
    """Where the data is Parquet no text means a missing value; in other types none ever does."""
    data = data_of("t", null_values=("?",))
    parquet = data.model_copy(update={"format": "parquet"})
    schema = schema_of(column_of("s", "text"), column_of("x", "number", nullable=True))
    given = {"s": "?", "x": None}
    assert Decoder(schema, null_texts=null_texts(parquet)).decode(given, index=0) == given
    with pytest.raises(DataError, match=r"records\[0\]\.x\n  type number: '\?' is not"):
        Decoder(schema, null_texts=null_texts(data)).decode({"s": "a", "x": "?"}, index=0)


_VALUES = {
    "i": st.one_of(st.none(), st.integers(-3, 3)),
    "f": st.one_of(st.none(), st.floats(-3, 3, width=16)),
    "b": st.one_of(st.none(), st.booleans()),
    "c": st.one_of(st.none(), st.sampled_from(["a", "b", "B", ""])),
    "s": st.one_of(st.none(), st.text("abé\n", max_size=4)),
}


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.fixed_dictionaries(_VALUES), min_size=1, max_size=8), nullable=st.booleans())
def test_records_and_frames_are_judged_alike(
    rows: list[dict[str, object]], nullable: bool, column_of: ColumnOf, schema_of: SchemaOf
) -> None:
    """A record is refused exactly where the same row of a frame breaks a rule, and is else held equal."""
    schema = schema_of(
        column_of("i", "integer", min=-2.0, max=2.5, values=(-2, 0, 1), nullable=nullable),
        column_of("f", "number", min=-1.0, max=1.5, values=(-1, 0, 0.5, 2), nullable=True),
        column_of("b", "boolean", values=(True,), nullable=nullable),
        column_of("c", "category", values=("a", "b"), nullable=nullable),
        column_of("s", "text", pattern="(?:a|b)+", max_length=2, nullable=nullable),
    )
    dtypes = {"i": pl.Int64, "f": pl.Float64, "b": pl.Boolean, "c": pl.String, "s": pl.String}
    decoder = Decoder(schema)
    for index, row in enumerate(rows):
        violations = check(pl.DataFrame([row], schema=dtypes), schema=schema)
        held, keys = None, []
        try:
            held = decoder.decode(json.loads(json.dumps(row)), index=index)
        except DataError as error:
            keys = [message.key for message in error.messages]
        # A record names the first broken rule of each column.
        assert keys == list(dict.fromkeys(f"records[{index}].{violation.column}" for violation in violations))
        assert held == (None if violations else row)

"""Names of columns held against the schema's: the nearest spelling, or the delimiter that was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.data.columns import check_columns, required_columns
from engine.data.header import read_header
from engine.data.schema import Column, Schema
from engine.data.source import read
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


@pytest.mark.parametrize(("mark", "shown"), [(";", ";"), ("\t", r"\t"), ("|", "|")])
@pytest.mark.parametrize("quote", ["", '"'])
def test_another_delimiter_is_told_by_the_names(
    mark: str,
    shown: str,
    quote: str,
    tmp_path: Path,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """A header that is one name under the declared delimiter gets one message, with the one that fits."""
    schema = schema_of(column_of("a", "number"), column_of("b", "number"), column_of("y", "number", "target"))
    path = tmp_path / "t.csv"
    path.write_text(mark.join(f"{quote}{name}{quote}" for name in "aby") + "\n1" + f"{mark}1" * 2 + "\n")
    for entrance in (lambda: read(data_of(path), schema), lambda: read_header(data_of(path), schema)):
        with pytest.raises(DataError) as caught:
            entrance()
        assert str(caught.value) == (
            f"{path}:1: data.delimiter\n  this does not delimit the header\n  did you mean '{shown}'?"
        )
    assert read(data_of(path, delimiter=mark), schema).n_rows == 1


def test_a_name_may_hold_another_delimiter(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """One name that is declared as it stands, or none of whose pieces is, says nothing of the delimiter."""
    schema = schema_of(column_of("a;b", "number"), extra="ignore")
    check_columns(["a;b"], schema=schema, required=required_columns(schema), file="t")
    with pytest.raises(DataError) as caught:
        check_columns(["c;d"], schema=schema, required=required_columns(schema), file="t")
    assert str(caught.value) == "schema.columns.a;b\n  the column is missing in t"


def test_a_hundred_thousand_strangers_fill_no_page(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Where many columns are of another table, that is one message, and so are those that are missing."""
    schema = schema_of(column_of("a", "number"))
    with pytest.raises(DataError) as caught:
        check_columns(["a", *(f"x{at}" for at in range(100_000))], schema=schema, required={"a"}, file="t")
    assert str(caught.value) == (
        "t\n  the schema does not name 100000 of 100001 columns, first x0, x1, x2 "
        "(schema.extra: ignore leaves such columns out)"
    )


def test_the_wrong_file_is_one_message(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """Of more than five columns that are missing the first are named; one that is misspelt is told apart."""
    schema = schema_of(
        *(column_of(name, "number") for name in ("qa", "wb", "rc", "td", "ye", "uf", "amount"))
    )
    with pytest.raises(DataError) as caught:
        check_columns(["amuont"], schema=schema, required=required_columns(schema), file="t.csv")
    assert str(caught.value) == (
        "t.csv\n  6 of 7 declared columns are missing, first qa, wb, rc: "
        "is it the right file, delimiter, encoding?\n\n"
        "schema.columns.amount\n  the column is missing in t.csv\n  did you mean 'amuont'?"
    )

"""Rows whose target is missing: an error with its cure, or left out, counted, and never renumbered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from engine.data.schema import Column, Schema, from_json, to_json
from engine.data.source import batches, read
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


@pytest.fixture
def schema(column_of: ColumnOf, schema_of: SchemaOf) -> Schema:
    """Give a contract that leaves rows without their target out."""
    columns = column_of("a", "integer", max=9.0), column_of("y", "category", "target")
    return replace(schema_of(*columns), missing_target="drop")


def _write(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_without_a_target_are_left_out_and_counted(
    suffix: str, tmp_path: Path, schema: Schema, data_of: DataOf
) -> None:
    """The other rows come in order, with their places in the file; nothing is filled in."""
    path = tmp_path / f"t.{suffix}"
    given = pl.DataFrame({"a": [1, 2, 3, 4, 5], "y": [None, "n", "?", None, "p"]})
    getattr(given, f"write_{suffix}")(path)
    table = read(data_of(path, null_values=("?",)), schema)
    if suffix == "parquet":
        # Parquet has nulls itself: "?" is a class there.
        assert table.frame["y"].to_list() == ["n", "?", "p"]
        return
    assert table.frame.to_dict(as_series=False) == {"a": [2, 5], "y": ["n", "p"]}
    assert (table.n_rows, table.n_rows_read, table.n_missing_target) == (2, 5, 3)
    assert table.kept is not None
    assert table.places(table.kept[:0]).tolist() == []
    assert table.kept.tolist() == [1, 4]
    said = "left out: 3 of 5 rows, the target 'y' missing (schema.missing_target: drop)"
    assert table.left_out == said


def test_a_whole_table_is_as_it_was(tmp_path: Path, schema: Schema, data_of: DataOf) -> None:
    """Where no target is missing, nothing is left out and nothing is said."""
    table = read(data_of(_write(tmp_path, "a,y\n1,n\n2,p\n")), schema)
    assert (table.n_rows, table.kept, table.left_out) == (2, None, "")


def test_without_drop_the_error_names_the_cure(tmp_path: Path, schema: Schema, data_of: DataOf) -> None:
    """A missing target is an error unless the recipe says otherwise, and the error says how."""
    path = _write(tmp_path, "a,y\n1,n\n2,\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), replace(schema, missing_target="error"))
    assert str(caught.value) == (
        f"{path}: y\n  nullable false: 1 row is null (row 2); "
        "schema.missing_target: drop leaves such rows out, and counts them"
    )


def test_rows_that_are_left_out_are_checked_too(
    tmp_path: Path, schema: Schema, data_of: DataOf, column_of: ColumnOf
) -> None:
    """A rule is a rule on every row of the file; a target of another type is no missing one."""
    path = _write(tmp_path, "a,y\n1,n\n99,\n3,p\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    assert str(caught.value) == f"{path}: a\n  max 9: 1 row is above it (row 2: 99)"
    numeric = replace(schema, columns=(schema.columns[0], column_of("y", "number", "target")))
    path = _write(tmp_path, "a,y\n1,1.5\n2,x\n3,\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), numeric)
    assert str(caught.value) == f"{path}: y\n  type number: 1 row is not (row 2: x)"


def test_no_row_left_is_an_error(tmp_path: Path, schema: Schema, data_of: DataOf) -> None:
    """A target that is missing everywhere leaves nothing to learn from."""
    path = _write(tmp_path, "a,y\n1,\n2,\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    assert str(caught.value) == (
        f"{path}: y\n  the target is missing in every row (2): none is left to learn from"
    )


def test_weights_are_judged_again_on_what_is_left(
    tmp_path: Path, schema: Schema, data_of: DataOf, column_of: ColumnOf
) -> None:
    """Where only rows that are left out had a weight, the rule on their sum is broken, by the file's rows."""
    weighted = replace(schema, columns=(*schema.columns, column_of("w", "number", "weight")))
    path = _write(tmp_path, "a,y,w\n1,,5\n2,n,0\n3,p,0\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), weighted)
    assert str(caught.value) == (
        f"{path}: w\n  weight of a sum above 0 and below 1e+150: 2 rows are not (rows 2, 3: 0, 0)"
    )


def test_what_is_only_scored_keeps_every_row(tmp_path: Path, schema: Schema, data_of: DataOf) -> None:
    """Rows without a target are what a model is for: batches leave none out."""
    path = _write(tmp_path, "a,y\n1,\n2,n\n")
    (frame,) = batches(path, schema=schema, data=data_of(path), n_rows=10)
    assert frame["a"].to_list() == [1, 2]


def test_the_contract_travels_whole(schema: Schema) -> None:
    """`schema.json` says what was done with missing targets."""
    assert from_json(to_json(schema)) == schema
    assert schema.only(["feature"]).missing_target == "drop"

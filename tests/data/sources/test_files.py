"""Files of typed columns, and several of one table: what differs between them is told, and nothing passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.data.schema import Schema
from engine.data.source import read
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Give a folder with two Parquet files of one table."""
    folder = tmp_path / "parts"
    folder.mkdir()
    pl.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}).write_parquet(folder / "1.parquet")
    pl.DataFrame({"x": [3.0], "y": ["a"]}).write_parquet(folder / "2.parquet")
    return folder


def whats(data: DataSpec, schema: Schema) -> list[tuple[str, str]]:
    """Return file's name and words of each message with which a table is refused."""
    with pytest.raises(DataError) as caught:
        read(data, schema)
    return [(Path(message.file).name, message.what) for message in caught.value.messages]


def test_parts_come_in_the_order_of_their_names(parts: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A folder and a pattern of its files are one table, with the size of all."""
    schema = schema_of(x="number", y="category")
    for path in (parts, parts / "*.parquet"):
        table = read(data_of(path), schema)
        assert table.frame["x"].to_list() == [1.0, 2.0, 3.0]
        assert table.source.n_bytes == sum(file.stat().st_size for file in parts.iterdir())


def test_an_empty_part_is_not_passed_over(parts: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Polars would leave it out in silence."""
    (parts / "3.parquet").touch()
    assert whats(data_of(parts), schema_of(x="number", y="category")) == [
        ("3.parquet", "the file is empty (0 bytes)")
    ]


def test_a_part_with_other_columns_is_refused(parts: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A missing column, one more, and another type, all in one report."""
    pl.DataFrame({"x": [1], "z": ["a"]}).write_parquet(parts / "3.parquet")
    first = f"'{parts}/1.parquet'"
    assert whats(data_of(parts), schema_of(x="number", y="category")) == [
        ("3.parquet", f"the column holds Int64, and Float64 in {first}"),
        ("3.parquet", f"the column is missing, which {first} has"),
        ("3.parquet", f"{first} has no such column"),
    ]


def test_a_link_out_of_the_folder_is_refused(parts: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """What lies elsewhere is no part of the table."""
    pl.DataFrame({"x": [1.0], "y": ["a"]}).write_parquet(parts.parent / "secret.parquet")
    (parts / "3.parquet").symlink_to(parts.parent / "secret.parquet")
    assert whats(data_of(parts), schema_of(x="number", y="category")) == [
        ("3.parquet", "the file is a link that leads out of its folder")
    ]


def test_folders_say_a_column(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """As Hive has it: `key=value`, escaped, and nothing where there is none."""
    for name, x in (("city=S%C3%A3o", 1.0), ("city=__HIVE_DEFAULT_PARTITION__", 2.0)):
        folder = tmp_path / "t" / name
        folder.mkdir(parents=True)
        pl.DataFrame({"x": [x], "y": ["a"]}).write_parquet(folder / "p.parquet")
    table = read(data_of(tmp_path / "t"), schema_of(x="number", city="category", y="category"))
    assert sorted(table.frame.rows()) == [(1.0, "São", "a"), (2.0, None, "a")]


def test_a_type_that_changes_in_ndjson_is_refused(
    tmp_path: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """With its line: a column of numbers in which one text stands becomes no column of texts."""
    path = tmp_path / "t.ndjson"
    path.write_text('{"x": 1, "y": "a"}\n{"x": null, "y": "b"}\n{"x": "many", "y": "a"}\n')
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema_of(x="number", y="category"))
    (message,) = caught.value.messages
    assert (message.line, message.what) == (3, "'x' is a text here, and before it stands a number")


def test_arrow_is_read_by_its_first_bytes(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Whatever its name; cut short it is refused."""
    path = tmp_path / "table"
    pl.DataFrame({"x": [1.5], "y": ["a"]}).write_ipc(path)
    schema = schema_of(x="number", y="category")
    table = read(data_of(path), schema)
    assert (table.frame.rows(), table.source.format) == ([(1.5, "a")], "arrow")
    path.write_bytes(path.read_bytes()[:-20])
    ((_, words),) = whats(data_of(path), schema)
    assert words.startswith("not a whole Arrow IPC file: ")

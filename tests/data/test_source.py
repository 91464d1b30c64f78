"""Reading tables: by name, without loss, everything wrong in one report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest

from engine.data.find import nearest_file
from engine.data.schema import Column, Schema
from engine.data.source import conform, read
from engine.data.sources import csv
from engine.data.storage import dtypes
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]


HEADER = "y,note,age,pay,glad,city,code,born\n"
ROWS = (
    "no,a,20,1.5,true,Oslo,001,2000-01-31\n"
    "yes,b,30,,False,,002,2001-02-28T10:30:00Z\n"
    'no,c,40,2,1,"","003",2002-03-31 12:00:00\n'
)


def _csv(folder: Path, text: str) -> Path:
    path = folder / "t.csv"
    path.write_text(text, newline="")
    return path


def _messages(error: DataError) -> list[str]:
    return [str(message).replace("\n", "") for message in error.messages]


def test_a_csv_is_read_by_name_and_type(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """Columns come in the schema's order, each of its storage's dtype, ignored ones left out."""
    table = read(data_of(_csv(tmp_path, HEADER + ROWS)), people)
    assert table.n_rows == 3
    assert table.frame.to_dict(as_series=False) == {
        "age": [20, 30, 40],
        "pay": [1.5, None, 2.0],
        "glad": [True, False, True],
        "city": ["Oslo", None, None],
        "code": ["001", "002", "003"],
        "born": [datetime(2000, 1, 31), datetime(2001, 2, 28, 10, 30), datetime(2002, 3, 31, 12)],  # noqa: DTZ001
        "y": ["no", "yes", "no"],
    }
    assert dict(table.frame.schema) == {
        column.name: dtypes()[column.storage] for column in table.schema.columns if column.role != "ignore"
    }


def test_the_source_says_what_was_read(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """Path, format, size and SHA-256 are those of the file."""
    path = _csv(tmp_path, HEADER + ROWS)
    content = path.read_bytes()
    assert read(data_of(path), people).source.to_json() == {
        "path": str(path),
        "format": "csv",
        "n_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "version": None,
        "joined": (),
    }


def test_the_order_of_columns_never_matters(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """A file with its columns in another order gives the same frame."""
    table = read(data_of(_csv(tmp_path, HEADER + ROWS)), people)
    names = HEADER.strip().split(",")
    records = [dict(zip(names, row.split(","), strict=True)) for row in ROWS.splitlines()]
    swapped = "\n".join([",".join(names[::-1]), *(",".join(r[n] for n in names[::-1]) for r in records)])
    assert read(data_of(_csv(tmp_path, swapped)), people).frame.equals(table.frame)


@pytest.mark.parametrize(
    ("texts", "values", "storage"),
    [
        (["1", "2", ""], [1, 2, None], "int64"),
        (["0", "-7"], [0, -7], "int64"),
        (["00123", "1"], ["00123", "1"], "string"),
        (["1.0", "2"], ["1.0", "2"], "string"),
        (["-0", "1"], ["-0", "1"], "string"),
        (["+1", "1"], ["+1", "1"], "string"),
        (["1", "a"], ["1", "a"], "string"),
        (["true", "False"], [True, False], "boolean"),
        (["true", "1"], ["true", "1"], "string"),
        (["1" * 19, "2"], ["1" * 19, "2"], "string"),
        (["1"] * 300 + ["x"], ["1"] * 300 + ["x"], "string"),
        ([""] * 300 + ["1"], [None] * 300 + [1], "int64"),
        (["", ""], [None, None], "string"),
    ],
)
def test_a_category_is_what_all_its_values_allow(
    tmp_path: Path,
    texts: list[str],
    values: list[object],
    storage: str,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """Without declared values a category is integer or boolean only if every text is exactly that."""
    schema = schema_of(column_of("c", "category", nullable=True), column_of("y", "number", "target"))
    path = _csv(tmp_path, "c,y\n" + "".join(f"{text},1\n" for text in texts))
    table = read(data_of(path), schema)
    assert table.frame["c"].to_list() == values
    assert table.schema.columns[0].storage == storage
    assert read(data_of(path), table.schema, resolved=True).frame.equals(table.frame)


@pytest.mark.parametrize("rule", [{"values": ("1", "2")}, {"pattern": "[0-9]"}, {"max_length": 1}])
def test_a_category_declared_as_text_stays_text(
    tmp_path: Path, rule: dict[str, object], column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Declared text values, or a rule on text, keep digits as text."""
    schema = schema_of(column_of("c", "category", **rule), column_of("y", "number", "target"))
    table = read(data_of(_csv(tmp_path, "c,y\n1,1\n2,1\n")), schema)
    assert table.frame["c"].to_list() == ["1", "2"]


@pytest.mark.parametrize(
    ("type_", "texts", "values"),
    [
        ("integer", ["1", " 2", "3 ", "+4", "5.0", "6e2", "007"], [1, 2, 3, 4, 5, 600, 7]),
        ("integer", ["9223372036854775807", "9007199254740993"], [2**63 - 1, 2**53 + 1]),
        ("number", ["1", " 2.5", "3e2 ", "-0", ".5", "nan", ""], [1.0, 2.5, 300.0, 0.0, 0.5, None, None]),
        ("boolean", ["true", "FALSE", "True", "0", "1 ", '""'], [True, False, True, False, True, None]),
        ("text", ["00123", " a ", "NA", '"x ""y"""'], ["00123", " a ", "NA", 'x "y"']),
    ],
)
def test_values_are_read_without_loss(
    tmp_path: Path,
    type_: str,
    texts: list[str],
    values: list[object],
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """Each text of a type gives its exact value."""
    schema = schema_of(column_of("c", type_, nullable=True), column_of("y", "number", "target"))
    path = _csv(tmp_path, "c,y\n" + "".join(f"{text},1\n" for text in texts))
    assert read(data_of(path), schema).frame["c"].to_list() == values


@pytest.mark.parametrize(
    ("type_", "texts", "what"),
    [
        (
            "integer",
            ["1", "1.9", "a", "1e40", "2"],
            "type integer: 3 rows are not (rows 2, 3, 4: 1.9, a, 1e40)",
        ),
        ("integer", ["9223372036854775808"], "type integer: 1 row is not (row 1: 9223372036854775808)"),
        ("number", ["1", "1_000", "0x1"], "type number: 2 rows are not (rows 2, 3: 1_000, 0x1)"),
        ("number", ["1", "-inf", "1e999"], "finite: 2 rows are not (rows 2, 3: -inf, inf)"),
        (
            "boolean",
            ["true", "yes", "t"],
            "type boolean: 2 rows are not (rows 2, 3: yes, t); true, false, 1 and 0 are booleans; for other words, type: category",
        ),
        (
            "number",
            ["1", "1,5", "1.234,5"],
            "type number: 2 rows are not (rows 2, 3: 1,5, 1.234,5); data.decimal: ',' reads a decimal comma; thousands may not be set apart",
        ),
        (
            "number",
            ["NA", " n/a", "1,5"],
            "type number: 3 rows are not (rows 1, 2, 3: NA,  n/a, 1,5); data.decimal: ',' reads a decimal comma; thousands may not be set apart; data.null_values names the texts that mean a missing value",
        ),
        (
            "integer",
            ["1", "?"],
            "type integer: 1 row is not (row 2: ?); data.null_values names the texts that mean a missing value",
        ),
        (
            "datetime",
            ["2020-01-01", "01/02/2020"],
            'type datetime: 1 row is not (row 2: 01/02/2020); format: "%d/%m/%Y" or "%m/%d/%Y" reads such dates',
        ),
    ],
)
def test_what_is_not_of_the_type_is_refused(
    tmp_path: Path,
    type_: str,
    texts: list[str],
    what: str,
    column_of: ColumnOf,
    schema_of: SchemaOf,
    data_of: DataOf,
) -> None:
    """A value that would be changed is refused with its rows; it is not also called null."""
    schema = schema_of(column_of("c", type_), column_of("y", "number", "target"))
    path = _csv(tmp_path, "c;y\n" + "".join(f"{text};1\n" for text in texts))
    with pytest.raises(DataError) as caught:
        read(data_of(path, delimiter=";"), schema)
    assert str(caught.value) == f"{path}: c\n  {what}"


def test_everything_wrong_comes_in_one_report(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """Types, nulls, ranges and duplicates of all columns are reported together, in the schema's order."""
    rows = "no,a,x,1,true,Oslo,1,2000-01-31\n,b,3,?,2,Oslo,1,now\nno,c,,1,0,Oslo,3,2000-01-31\n"
    path = _csv(tmp_path, HEADER + rows)
    with pytest.raises(DataError) as caught:
        read(data_of(path, null_values=("?",)), people)
    assert _messages(caught.value) == [
        f"{path}: age  type integer: 1 row is not (row 1: x)",
        f"{path}: age  nullable false: 1 row is null (row 3)",
        f"{path}: age  min 17: 1 row is below it (row 2: 3)",
        f"{path}: glad  type boolean: 1 row is not (row 2: 2); true, false, 1 and 0 are booleans; for other words, type: category",
        f"{path}: code  unique true: 2 rows are duplicates (rows 1, 2: 1, 1)",
        f"{path}: born  type datetime: 1 row is not (row 2: now)",
        f"{path}: y  nullable false: 1 row is null (row 2); schema.missing_target: drop leaves such rows out, and counts them",
    ]


def test_values_of_protected_columns_are_not_shown(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Messages on columns marked sensitive or pii name rows and no values."""
    schema = schema_of(
        column_of("a", "integer", sensitive=True), column_of("b", "number", pii=True, max=1.0, role="target")
    )
    path = _csv(tmp_path, "a,b\nsecret,7\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    assert _messages(caught.value) == [
        f"{path}: a  type integer: 1 row is not (row 1)",
        f"{path}: b  max 1: 1 row is above it (row 1)",
    ]


def test_missing_and_extra_columns_get_the_nearest_spelling(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """One message for each missing column, which names its twin; ignored columns must be there too."""
    schema = schema_of(
        column_of("age", "integer"), column_of("w", "number", "ignore"), column_of("y", "number", "target")
    )
    path = _csv(tmp_path, "Age,y\n1,1\n")
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    assert str(caught.value) == (
        f"schema.columns.age\n  the column is missing in {path}\n  did you mean 'Age'?\n\n"
        f"schema.columns.w\n  the column is missing in {path}"
    )


def test_extra_columns_are_left_out_when_the_schema_says_so(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """With `extra: ignore` other columns are not read, and ignored ones may be absent."""
    schema = schema_of(
        column_of("a", "integer"),
        column_of("w", "number", "ignore"),
        column_of("y", "number", "target"),
        extra="ignore",
    )
    frame = read(data_of(_csv(tmp_path, "b,y,a\n??,1,2\n")), schema).frame
    assert frame.to_dict(as_series=False) == {"a": [2], "y": [1.0]}


def test_a_target_may_be_absent_when_it_is_not_needed(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Without the need for a target, a file may have it or not."""
    schema = schema_of(column_of("a", "integer"), column_of("y", "number", "target"))
    path = _csv(tmp_path, "a\n1\n")
    assert read(data_of(path), schema, need_target=False).frame.columns == ["a"]
    with pytest.raises(DataError):
        read(data_of(path), schema)


def test_a_missing_file_gets_the_nearest_name(tmp_path: Path, people: Schema, data_of: DataOf) -> None:
    """The message names the key and the nearest file of that folder."""
    near = _csv(tmp_path, HEADER + ROWS)
    with pytest.raises(DataError) as caught:
        read(data_of(tmp_path / "tt.csv"), people)
    path = tmp_path / "tt.csv"
    assert str(caught.value) == f"data.path\n  there is no file '{path}'\n  did you mean '{near}'?"


@pytest.mark.parametrize(
    ("name", "others", "near"),
    [
        ("nope.csv", ["new_ok.csv", "n.csv"], ""),
        ("titanik.csv", ["titanic.parquet", "titanic.yaml"], "titanic.parquet"),
        ("titanic.csv", ["titanic.yaml"], ""),
        ("Sales.csv", ["sales.csv", "sales.parquet"], "sales.csv"),
    ],
)
def test_a_near_file_is_near_by_its_stem(name: str, others: list[str], near: str) -> None:
    """Equal suffixes make no two names near, a recipe is no table, and of two files that of the suffix is meant."""
    assert nearest_file(name, others) == near


@pytest.mark.parametrize("name", ["", "none/t.csv"])
def test_a_folder_is_no_file(tmp_path: Path, name: str, people: Schema, data_of: DataOf) -> None:
    """A folder, or a file in a folder that is not there, is refused."""
    with pytest.raises(DataError) as caught:
        read(data_of(tmp_path / name), people)
    assert caught.value.messages[0].key == "data.path"


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("t.csv", b"", "the file is empty (0 bytes)"),
        ("t.csv", HEADER.encode(), "the file has a header and no rows"),
        (
            "t.csv",
            HEADER.encode("utf-16"),
            "the file begins with the byte order mark of utf-16, and data.encoding is utf-8",
        ),
        ("t.parquet", b"", "the file is empty (0 bytes)"),
        ("t.parquet", b"a,b\n1,2\n3,4\n5,6\n", None),
        ("t.parquet", b"PAR1PAR1", None),
        ("t.data", b"PAR1\x00\x00\x00", None),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes, what: str | None, people: Schema, data_of: DataOf
) -> None:
    """Empty files and files of another format are data errors that name the file."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(data_of(path), people)
    (message,) = caught.value.messages
    assert message.file == str(path)
    assert message.what == what or message.what.startswith("not a whole Parquet file: ")


@pytest.mark.parametrize("name", ["*", "^c.*$", "a b", "1", "π", "a.b", "{x}", "=", "refused 0"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_names_are_the_users_own(
    tmp_path: Path, name: str, suffix: str, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """A name that polars would read as a pattern is only a name."""
    schema = schema_of(
        column_of(name, "integer", max=1.0), column_of("cc", "integer"), column_of("y", "number", "target")
    )
    path = tmp_path / f"t.{suffix}"
    frame = pl.DataFrame({"cc": [1, 2], name: [3, 1], "y": [1, 2]})
    getattr(frame, f"write_{suffix}")(path)
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    assert _messages(caught.value) == [f"{path}: {name}  max 1: 1 row is above it (row 1: 3)"]


def test_a_large_file_keeps_its_row_numbers(
    tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are numbered over all blocks, for types and for values."""
    monkeypatch.setattr(csv, "_MAX_BYTES", 1000)
    schema = schema_of(column_of("a", "integer", max=5000.0), column_of("y", "number", "target"))
    rows = [f"{at},1" for at in range(3000)]
    rows[1999] = "x,1"
    rows[2499] = "6000,1"
    path = _csv(tmp_path, "a,y\n" + "\n".join(rows))
    with pytest.raises(DataError) as caught:
        read(data_of(path), schema)
    assert _messages(caught.value) == [
        f"{path}: a  type integer: 1 row is not (row 2000: x)",
        f"{path}: a  max 5000: 1 row is above it (row 2500: 6000)",
    ]


def test_a_frame_is_held_like_a_file(column_of: ColumnOf, schema_of: SchemaOf) -> None:
    """A frame from Python is held and checked by the same contract."""
    schema = schema_of(column_of("a", "integer", min=0.0), column_of("y", "number", "target"))
    assert conform(pl.DataFrame({"a": [1.0]}), schema=schema)["a"].to_list() == [1]
    with pytest.raises(DataError) as caught:
        conform(pl.DataFrame({"a": [-1, 2]}), schema=schema)
    assert str(caught.value) == "a\n  min 0: 1 row is below it (row 1: -1)"


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int64, pl.Float32, pl.Float64])
def test_numbers_0_and_1_are_booleans(dtype: type[pl.DataType]) -> None:
    """A typed column of 0 and 1, whole or not, is held as booleans; any other number is refused with its row."""
    schema = Schema(
        (Column("b", "boolean", "feature", "boolean", nullable=True),), None, "error", missing_target="error"
    )
    frame = pl.DataFrame({"b": pl.Series([0, 1, None, 1], dtype=dtype)})
    assert conform(frame, schema=schema)["b"].to_list() == [False, True, None, True]
    with pytest.raises(DataError, match=r"row 2"):
        conform(pl.DataFrame({"b": pl.Series([0, 2], dtype=dtype)}), schema=schema)

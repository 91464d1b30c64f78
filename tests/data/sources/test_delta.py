"""Delta Lake: a version is read, recorded and kept to; what can't be read right is refused."""

from __future__ import annotations

import json
import string
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from engine.again import verify
from engine.data.schema import Schema
from engine.data.source import read
from engine.data.sources import open_table
from engine.errors import DataError
from engine.lifecycle import run
from engine.plan import load_checked
from engine.recipe.spec_table import DataSpec

DataOf = Callable[..., DataSpec]
SchemaOf = Callable[..., Schema]
RECIPE = """\
defaults: [base, task: classification, model: logistic, compute: small, _self_]
name: versions
data: {path: table}
schema:
  target: y
  columns: {x: {type: number}, y: {type: category}}
evaluation: {bootstrap: 0, baselines: false, pictures: false}
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Give a table of three versions: made, with more rows, and with a column more."""
    folder = tmp_path / "table"
    frame = pl.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"], "part": [1, None]})
    write_deltalake(folder, frame.to_arrow(), partition_by=["part"])
    write_deltalake(folder, frame.to_arrow(), mode="append")
    more = frame.with_columns(note=pl.lit("new"))
    write_deltalake(folder, more.to_arrow(), mode="append", schema_mode="merge")
    return folder


def what(data: DataSpec, schema: Schema) -> list[tuple[str, str]]:
    """Return key and words of each message with which a table is refused."""
    with pytest.raises(DataError) as caught:
        read(data, schema)
    return [(message.key, message.what) for message in caught.value.messages]


def test_each_version_is_read(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """By number; null is the latest, and which that was is known afterwards."""
    schema = schema_of(x="number", part="integer", y="category")
    found = [read(data_of(table, version=version), schema) for version in (0, 1, None)]
    assert [one.n_rows for one in found] == [2, 4, 6]
    assert [one.source.version for one in found] == [0, 1, 2]
    assert sorted(found[0].frame.rows(), key=str) == [(1.0, 1, "a"), (2.0, None, "b")]


def test_a_file_older_than_a_column_has_none_of_it(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Its values are null, as the protocol says."""
    frame = read(data_of(table), schema_of(note="text", y="category")).frame
    assert sorted(frame["note"].fill_null("").to_list()) == ["", "", "", "", "new", "new"]
    assert "note" not in open_table(data_of(table, version=1)).header().columns


def test_a_moment_gives_the_version_of_then(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """The latest that is not later; before the first there is none, and it is said."""
    schema = schema_of(x="number", y="category")
    history = DeltaTable(table).history()
    now = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    assert read(data_of(table, version=now), schema).source.version == 2
    first = datetime.fromtimestamp(history[-1]["timestamp"] / 1000, UTC)
    assert read(data_of(table, version=first.isoformat()), schema).source.version == 0
    shown = first.isoformat(timespec="seconds")
    assert what(data_of(table, version="2001-01-01"), schema) == [
        ("data.version", f"'{table}' had no version at 2001-01-01: its first is of {shown}")
    ]
    assert what(data_of(table, version="yesterday"), schema) == [
        ("data.version", "'yesterday' is no version: a number, or a moment as ISO 8601 writes it")
    ]
    assert what(data_of(table, version=7), schema) == [
        ("data.version", f"'{table}' has no version 7: the latest is 2")
    ]


def test_a_file_that_is_gone_is_told(table: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """A version that was cleaned away is not read in part."""
    gone = min(table.rglob("*.parquet"))
    gone.unlink()
    inside = gone.relative_to(table)
    assert what(data_of(table), schema_of(x="number", y="category")) == [
        ("data.version", f"of version 2 a file is gone: '{table}/{inside}'")
    ]


@pytest.mark.parametrize("path", ["../secret.parquet", "/etc/passwd"])
def test_a_log_that_leads_elsewhere_is_refused(
    path: str, tmp_path: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """A log is data, and names files of its own folder only."""
    pl.DataFrame({"x": [1.0], "y": ["a"]}).write_parquet(tmp_path / "secret.parquet")
    folder = tmp_path / "table"
    write_deltalake(folder, pl.DataFrame({"x": [1.0], "y": ["a"]}).to_arrow())
    log = folder / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            line["add"]["path"] = path
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    assert what(data_of(folder), schema_of(x="number", y="category")) == [
        ("", f"its log names a file that lies elsewhere: '{path}'")
    ]


def test_column_mapping_is_refused(tmp_path: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Where columns go by other names in the files, nothing is read under a wrong one."""
    folder = tmp_path / "table"
    write_deltalake(folder, pl.DataFrame({"x": [1.0], "y": ["a"]}).to_arrow())
    log = folder / "_delta_log" / f"{0:020}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        if "metaData" in line:
            line["metaData"]["configuration"]["delta.columnMapping.mode"] = "name"
        if "protocol" in line:
            line["protocol"] |= {"minReaderVersion": 2, "minWriterVersion": 5}
    log.write_text("\n".join(map(json.dumps, lines)) + "\n")
    (message,) = what(data_of(folder), schema_of(x="number", y="category"))
    assert "columnMapping" in message[1] or "column mapping" in message[1].lower()


def test_a_folder_without_a_log_is_no_delta_table(
    tmp_path: Path, data_of: DataOf, schema_of: SchemaOf
) -> None:
    """Declared or not, the log decides; and a version belongs to this format alone."""
    pl.DataFrame({"x": [1.0], "y": ["a"]}).write_parquet(tmp_path / "t.parquet")
    schema = schema_of(x="number", y="category")
    assert what(data_of(tmp_path, format="delta"), schema) == [
        ("data.format", "the table is no Delta Lake folder: it has no _delta_log")
    ]
    assert what(data_of(tmp_path / "t.parquet", version=1), schema) == [
        ("data.version", f"'{tmp_path}/t.parquet' has no version: only what is of format delta has one")
    ]


def test_a_run_keeps_to_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is appended afterwards changes nothing of a run that is verified, and its recipe is the same."""
    monkeypatch.chdir(tmp_path)
    xs = [((at * 37) % 101) / 101 for at in range(200)]
    frame = pl.DataFrame({"x": xs, "y": ["a" if x > 0.4 else "b" for x in xs]})
    write_deltalake("table", frame.to_arrow())
    Path("versions.yaml").write_text(RECIPE)
    made = run(load_checked("versions.yaml"))
    write_deltalake("table", frame.head(50).to_arrow(), mode="append")
    assert json.loads((made.path / "data.json").read_text())["source"]["version"] == 0
    assert "version: 0" in (made.path / "recipe.yaml").read_text()
    assert set(verify(made).values()) == {True}
    assert load_checked(made.path / "recipe.yaml").sha256() == load_checked("versions.yaml").sha256()


def _vector(rows: list[int]) -> str:
    """Return a deletion vector as the log holds it: a Roaring bitmap of one array, in Z85.

    https://github.com/delta-io/delta/blob/master/PROTOCOL.md#deletion-vector-format and
    https://rfc.zeromq.org/spec/32.
    """
    bitmap = struct.pack("<IIHHI", 12346, 1, 0, len(rows) - 1, 16) + struct.pack(f"<{len(rows)}H", *rows)
    content = struct.pack("<IQI", 1681511377, 1, 0) + bitmap
    assert len(content) % 4 == 0
    digits = string.digits + string.ascii_letters + ".-:+=^!/*?&<>()[]{}@%$#"
    words = struct.unpack(f">{len(content) // 4}I", content)
    return "".join(digits[word // 85**at % 85] for word in words for at in range(4, -1, -1))


@pytest.fixture
def thinned(tmp_path: Path) -> Path:
    """Give a table of which the second version lacks two rows, by a deletion vector, as Spark deletes them."""
    folder = tmp_path / "thinned"
    frame = pl.DataFrame({"x": [float(at) for at in range(10)], "y": ["a", "b"] * 5})
    write_deltalake(folder, frame.to_arrow(), configuration={"delta.enableDeletionVectors": "true"})
    log = folder / "_delta_log"
    lines = (log / f"{0:020}.json").read_text().splitlines()
    (add,) = (entry["add"] for entry in map(json.loads, lines) if "add" in entry)
    vector = {"storageType": "i", "pathOrInlineDv": _vector([3, 7]), "sizeInBytes": 36, "cardinality": 2}
    remove = {"path": add["path"], "deletionTimestamp": 1, "dataChange": True, "extendedFileMetadata": False}
    actions = [{"remove": remove}, {"add": {**add, "deletionVector": vector}}]
    (log / f"{1:020}.json").write_text("".join(json.dumps(action) + "\n" for action in actions))
    return folder


def test_deleted_rows_are_not_read(thinned: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """Rows that a deletion vector names are gone from their version, its counts and its hash, and no other."""
    schema = schema_of(x="number", y="category")
    before, after = (read(data_of(thinned, version=version), schema) for version in (0, 1))
    assert before.frame["x"].to_list() == [float(at) for at in range(10)]
    assert after.frame["x"].to_list() == [0.0, 1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 9.0]
    assert open_table(data_of(thinned)).header().n_rows == 8
    assert before.source.sha256 != after.source.sha256


def test_a_broken_deletion_vector_is_refused(thinned: Path, data_of: DataOf, schema_of: SchemaOf) -> None:
    """What can't be told of is said, and no row is read."""
    log = thinned / "_delta_log" / f"{1:020}.json"
    log.write_text(log.read_text().replace(_vector([3, 7])[:5], "00000"))
    ((key, words),) = what(data_of(thinned), schema_of(x="number", y="category"))
    assert key == ""
    assert words.startswith("not a whole Delta Lake table: ")

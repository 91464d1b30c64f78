"""Text in other encodings: what it says comes through as UTF-8, what it can't say is refused with its line."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.delimited import open_text
from engine.data.encoding import decoded
from engine.data.header import read_header
from engine.data.schema import Column, Schema
from engine.data.source import batches, read
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]

# How Python writes what each `data.encoding` reads.
WRITTEN = {
    "utf-8": ("utf-8", "utf-8-sig"),
    "utf-16": ("utf-16",),
    "latin-1": ("latin-1",),
    "cp1252": ("cp1252",),
}
LETTERS = {
    "utf-8": st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    "utf-16": st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    "latin-1": st.characters(codec="latin-1", exclude_characters="\0", exclude_categories=["Cc"]),
    "cp1252": st.characters(codec="cp1252", exclude_characters="\0"),
}


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from(list(WRITTEN)), st.integers(1, 30))
def test_a_text_comes_through_however_it_is_cut(data: st.DataObject, encoding: str, size: int) -> None:
    """Every text of every encoding is read as UTF-8, though blocks end within characters."""
    text = data.draw(st.text(LETTERS[encoding], min_size=1))
    for codec in WRITTEN[encoding]:
        file = decoded(io.BytesIO(text.encode(codec)), encoding=encoding, shown="t")  # type: ignore[arg-type]
        found = b"".join(iter(lambda file=file: file.read(size), b""))  # type: ignore[misc]
        assert found.removeprefix(b"\xef\xbb\xbf").decode() == text.removeprefix("\ufeff")


@pytest.mark.parametrize("block_bytes", [1, 7, 2**20])
@pytest.mark.parametrize(
    ("encoding", "content", "message"),
    [
        ("cp1252", b"a,b\n1,2\n3,\x81\n", "t.csv:3\n  the byte 0x81 is not cp1252"),
        ("cp1252", b'a,b\n1,"x\ny"\n3,\x9d\n', "t.csv:4\n  the byte 0x9d is not cp1252"),
        ("cp1252", b"a\x90,b\n1,2\n", "t.csv:1\n  the byte 0x90 is not cp1252"),
        (
            "latin-1",
            b"a,b\n1,2\n3,\x80\n",
            "t.csv:3\n  the byte 0x80 is not latin-1 (data.encoding: cp1252 reads it as '€')",
        ),
        ("latin-1", b"a,b\n1,2\n3,\x81\n", "t.csv:3\n  the byte 0x81 is not latin-1"),
        (
            "latin-1",
            b"\xef\xbb\xbfa,b\n1,2\n",
            "t.csv: data.encoding\n"
            "  the file begins with the byte order mark of utf-8, and data.encoding is latin-1\n"
            "  did you mean 'utf-8'?",
        ),
        (
            "cp1252",
            "a,b\n1,2\n".encode("utf-16"),
            "t.csv: data.encoding\n"
            "  the file begins with the byte order mark of utf-16, and data.encoding is cp1252\n"
            "  did you mean 'utf-16'?",
        ),
        (
            "utf-8",
            "a,b\n1,2\n".encode("utf-16"),
            "t.csv: data.encoding\n"
            "  the file begins with the byte order mark of utf-16, and data.encoding is utf-8\n"
            "  did you mean 'utf-16'?",
        ),
        (
            "utf-8",
            "a,b\n1,2\n".encode("utf-16-le"),
            "t.csv:1\n  the text is UTF-16 or UTF-32 without a byte order mark; save it as UTF-8",
        ),
        ("utf-8", "a,b\n1,2\n".encode("utf-32"), "t.csv:1\n  the text is UTF-32; save it as UTF-8"),
        ("utf-16", "a,b\n1,2\n".encode("utf-32"), "t.csv:1\n  the text is UTF-32; save it as UTF-8"),
        (
            "utf-16",
            "a,b\n1,2\n".encode("utf-16-le"),
            "t.csv:1\n  the file does not begin with the byte order mark of utf-16; save it with one, or as UTF-8",
        ),
        (
            "utf-16",
            b"\xef\xbb\xbfa,b\n1,2\n",
            "t.csv: data.encoding\n"
            "  the file begins with the byte order mark of utf-8, and data.encoding is utf-16\n"
            "  did you mean 'utf-8'?",
        ),
        (
            "utf-16",
            "a,b\n1,2\n3,4\n".encode("utf-16")[:-1],
            "t.csv:3\n  the file ends within a character: it is cut short",
        ),
        (
            "utf-16",
            "a,b\n1,😀\n".encode("utf-16")[:-4],
            "t.csv:2\n  the file ends within a character: it is cut short",
        ),
        (
            "utf-16",
            "a,b\n1,2\n".encode("utf-16") + b"\x00\xdc,\x00" + "3\n".encode("utf-16-le"),
            "t.csv:3\n  the bytes 0x00dc are not utf-16",
        ),
        ("utf-16", "a,b\n1,\0\n".encode("utf-16"), "t.csv:2\n  a NUL byte"),
        ("utf-16", b"\xff\xfe", "t.csv:1\n  the header is empty"),
        ("utf-16", b"", "t.csv\n  the file is empty (0 bytes)"),
        (
            "utf-8",
            b"PK\x03\x04\x14\x00\x06\x00",
            "t.csv\n  the file is a ZIP archive, as Excel writes too, and not text; save the sheet as CSV",
        ),
        ("cp1252", b"\x1f\x8b\x08\x00", "t.csv\n  the file is compressed by gzip; unpack it"),
        (
            "utf-8",
            b'[{"a": 1}]',
            "t.csv\n  the file is one JSON list, and no table; data.format: ndjson reads one object a line",
        ),
        ("utf-8", b"<!doctype html>\n<p>404", "t.csv\n  the file is a web page (HTML), and not a table"),
    ],
)
def test_what_an_encoding_can_not_say_is_refused(
    encoding: str, content: bytes, message: str, block_bytes: int, data_of: DataOf
) -> None:
    """Each mistake has a message of its own, with its line, wherever the blocks end."""
    data = data_of("t.csv", encoding=encoding)
    with pytest.raises(DataError) as caught:
        list(open_text(io.BytesIO(content), data, shown="t.csv", block_bytes=block_bytes).blocks())
    assert str(caught.value) == message


@pytest.mark.parametrize("encoding", list(WRITTEN))
def test_every_entrance_reads_the_encoding(
    encoding: str, tmp_path: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Training, batches and the header give the same names and texts; the hash is of the file's own bytes."""
    schema = schema_of(column_of("größe", "text"), column_of("y", "number", "target"))
    values = ["é" * 40, "ü", "ß,\n"] * 300
    path = tmp_path / "t.csv"
    written = "größe,y\n" + "".join(f'"{value}",1\n' for value in values)
    path.write_bytes(written.encode(encoding))
    data = data_of(path, encoding=encoding)
    table = read(data, schema)
    assert table.frame["größe"].to_list() == values
    assert table.source.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.source.n_bytes == path.stat().st_size
    parts = list(batches(path, schema=schema, data=data, n_rows=100))
    assert [value for part in parts for value in part["größe"].to_list()] == values
    header = read_header(data, schema)
    assert header.columns == ("größe", "y")
    # Each third record holds a line end, and lines are what is counted.
    assert header.n_rows == 1200


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
def test_rows_of_a_long_file_are_estimated_in_any_encoding(
    encoding: str, tmp_path: Path, data_of: DataOf
) -> None:
    """Bytes of the file's own encoding are not taken for UTF-8's: ten thousand rows are about as many."""
    path = tmp_path / "t.csv"
    path.write_bytes(("a,b\n" + "éééééééé,12345\n" * 10_000).encode(encoding))
    assert abs(read_header(data_of(path, encoding=encoding)).n_rows - 10_000) < 100

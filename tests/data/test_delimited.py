"""Delimited bytes: what is well-formed comes through whole, what is not is refused with its line."""

from __future__ import annotations

import csv
import io
from time import process_time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.data.delimited import Delimited
from engine.errors import DataError


def _read(content: bytes, *, delimiter: str = ",", block_bytes: int = 2**20) -> Delimited:
    return Delimited(io.BytesIO(content), delimiter=delimiter, shown="t.csv", block_bytes=block_bytes)


def _rows(content: bytes, *, block_bytes: int = 2**20) -> list[list[str]]:
    """Return the records of all blocks, as Python's csv module reads each block."""
    text = _read(content, block_bytes=block_bytes)
    rows: list[list[str]] = []
    for block in text.blocks():
        assert block.first_row == len(rows)
        lines = io.StringIO(block.content.decode(), newline="")
        found = [row or [""] for row in csv.reader(lines, strict=True)]
        assert block.n_rows == len(found)
        rows += found
    return rows


_INSIDE = 'a quote (") inside a field: quote the whole field and double the quotes in it'
_OPEN = 'a quote (") opens here and is never closed'
_NOT_UTF8 = "the byte 0xe9 is not UTF-8 (data.encoding: cp1252 reads it as 'é')"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv\n  the file is empty (0 bytes)"),
        (b"\n1,2\n", "t.csv:1\n  the header is empty"),
        (b"a,,c\n", "t.csv:1\n  column 2 of the header has no name"),
        (b"a,b,a\n", "t.csv:1: a\n  the header names 'a' 2 times"),
        (
            b",a\n",
            "t.csv:1\n  column 1 of the header has no name; pandas leaves its index out by to_csv(index=False)",
        ),
        (b"a,b,\n", "t.csv:1\n  column 3 of the header has no name: it ends with a delimiter"),
        (
            b"sep=,\na,b\n",
            "t.csv:1\n  this line is Excel's note on the delimiter, not a header; delete the line",
        ),
        (
            b"SEP=;\r\na;b\r\n",
            "t.csv:1\n  this line is Excel's note on the delimiter, not a header; delete the line",
        ),
        (
            b'"a";"b"\n1;2\n',
            "t.csv:1: data.delimiter\n  this does not delimit the header\n  did you mean ';'?",
        ),
        (
            b'"a"\t"b"\r\n1\t2\r\n',
            "t.csv:1: data.delimiter\n  this does not delimit the header\n  did you mean '\\t'?",
        ),
        (
            b"x" * 140_000 + b",b\n",
            "t.csv:1\n  the header has a name of more than 131072 characters: is this a table?",
        ),
        (b"a,b\n1,2\n3,\xe9\n", f"t.csv:3\n  {_NOT_UTF8}"),
        (b"a\xe9,b\n1,2\n", f"t.csv:1\n  {_NOT_UTF8}"),
        (b"a,b\n1,\x00\n", "t.csv:2\n  a NUL byte"),
        (b"a,b\r1,2\r", "t.csv:1\n  a carriage return without a line feed: lines end with LF or CR LF"),
        (b"a,b\n1,2\r3,4\n", "t.csv:2\n  a carriage return without a line feed: lines end with LF or CR LF"),
        (b"a,b\n1\n", "t.csv:2\n  1 field where the header names 2"),
        (b"a,b\n1,2\n3,4,5\n", "t.csv:3\n  3 fields where the header names 2"),
        (b"a,b\n1,2\n\n3,4\n\n", "t.csv:3\n  1 field where the header names 2"),
        (
            b"a,b\n1,2\n\n \n",
            "t.csv:3\n  1 field where the header names 2 (2 such rows)\n\n"
            "t.csv:4\n  1 field where the header names 2",
        ),
        (b"a,b\n1,2\n\r\r\n", "t.csv:3\n  a carriage return without a line feed: lines end with LF or CR LF"),
        (b'a,b\n1,"2\n\n', f"t.csv:2\n  {_OPEN}"),
        (
            b"a,b\n1\n1,2\n1,2,3\n",
            "t.csv:2\n  1 field where the header names 2 (2 such rows)\n\n"
            "t.csv:4\n  3 fields where the header names 2",
        ),
        (b'a,b\n"x\ny",2\n3\n', "t.csv:4\n  1 field where the header names 2"),
        (b'a,b\n1,2\n3,"x\n', f"t.csv:3\n  {_OPEN}"),
        (b'a,b\n"1,2\n3,4\n', f"t.csv:2\n  {_OPEN}"),
        (b'a,b\nx"y,2\n', f"t.csv:2\n  {_INSIDE}"),
        (b'a,b\n1,2\n"x"y,2\n', f"t.csv:3\n  {_INSIDE}"),
        (b'a,b\nx "y, z" w,2\n', f"t.csv:2\n  {_INSIDE}"),
        (b'"a,b\n1,2\n', f"t.csv:1\n  {_OPEN}"),
    ],
)
def test_what_is_malformed_is_refused_with_its_line(content: bytes, message: str) -> None:
    """Each kind of malformed text has a message of its own, with file and line, whatever the block size."""
    for block_bytes in (4, 2**20):
        with pytest.raises(DataError) as caught:
            list(_read(content, block_bytes=block_bytes).blocks())
        assert str(caught.value) == message


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 5, 8, 1000])
@pytest.mark.parametrize("blank", ["", "\n", "\n\n", "\r\n", "\n\r\n\n" * 9])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_blank_lines_at_the_end_are_no_rows(line_end: str, blank: str, block_bytes: int) -> None:
    """Blank lines that nothing follows are left out; of one column each is a row, an empty field."""
    lines = ["a,b", "1,2", '3,"x\n\n"', ""]
    content = (line_end.join(lines) + blank).encode()
    assert _rows(content, block_bytes=block_bytes) == [["1", "2"], ["3", "x\n\n"]]
    assert _rows(f"a,b{line_end}{blank}".encode(), block_bytes=block_bytes) == []
    of_one = _rows(f"a{line_end}1{line_end}{blank}".encode(), block_bytes=block_bytes)
    assert of_one == [["1"], *[[""]] * blank.count("\n")]


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (b"a,b\n", ("a", "b")),
        (b"a,b", ("a", "b")),
        (b"\xef\xbb\xbfa,b\r\n", ("a", "b")),
        (b'"a,1","b ""c"""\n', ("a,1", 'b "c"')),
        (b'"a\nb",c\n1,2\n', ("a\nb", "c")),
        (" ü , b\n".encode(), (" ü ", " b")),
    ],
)
def test_the_header_is_read_as_it_stands(content: bytes, columns: tuple[str, ...]) -> None:
    """Names keep every character; a byte order mark, quotes and the line end are no part of them."""
    assert _read(content).columns == columns
    assert _read(content, block_bytes=3).columns == columns


@pytest.mark.parametrize("delimiter", ["\n", '"', "é", "ab", ""])
def test_a_delimiter_is_one_ascii_character(delimiter: str) -> None:
    """What can't delimit is refused."""
    with pytest.raises(DataError) as caught:
        _read(b"a,b\n", delimiter=delimiter)
    assert str(caught.value) == f"data.delimiter\n  {delimiter!r} can't be a delimiter: one ASCII character"


_FIELDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)


@settings(deadline=None, max_examples=100)
@given(
    st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(_FIELDS, min_size=n, max_size=n), max_size=6)),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 40),
    st.booleans(),
)
def test_what_csv_writes_comes_through_whole(
    rows: list[list[str]], quoting: int, end: str, block_bytes: int, last: bool
) -> None:
    """Whatever Python's csv module writes is taken, in blocks of any size, and no record is lost or cut."""
    # Python's writer leaves a lone carriage return unquoted; such a text is ambiguous and refused.
    assume(quoting == csv.QUOTE_ALL or not any("\r" in field for row in rows for field in row))
    n_columns = len(rows[0]) if rows else 1
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, quoting=quoting, lineterminator=end)
    writer.writerow([f"c{at}" for at in range(n_columns)])
    writer.writerows(rows)
    content = buffer.getvalue().encode()
    if last and rows and rows[-1] != [""]:
        content = content.removesuffix(end.encode())
    assert _rows(content, block_bytes=block_bytes) == rows


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.lists(st.sampled_from(["1", "ab", '"q"', '"a,b"', '"x\ny"', ""]), min_size=1, max_size=4),
        max_size=6,
    ),
    st.integers(1, 30),
)
def test_exactly_the_ragged_rows_are_refused(rows: list[list[str]], block_bytes: int) -> None:
    """A text of two columns is taken if, and only if, every record but blank last ones has two fields."""
    content = ("a,b\n" + "".join(",".join(row) + "\n" for row in rows)).encode()
    while rows and rows[-1] == [""]:
        rows = rows[:-1]
    if all(len(row) == 2 for row in rows):
        assert len(_rows(content, block_bytes=block_bytes)) == len(rows)
    else:
        with pytest.raises(DataError) as caught:
            _rows(content, block_bytes=block_bytes)
        ragged = next(at for at, row in enumerate(rows) if len(row) != 2)
        n_lines = sum(1 + ",".join(row).count("\n") for row in rows[:ragged])
        assert caught.value.messages[0].line == n_lines + 2


def test_a_decimal_that_delimits_is_said_where_it_breaks_a_row() -> None:
    """Unquoted numbers cut in two by their own decimal are refused with the two keys that are alike."""
    text = Delimited(io.BytesIO(b"a,b\n1,2,5\n2,3\n1,5,2,5\n"), delimiter=",", shown="t.csv", decimal=",")
    with pytest.raises(DataError) as caught:
        list(text.blocks())
    assert str(caught.value) == (
        "t.csv:2\n  3 fields where the header names 2 (2 such rows); data.delimiter and data.decimal are both "
        "',': a number with a fraction must stand in quotes\n\nt.csv:4\n  4 fields where the header names 2"
    )


def test_a_header_of_a_hundred_thousand_names_is_read_at_once() -> None:
    """Names are counted, not compared with each other: a doubled one among many is found in no time."""
    names = [f"c{at}" for at in range(100_000)]
    content = ",".join([*names, "c7"]).encode() + b"\n"
    started = process_time()
    with pytest.raises(DataError) as caught:
        _read(content, block_bytes=2**16)
    assert str(caught.value) == "t.csv:1: c7\n  the header names 'c7' 2 times"
    assert process_time() - started < 2

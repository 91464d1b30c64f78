"""How a text is written, told from its bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.sniff import DELIMITERS, Dialect, sniff
from engine.errors import DataError

GERMAN = "Name;Größe\nMüller;1,5\nWeiß;2,25\n"


def sniffed(folder: Path, content: bytes) -> Dialect:
    """Return what is told of a file with some content."""
    path = folder / "t.csv"
    path.write_bytes(content)
    return sniff(path, shown="t.csv")


@pytest.mark.parametrize(
    ("content", "encoding", "delimiter", "columns"),
    [
        (b"a,b\n1,2\n", "utf-8", ",", ("a", "b")),
        (b"\xef\xbb\xbfa,b\n1,2\n", "utf-8", ",", ("a", "b")),
        (b"a\tb\r\n1\t2\r\n", "utf-8", "\t", ("a", "b")),
        (b"a|b|c\n1|2|3", "utf-8", "|", ("a", "b", "c")),
        (b'"a;b","c ","yes"\n"1;2;3",2,3\n', "utf-8", ",", ("a;b", "c ", "yes")),
        (b'id,note\n1,"one\ntwo; three; four"\n', "utf-8", ",", ("id", "note")),
        (b"a;b\n1,5;2,5\n1,5;2,5\n", "utf-8", ";", ("a", "b")),
        (b"a,b,c;d\n1;2\n3;4\n", "utf-8", ";", ("a,b,c", "d")),
        (GERMAN.encode(), "utf-8", ";", ("Name", "Größe")),
        (GERMAN.encode("utf-16"), "utf-16", ";", ("Name", "Größe")),
        (GERMAN.encode("latin-1"), "cp1252", ";", ("Name", "Größe")),
        ((GERMAN + "€;1\n").encode("cp1252"), "cp1252", ";", ("Name", "Größe")),
    ],
)
def test_how_a_text_is_written(
    content: bytes, encoding: str, delimiter: str, columns: tuple[str, ...], tmp_path: Path
) -> None:
    """Encoding, delimiter and names are told from the bytes alone."""
    found = sniffed(tmp_path, content)
    assert (found.encoding, found.delimiter, found.columns) == (encoding, delimiter, columns)


def test_a_guessed_encoding_comes_with_a_word_to_judge_it_by(tmp_path: Path) -> None:
    """Where the encoding is a guess, a word that it decides is shown; where it is certain, none."""
    assert sniffed(tmp_path, GERMAN.encode("latin-1")).foreign == "Größe"
    assert sniffed(tmp_path, GERMAN.encode()).foreign == ""


def test_an_encoding_that_cannot_be_told_is_refused(tmp_path: Path) -> None:
    """A byte that is no letter of UTF-8, of cp1252 or of latin-1: whatever was guessed would not be read."""
    with pytest.raises(DataError, match="not UTF-8, and the byte 0x81 is not cp1252"):
        sniffed(tmp_path, GERMAN.encode("latin-1") + b"\x81;1\n")


def test_a_letter_far_down_decides_the_encoding(tmp_path: Path) -> None:
    """The whole file is looked at: one byte behind the first MiB is seen."""
    content = b"a,b\n" + b"1,2\n" * 300_000 + b"\xfc,3\n"
    assert sniffed(tmp_path, content).encoding == "cp1252"


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(DELIMITERS),
    st.lists(
        st.tuples(st.text("ab ,;|\n\"'é", max_size=6), st.integers(0, 99), st.text("xyz.", max_size=4)),
        min_size=2,
        max_size=8,
    ),
)
def test_quoting_hides_other_delimiters(
    tmp_path_factory: pytest.TempPathFactory, delimiter: str, rows: list[tuple[str, int, str]]
) -> None:
    """Whatever stands inside of quotes, the delimiter that wrote a file is the one that is found."""
    quoted = [tuple('"' + str(field).replace('"', '""') + '"' for field in row) for row in rows]
    lines = [delimiter.join(row) for row in [("alpha", "beta", "gamma"), *quoted]]
    content = ("\r\n".join(lines) + "\r\n").encode()
    assert sniffed(tmp_path_factory.mktemp("sniff"), content).delimiter == delimiter


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "t.csv\n  the file is empty (0 bytes)"),
        (b"\n \n", "t.csv\n  the file holds blank lines only"),
        (
            bytes(range(1, 32)) * 40 + b"\xff",
            "t.csv\n  the file is no text: it holds control characters throughout; CSV and Parquet are read",
        ),
        (
            b"only\n1\n2\n",
            "t.csv:1\n  the header has one column, and a model needs another to learn from "
            "(fields may be separated by , ; tab or |)",
        ),
        (
            b"sep=;\na;b\n1;2\n",
            "t.csv:1\n  the first line, 'sep=;', is a hint for Excel and not the names of the columns; remove it",
        ),
        (
            b",a,b\n0,x,1\n1,y,2\n",
            "t.csv:1\n  column 1 of the header has no name: its values 0, 1, … look like the index that pandas and "
            "R write beside a table; write the file again with to_csv(…, index=False) or write.csv(…, row.names = "
            "FALSE), or name the column",
        ),
        (
            b"a;b;\n1;2;\n3;4;\n",
            "t.csv:1\n  column 3 of the header has no name: every line ends with a delimiter; remove it from the "
            "lines' ends",
        ),
        (b"a,,c\n1,2,3\n", "t.csv:1\n  column 2 of the header has no name; name it in the file's first line"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    """What can't be read is said with what to do about it, exit 3."""
    with pytest.raises(DataError) as caught:
        sniffed(tmp_path, content)
    assert str(caught.value) == message
    assert caught.value.exit_code == 3

"""How a delimited text is written, told from its bytes: encoding, delimiter, names of the columns.

Reads the beginning for the delimiter and the whole file, in bounded memory, for the encoding. What it can't
tell it refuses, with what a person can do about it. Knows no types.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.data.encoding import Encoding, refuse_foreign
from engine.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_BYTES = 2**20
_SAMPLE_RECORDS = 500
# A delimiter that cuts fewer of the sampled rows into as many fields as the header is none.
_FITTING = 0.9
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")
_MAX_CONTROLS = 0.01
_EXCELS_HINT = re.compile("(?i:sep=).")
_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited text is written, and how that was told.

    Attributes
    ----------
    columns
        The header's names, exactly as they stand there.
    foreign
        A word of the file with a letter beyond ASCII, where the encoding had to be guessed: a person sees at
        once whether it was guessed right.
    """

    encoding: Encoding
    delimiter: str
    columns: tuple[str, ...]
    why_encoding: str
    why_delimiter: str
    foreign: str = ""


def sniff(path: Path, *, shown: str) -> Dialect:
    """Tell how a delimited text is written.

    Raises
    ------
    DataError
        If the file is empty, no text or in an encoding that can't be told, has one column, or a column
        without a name.
    """
    with path.open("rb") as file:
        sample = file.read(_SAMPLE_BYTES)
    if not sample:
        raise DataError.of("the file is empty (0 bytes)", file=shown)
    encoding, why_encoding = _encoding(path, sample, shown=shown)
    refuse_foreign(sample, encoding=encoding, shown=shown)
    _refuse_binary(sample, encoding=encoding, shown=shown)
    text = _text(sample, encoding)
    _refuse_hint(text, shown=shown)
    if not text.strip():
        raise DataError.of("the file holds blank lines only", file=shown)
    delimiter, n_columns = _delimiter(text)
    if n_columns == 1:
        raise _one_column(shown)
    records = list(_records(text, delimiter))
    header = tuple(records[0])
    _refuse_nameless(header, records[1:], shown=shown)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        columns=header,
        why_encoding=why_encoding,
        why_delimiter=f"a {_WORDS[delimiter]} cuts the header into {n_columns} fields, and the rows alike",
        foreign="" if encoding in {"utf-8", "utf-16"} else _foreign(path, encoding),
    )


def _encoding(path: Path, sample: bytes, *, shown: str) -> tuple[Encoding, str]:
    """Return the encoding; a file that is UTF-8 nowhere wrong is UTF-8."""
    if sample.startswith(_UTF16_MARKS) and not sample.startswith(codecs.BOM_UTF32_LE):
        return "utf-16", "the file begins with the byte order mark of UTF-16"
    decoder = codecs.getincrementaldecoder("utf-8")()
    beyond: set[int] = set()
    is_utf8 = True
    for content in _chunks(path):
        beyond.update(octet for octet in set(content) if octet >= 0x80)  # noqa: PLR2004 (ASCII ends there)
        try:
            if is_utf8:
                decoder.decode(content)
        except UnicodeDecodeError:
            is_utf8 = False
    if is_utf8:
        mark = ", with a byte order mark" if sample.startswith(codecs.BOM_UTF8) else ""
        return "utf-8", f"every byte is UTF-8{mark}"
    try:
        bytes(sorted(beyond)).decode("cp1252")
    except UnicodeDecodeError as error:
        octet = sorted(beyond)[error.start]
        what = f"not UTF-8, and the byte 0x{octet:02x} is not cp1252 either; write the file as UTF-8"
        raise DataError.of(what, file=shown) from None
    return "cp1252", "not UTF-8; cp1252 (Windows) has a letter for every byte, as it has for all of latin-1"


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while content := file.read(_SAMPLE_BYTES):
            yield content


def _refuse_binary(sample: bytes, *, encoding: Encoding, shown: str) -> None:
    if encoding == "utf-16":
        return
    n_controls = sum(sample.count(octet) for octet in _CONTROLS)
    if n_controls > _MAX_CONTROLS * len(sample):
        what = "the file is no text: it holds control characters throughout; CSV and Parquet are read"
        raise DataError.of(what, file=shown)


def _text(sample: bytes, encoding: Encoding) -> str:
    """Return the beginning as text, without a record that the sample cuts short."""
    text = sample.decode(encoding, errors="replace").removeprefix("\ufeff")
    if len(sample) < _SAMPLE_BYTES:
        return text
    return text[: text.rfind("\n") + 1] or text


def _records(text: str, delimiter: str) -> Iterator[list[str]]:
    """Yield the first records that hold anything; what the reader refuses later may end them early."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        yield from islice((record for record in lines if record), _SAMPLE_RECORDS)
    except csv.Error:
        return


def _delimiter(text: str) -> tuple[str, int]:
    """Return the delimiter that cuts the header finest, of those that cut the rows as they cut the header."""
    best = (0.0, 1, DELIMITERS[0])
    for delimiter in DELIMITERS:
        records = list(_records(text, delimiter))
        if not records or len(records[0]) == 1:
            continue
        n_fields = len(records[0])
        rows = records[1:]
        share = sum(len(row) == n_fields for row in rows) / len(rows) if rows else 1.0
        found = (min(share, _FITTING), n_fields, delimiter)
        best = max(best, found, key=lambda one: one[:2])
    return best[2], best[1]


def _refuse_hint(text: str, *, shown: str) -> None:
    first = text.split("\n", 1)[0].strip()
    if _EXCELS_HINT.fullmatch(first):
        what = f"the first line, '{first}', is a hint for Excel and not the names of the columns; remove it"
        raise DataError.of(what, file=shown, line=1)


def _one_column(shown: str) -> DataError:
    what = (
        "the header has one column, and a model needs another to learn from "
        "(fields may be separated by , ; tab or |)"
    )
    return DataError.of(what, file=shown, line=1)


def _refuse_nameless(header: tuple[str, ...], rows: list[list[str]], *, shown: str) -> None:
    if all(header):
        return
    place = header.index("")
    what = f"column {place + 1} of the header has no name"
    values = [row[place] for row in rows if len(row) > place]
    if place == len(header) - 1 and not any(values):
        what += ": every line ends with a delimiter; remove it from the lines' ends"
    elif place == 0 and values[:2] in (["0", "1"], ["1", "2"]):
        what += (
            f": its values {values[0]}, {values[1]}, … look like the index that pandas and R write beside "
            "a table; write the file again with to_csv(…, index=False) or write.csv(…, row.names = FALSE), "
            "or name the column"
        )
    else:
        what += "; name it in the file's first line"
    raise DataError.of(what, file=shown, line=1)


def _foreign(path: Path, encoding: Encoding) -> str:
    """Return the first word that has a letter beyond ASCII, read in the guessed encoding."""
    for content in _chunks(path):
        if content.isascii():
            continue
        at = next(place for place, octet in enumerate(content) if octet >= 0x80)  # noqa: PLR2004 (as above)
        around = content[max(at - 20, 0) : at + 20].decode(encoding, errors="replace")
        words = "".join(letter if letter.isalpha() else " " for letter in around).split()
        return next((word for word in words if not word.isascii()), "")
    return ""

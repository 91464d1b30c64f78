"""Delimited text as bytes: its header, and blocks of whole records that are what RFC 4180 says.

What a parser would mend in silence is refused here with its line: other encodings, NUL, lone carriage
returns, quotes inside a field, an unclosed quote, rows of too few or too many fields. Only blank lines at the
very end, which editors leave, are no rows. Knows no types.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from engine.data.encoding import Readable, decoded, not_utf8, refuse_foreign
from engine.data.violation import N_SHOWN, counted
from engine.errors import DataError, Message
from engine.recipe.spec_table import DataSpec

BLOCK_BYTES = 8 * 2**20
# A record that is not complete within this many bytes is taken for an unclosed quote.
_MAX_RECORD_BYTES = 64 * 2**20
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_LINE_ENDS = re.compile(rb"(?:\r?\n)*")
_EXCELS_NOTE = re.compile(rb"(?i:sep=).\r?")
_BOM = b"\xef\xbb\xbf"
# Enough to tell by its first bytes what a file is.
_N_FIRST = 16
# What else may stand between fields, tried where the declared delimiter does not fit the header.
_DELIMITERS = (";", "\t", ",", "|")
_BOTH = "data.delimiter and data.decimal are both '{}': a number with a fraction must stand in quotes"


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records, without the header: their bytes, and how many rows stand before them."""

    content: bytes
    first_row: int
    n_rows: int


@dataclass(frozen=True, slots=True)
class _Ragged:
    """A record of too few or too many fields, and the line on which it begins."""

    line: int
    n_fields: int


class Hashed:
    """A binary file that is hashed as it is read."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._digest = hashlib.sha256()
        self.n_bytes = 0

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, empty at the end."""
        content = self._file.read(size)
        self._digest.update(content)
        self.n_bytes += len(content)
        return content

    def hexdigest(self) -> str:
        """Return the SHA-256 of what has been read."""
        return self._digest.hexdigest()


class Delimited:
    """A delimited text file, read once from front to back.

    Parameters
    ----------
    file
        Open at its beginning.
    shown
        The file's name in messages.
    decimal
        What stands before the fraction of a number, as far as the fields can't be told apart for it.

    Raises
    ------
    DataError
        If the header is empty, is not UTF-8, or names a column twice or not at all.
    """

    def __init__(
        self,
        file: Readable,
        *,
        delimiter: str,
        shown: str,
        block_bytes: int = BLOCK_BYTES,
        decimal: str = ".",
    ) -> None:
        self._file = file
        self._delimiter = delimiter
        self._decimal = decimal
        self._shown = shown
        self._block_bytes = block_bytes
        if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
            raise DataError.of(
                f"{delimiter!r} can't be a delimiter: one ASCII character", key="data.delimiter"
            )
        self._line = 1
        self._rest, header = self._read_header()
        self.columns = self._columns(header)
        self._line += header.count(b"\n") + 1
        self.header_bytes = len(header) + 1

    @property
    def sample(self) -> bytes:
        """What was read behind the header so far: the beginning of the first rows."""
        return self._rest

    def blocks(self) -> Iterator[Block]:
        """Yield the records in order, some whole ones at a time.

        Raises
        ------
        DataError
            With file and line, at the first block that is not well-formed.
        """
        n_rows = 0
        ragged: list[_Ragged] = []
        for content in self._contents():
            self._check_characters(content)
            quoted = b'"' in content
            if quoted:
                self._check_quotes(content)
            n_new, found = self._count_records(content, quoted=quoted)
            ragged += found
            if not ragged:
                yield Block(content, n_rows, n_new)
            n_rows += n_new
            self._line += content.count(b"\n") if quoted else n_new
        if ragged:
            raise self._ragged_error(ragged)

    def _read_header(self) -> tuple[bytes, bytes]:
        content = self._file.read(max(self._block_bytes, _N_FIRST))
        if not content:
            raise DataError.of("the file is empty (0 bytes)", file=self._shown)
        refuse_foreign(content, encoding="utf-8", shown=self._shown)
        content = content.removeprefix(_BOM)
        end = _last_record_end(content[:65536], first=True)
        while end is None:
            end = _last_record_end(content, first=True)
            more = b"" if end is not None else self._file.read(max(self._block_bytes, len(content)))
            if end is None and not more:
                return b"", content
            content += more
            if len(content) > _MAX_RECORD_BYTES:
                raise self._error("the header has no end", line=1)
        return content[end:], content[: end - 1]

    def _columns(self, header: bytes) -> tuple[str, ...]:
        self._check_characters(header)
        if wrong := _misquoted(header, self._delimiter):
            fitting = next((mark for mark in _DELIMITERS if not _misquoted(header, mark)), "")
            if fitting:
                raise other_delimiter(fitting, file=self._shown)
            raise self._error_at(header, *wrong)
        lines = io.StringIO(header.decode().removesuffix("\r"), newline="")
        try:
            names = tuple(next(csv.reader(lines, delimiter=self._delimiter, strict=True), ()))
        except csv.Error:
            longest = f"a name of more than {csv.field_size_limit()} characters"
            raise self._error(f"the header has {longest}: is this a table?", line=1) from None
        mistakes = _nameless(names, header, self._shown)
        for name, n in Counter(names).items():
            if name and n > 1:
                mistakes.append(Message(f"the header names '{name}' {n} times", name, self._shown, 1))
        if mistakes:
            raise DataError(mistakes)
        return names

    def _contents(self) -> Iterator[bytes]:
        content, self._rest = self._rest, b""
        while more := self._file.read(self._block_bytes):
            content += more
            end = _last_record_end(content)
            if end is not None:
                # Blank lines wait for what follows: at the end of the file they are no records.
                end = self._before_blank_lines(content[:end])
                if end:
                    yield content[:end]
                content = content[end:]
            elif len(content) > _MAX_RECORD_BYTES:
                self._check_quotes(content)
                raise self._error("one record is longer than 64 MiB", line=self._line)
        content = content[: self._before_blank_lines(content)]
        if content:
            yield content

    def _before_blank_lines(self, content: bytes) -> int:
        """Return where whole records end that blank lines may follow; of one column they are records."""
        if len(self.columns) == 1:
            return len(content)
        end = len(content.rstrip(b"\r\n"))
        line_ends = content[end:]
        if _LINE_ENDS.fullmatch(line_ends) is None:
            return len(content)
        return end + (line_ends.find(b"\n") + 1 if end else 0)

    def _check_characters(self, content: bytes) -> None:
        if (at := content.find(b"\0")) >= 0:
            raise self._error_at(content, at, "a NUL byte")
        if not content.isascii():
            try:
                content.decode()
            except UnicodeDecodeError as exc:
                raise self._error_at(content, exc.start, not_utf8(content[exc.start])) from None
        if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            self._check_returns(content)

    def _check_returns(self, content: bytes) -> None:
        """Refuse a carriage return outside quotes that no line feed follows."""
        octets = np.frombuffer(content + b"\n", np.uint8)
        lone = np.flatnonzero((octets[:-1] == _RETURN) & (octets[1:] != _NEWLINE))
        outside = lone[np.searchsorted(np.flatnonzero(octets == _QUOTE), lone) % 2 == 0]
        if len(outside):
            raise self._error_at(
                content, int(outside[0]), "a carriage return without a line feed: lines end with LF or CR LF"
            )

    def _check_quotes(self, content: bytes) -> None:
        """Refuse a quote that neither opens nor closes a whole field, and one that is never closed."""
        if wrong := _misquoted(content, self._delimiter):
            raise self._error_at(content, *wrong)

    def _count_records(self, content: bytes, *, quoted: bool) -> tuple[int, list[_Ragged]]:
        """Return the number of records, and those of more or fewer fields than the header."""
        marks = _marks(content, self._delimiter, quoted=quoted)
        n_columns = len(self.columns)
        row = self._delimiter.encode() * (n_columns - 1) + b"\n"
        n_rows = len(marks) // n_columns
        if marks.tobytes() == row * n_rows:
            return n_rows, []
        ends = np.flatnonzero(marks == _NEWLINE)
        n_fields = np.diff(ends, prepend=-1)
        lines = self._lines_of_records(content)
        ragged = np.flatnonzero(n_fields != n_columns)
        return len(ends), [_Ragged(int(lines[at]), int(n_fields[at])) for at in ragged]

    def _ragged_error(self, ragged: list[_Ragged]) -> DataError:
        messages: list[Message] = []
        for record in ragged[:N_SHOWN]:
            what = f"{counted(record.n_fields, 'field')} where the header names {len(self.columns)}"
            if not messages and len(ragged) > 1:
                what += f" ({len(ragged)} such rows)"
            if not messages and self._decimal == self._delimiter and record.n_fields > len(self.columns):
                what += f"; {_BOTH.format(self._delimiter)}"
            messages.append(Message(what, file=self._shown, line=record.line))
        return DataError(messages)

    def _lines_of_records(self, content: bytes) -> np.ndarray:
        """Return the line on which each record begins; quoted fields may hold line ends."""
        octets = np.frombuffer(content, np.uint8)
        newlines = np.flatnonzero(octets == _NEWLINE)
        outside = np.searchsorted(np.flatnonzero(octets == _QUOTE), newlines) % 2 == 0
        return self._line + np.concatenate([[0], np.flatnonzero(outside) + 1])

    def _error_at(self, content: bytes, at: int, what: str) -> DataError:
        return self._error(what, line=self._line + content.count(b"\n", 0, at))

    def _error(self, what: str, *, line: int) -> DataError:
        return DataError.of(what, file=self._shown, line=line)


def open_text(file: Readable, data: DataSpec, *, shown: str, block_bytes: int = BLOCK_BYTES) -> Delimited:
    """Return the delimited text of a file, decoded and delimited as `data` says; see `Delimited`."""
    return Delimited(
        decoded(file, encoding=data.encoding, shown=shown),
        delimiter=data.delimiter,
        shown=shown,
        block_bytes=block_bytes,
        decimal=data.decimal,
    )


def other_delimiter(fitting: str, *, file: str) -> DataError:
    """Return the error of a header that another delimiter than the declared one fits."""
    what = "this does not delimit the header"
    suggestion = fitting.replace("\t", "\\t")
    return DataError.of(what, key="data.delimiter", file=file, line=1, suggestion=suggestion)


def fitting_delimiter(name: str, wanted: Iterable[str]) -> str:
    """Return what delimits some of the wanted names in a header that was read as one name, or nothing.

    Examples
    --------
    >>> fitting_delimiter("age;sex;pay", ["sex", "pay"]), fitting_delimiter("a;b", ["c"])
    (';', '')
    """
    known = set(wanted)
    return next((mark for mark in _DELIMITERS if mark in name and known.intersection(name.split(mark))), "")


def _nameless(names: tuple[str, ...], header: bytes, shown: str) -> list[Message]:
    """Return what is wrong where the header lacks a name."""
    if _EXCELS_NOTE.fullmatch(header):
        what = "this line is Excel's note on the delimiter, not a header; delete the line"
        return [Message(what, "", shown, 1)]
    if names and all(names):
        return []
    if not names:
        what = "the header is empty"
    else:
        at = names.index("") + 1
        ends = {
            1: "; pandas leaves its index out by to_csv(index=False)",
            len(names): ": it ends with a delimiter",
        }
        what = f"column {at} of the header has no name{ends.get(at, '')}"
    return [Message(what, "", shown, 1)]


def _misquoted(content: bytes, delimiter: str) -> tuple[int, str] | None:
    """Return where the first quote stands that breaks RFC 4180, and what is wrong with it."""
    if b'"' not in content:
        return None
    octets = np.frombuffer(b"\n" + content + b"\n", np.uint8)
    quotes = np.flatnonzero(octets == _QUOTE)
    opening, closing = quotes[0::2], quotes[1::2]
    edge = (_NEWLINE, _QUOTE, ord(delimiter))
    wrong_open = opening[~np.isin(octets[opening - 1], edge)]
    wrong_close = closing[~np.isin(octets[closing + 1], (*edge, _RETURN))]
    wrong = np.concatenate([wrong_open, wrong_close])
    if len(wrong):
        what = 'a quote (") inside a field: quote the whole field and double the quotes in it'
        return int(wrong.min()) - 1, what
    return (int(quotes[-1]) - 1, 'a quote (") opens here and is never closed') if len(quotes) % 2 else None


def _marks(content: bytes, delimiter: str, *, quoted: bool) -> np.ndarray:
    """Return the delimiters and line ends that stand outside quotes, in order; a last line end is implied."""
    kept = delimiter.encode() + b'\n"'
    marks = np.frombuffer(content.translate(None, bytes(set(range(256)) - set(kept))), np.uint8)
    if quoted:
        quotes = marks == _QUOTE
        marks = marks[(np.bitwise_xor.accumulate(quotes.view(np.uint8)) == 0) & ~quotes]
    return marks if content.endswith(b"\n") else np.append(marks, np.uint8(_NEWLINE))


def _last_record_end(content: bytes, *, first: bool = False) -> int | None:
    """Return where the last (or first) record ends, behind its line end, or None if none does."""
    if b'"' not in content:
        at = content.find(b"\n") if first else content.rfind(b"\n")
        return at + 1 if at >= 0 else None
    octets = np.frombuffer(content, np.uint8)
    newlines = np.flatnonzero(octets == _NEWLINE)
    outside = newlines[np.searchsorted(np.flatnonzero(octets == _QUOTE), newlines) % 2 == 0]
    return int(outside[0 if first else -1]) + 1 if len(outside) else None

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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from engine.data.violation import N_SHOWN, counted
from engine.errors import DataError, Message

BLOCK_BYTES = 8 * 2**20
# A record that is not complete within this many bytes is taken for an unclosed quote.
_MAX_RECORD_BYTES = 64 * 2**20
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_LINE_ENDS = re.compile(rb"(?:\r?\n)*")
_BOM = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Readable(Protocol):
    """A binary file, as far as it is needed here."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, empty at the end."""


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

    Raises
    ------
    DataError
        If the header is empty, is not UTF-8, or names a column twice or not at all.
    """

    def __init__(self, file: Readable, *, delimiter: str, shown: str, block_bytes: int = BLOCK_BYTES) -> None:
        self._file = file
        self._delimiter = delimiter
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
        content = self._file.read(self._block_bytes)
        if not content:
            raise DataError.of("the file is empty (0 bytes)", file=self._shown)
        if content.startswith(_UTF16_MARKS) or b"\0" in content[:4]:
            raise self._error("the text is UTF-16 or UTF-32; save it as UTF-8", line=1)
        content = content.removeprefix(_BOM)
        end = _last_record_end(content[:65536], first=True)
        while end is None:
            end = _last_record_end(content, first=True)
            more = b"" if end is not None else self._file.read(self._block_bytes)
            if end is None and not more:
                return b"", content
            content += more
            if len(content) > _MAX_RECORD_BYTES:
                raise self._error("the header has no end", line=1)
        return content[end:], content[: end - 1]

    def _columns(self, header: bytes) -> tuple[str, ...]:
        self._check_characters(header)
        if b'"' in header:
            self._check_quotes(header)
        lines = io.StringIO(header.decode().removesuffix("\r"), newline="")
        names = tuple(next(csv.reader(lines, delimiter=self._delimiter, strict=True), ()))
        mistakes = []
        if not names or not all(names):
            what = (
                f"column {names.index('') + 1} of the header has no name" if names else "the header is empty"
            )
            mistakes.append(Message(what, "", self._shown, 1))
        for name in sorted({name for name in names if name and names.count(name) > 1}, key=names.index):
            what = f"the header names '{name}' {names.count(name)} times"
            mistakes.append(Message(what, name, self._shown, 1))
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
                byte = f"0x{content[exc.start]:02x}"
                raise self._error_at(content, exc.start, f"the byte {byte} is not UTF-8") from None
        if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            self._check_returns(content)

    def _check_returns(self, content: bytes) -> None:
        """Refuse a carriage return outside quotes that no line feed follows."""
        octets = np.frombuffer(content + b"\n", np.uint8)
        lone = np.flatnonzero((octets[:-1] == _RETURN) & (octets[1:] != _NEWLINE))
        outside = lone[np.searchsorted(np.flatnonzero(octets == _QUOTE), lone) % 2 == 0]
        if len(outside):
            raise self._error_at(content, int(outside[0]), "a carriage return without a line feed")

    def _check_quotes(self, content: bytes) -> None:
        """Refuse a quote that neither opens nor closes a whole field, and one that is never closed."""
        octets = np.frombuffer(b"\n" + content + b"\n", np.uint8)
        quotes = np.flatnonzero(octets == _QUOTE)
        opening, closing = quotes[0::2], quotes[1::2]
        edge = (_NEWLINE, _QUOTE, ord(self._delimiter))
        wrong_open = opening[~np.isin(octets[opening - 1], edge)]
        wrong_close = closing[~np.isin(octets[closing + 1], (*edge, _RETURN))]
        wrong = np.concatenate([wrong_open, wrong_close])
        if len(wrong):
            what = 'a quote (") inside a field: quote the whole field and double the quotes in it'
            raise self._error_at(content, int(wrong.min()) - 1, what)
        if len(quotes) % 2:
            raise self._error_at(content, int(quotes[-1]) - 1, 'a quote (") opens here and is never closed')

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

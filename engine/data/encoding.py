"""Bytes of a declared encoding become UTF-8 as they are read; what the encoding does not know is refused.

Nothing is guessed: the recipe's `data.encoding` decides, and a file that says otherwise by its first bytes is
an error. Knows no fields and no records, only characters and lines.
"""

from __future__ import annotations

import codecs
from typing import Literal, Protocol

from engine.errors import DataError

Encoding = Literal["utf-8", "utf-16", "latin-1", "cp1252"]
# The longest first, because UTF-32's mark begins with UTF-16's. (Unicode 16, table 23-8)
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive, as Excel writes too, and not text; save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an Excel workbook, and not text; save the sheet as CSV"),
    (b"\x1f\x8b", "compressed by gzip; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it"),
    (b"BZh", "compressed by bzip2; unpack it"),
    (b"\xfd7zXZ\0", "compressed by xz; unpack it"),
    (b"Obj\1", "Avro, and not text; save it as Parquet"),
    (b"ORC\3", "ORC, and not text; save it as Parquet"),
    (b"<!DOCTYPE", "a web page (HTML), and not a table"),
    (b"<!doctype", "a web page (HTML), and not a table"),
    (b"<html", "a web page (HTML), and not a table"),
    (b"<?xml", "XML, and not a table"),
    (b'{"', "JSON, and not CSV; data.format: ndjson reads one object a line"),
    (b'[{"', "one JSON list, and no table; data.format: ndjson reads one object a line"),
    (b"SQLite format 3\0", "an SQLite database, and not text; data.format: sql reads a table of it"),
)
_N_FIRST = 16
# ISO/IEC 8859-1 defines none of these; where they stand, the text is another encoding's, mostly cp1252.
_UNDEFINED_LATIN = bytes(range(0x80, 0xA0))


class Readable(Protocol):
    """A binary file, as far as it is needed here."""

    def read(self, size: int, /) -> bytes:
        """Return some bytes, at most or about `size`, and none only at the end."""


def decoded(file: Readable, *, encoding: Encoding, shown: str) -> Readable:
    """Return a file whose bytes are the text of `file` in UTF-8; of UTF-8 that is `file` itself.

    Parameters
    ----------
    file
        Open at its beginning.
    shown
        The file's name in messages.
    """
    return file if encoding == "utf-8" else _Transcoded(file, encoding=encoding, shown=shown)


def refuse_foreign(content: bytes, *, encoding: Encoding, shown: str) -> None:
    """Refuse a file whose first bytes are the mark of another encoding, or of no text at all.

    Raises
    ------
    DataError
        Says what the file is, and which `data.encoding` reads it where one does.
    """
    for magic, what in _FOREIGN:
        if content.startswith(magic):
            raise DataError.of(f"the file is {what}", file=shown)
    mark = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    if mark == "utf-32":
        raise DataError.of("the text is UTF-32; save it as UTF-8", file=shown, line=1)
    if mark and mark != encoding:
        what = f"the file begins with the byte order mark of {mark}, and data.encoding is {encoding}"
        raise DataError.of(what, key="data.encoding", file=shown, suggestion=mark)
    if encoding == "utf-16" and not mark:
        what = "the file does not begin with the byte order mark of utf-16; save it with one, or as UTF-8"
        raise DataError.of(what, file=shown, line=1)
    if encoding == "utf-8" and b"\0" in content[:4]:
        what = "the text is UTF-16 or UTF-32 without a byte order mark; save it as UTF-8"
        raise DataError.of(what, file=shown, line=1)


def not_utf8(octet: int) -> str:
    """Return what is said of a byte that is not UTF-8, with the character that it may be meant as.

    Examples
    --------
    >>> not_utf8(0xE9)
    "the byte 0xe9 is not UTF-8 (data.encoding: cp1252 reads it as 'é')"
    >>> not_utf8(0x81)
    'the byte 0x81 is not UTF-8 (data.encoding names other encodings)'
    """
    meant = _as_cp1252(octet)
    cure = f"data.encoding: cp1252 reads it as '{meant}'" if meant else "data.encoding names other encodings"
    return f"the byte 0x{octet:02x} is not UTF-8 ({cure})"


class _Transcoded:
    """A binary file in another encoding, read as UTF-8."""

    def __init__(self, file: Readable, *, encoding: Encoding, shown: str) -> None:
        self._file = file
        self._encoding = encoding
        self._shown = shown
        self._line = 1
        self._codec: str = encoding
        self._decoder: codecs.IncrementalDecoder | None = None

    def read(self, size: int, /) -> bytes:
        """Return the text of the next `size` bytes in UTF-8, empty at the end."""
        while True:
            content = self._file.read(size if self._decoder else max(size, _N_FIRST))
            if self._decoder is None:
                if not content:
                    return b""
                refuse_foreign(content, encoding=self._encoding, shown=self._shown)
                self._codec = _codec(content, self._encoding)
                self._decoder = codecs.getincrementaldecoder(self._codec)()
            text = self._decode(self._decoder, content)
            if text or not content:
                return text.encode()

    def _decode(self, decoder: codecs.IncrementalDecoder, content: bytes) -> str:
        # Comparing lengths is much faster than searching for a byte that is mostly not there.
        if self._encoding == "latin-1" and len(content.translate(None, _UNDEFINED_LATIN)) < len(content):
            at = next(at for at, octet in enumerate(content) if octet in _UNDEFINED_LATIN)
            octet = content[at]
            meant = _as_cp1252(octet)
            cure = f" (data.encoding: cp1252 reads it as '{meant}')" if meant else ""
            line = self._line + content.count(b"\n", 0, at)
            raise self._error(f"the byte 0x{octet:02x} is not latin-1{cure}", line=line)
        try:
            text = decoder.decode(content, final=not content)
        except UnicodeDecodeError as exc:
            # The decoder's own bytes: those it kept from the last block stand before the new ones.
            before = exc.object[: exc.start].decode(self._codec)
            line = self._line + before.count("\n")
            if exc.reason in {"truncated data", "unexpected end of data"}:
                raise self._error("the file ends within a character: it is cut short", line=line) from None
            wrong = exc.object[exc.start : exc.end].hex()
            noun = "byte" if exc.end - exc.start == 1 else "bytes"
            verb = "is" if noun == "byte" else "are"
            raise self._error(f"the {noun} 0x{wrong} {verb} not {self._encoding}", line=line) from None
        self._line += text.count("\n")
        return text

    def _error(self, what: str, *, line: int) -> DataError:
        return DataError.of(what, file=self._shown, line=line)


def _codec(content: bytes, encoding: Encoding) -> str:
    """Return the codec that gives the byte order mark as a character, which the reader of text drops."""
    if encoding != "utf-16":
        return encoding
    return "utf-16-le" if content.startswith(codecs.BOM_UTF16_LE) else "utf-16-be"


def _as_cp1252(octet: int) -> str:
    return bytes([octet]).decode("cp1252", errors="ignore")

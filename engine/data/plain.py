"""Plain text: a CSV file without quotes, which polars reads whole once its bytes were looked through."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from engine.data.blanks import has_blank_field
from engine.data.datetimes import parse
from engine.data.delimited import Delimited
from engine.data.lazily import LAST
from engine.data.schema import Column, Storage
from engine.data.storage import dtypes
from engine.recipe.spec_table import DataSpec

# Stays in the processor's cache while it is looked through several times.
_BUFFER_BYTES = 2**18
_N_FIRST = 100
_READ: tuple[Storage, ...] = ("float64", "int64", "boolean")


@dataclass(frozen=True, slots=True)
class Looked:
    """What was seen of the bytes of a plain text."""

    n_bytes: int
    n_delimiters: int
    sha256: str

    def hexdigest(self) -> str:
        """Return the SHA-256 of the bytes, empty where it was not asked."""
        return self.sha256


def look_through(path: Path, *, delimiter: str, hashed: bool) -> Looked | None:
    """Look through the bytes of a file; None where it has quotes, CR, NUL, blank fields, no UTF-8."""
    buffer = bytearray(_BUFFER_BYTES)
    octets = np.frombuffer(buffer, np.uint8)
    is_mark = np.empty(_BUFFER_BYTES, dtype=bool)
    digest = hashlib.sha256()
    n_bytes = n_delimiters = 0
    text = _Utf8()
    with path.open("rb", buffering=0) as file:
        while n_read := file.readinto(buffer):
            part = buffer if n_read == _BUFFER_BYTES else buffer[:n_read]
            if any(part.find(mark) >= 0 for mark in (b'"', b"\r", b"\0")) or not text.takes(part):
                return None
            if has_blank_field(part, delimiter=delimiter):
                return None
            np.equal(octets, ord(delimiter), out=is_mark)
            n_delimiters += int(np.count_nonzero(is_mark[:n_read]))
            n_bytes += n_read
            if hashed:
                digest.update(part)
    return Looked(n_bytes, n_delimiters, digest.hexdigest() if hashed else "") if text.ends() else None


class _Utf8:
    """Tells whether bytes that come part by part are UTF-8."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def takes(self, part: bytearray) -> bool:
        """Tell whether all is well so far."""
        if part.isascii() and not self._decoder.getstate()[0]:
            return True
        return self._decodes(bytes(part), is_end=False)

    def ends(self) -> bool:
        """Tell whether no character is cut short."""
        return self._decodes(b"", is_end=True)

    def _decodes(self, part: bytes, *, is_end: bool) -> bool:
        try:
            self._decoder.decode(part, is_end)
        except UnicodeDecodeError:
            return False
        return True


def plain_query(
    data: DataSpec, text: Delimited, columns: tuple[Column, ...]
) -> tuple[pl.LazyFrame, Mapping[str, str]]:
    """Return the rows of a plain text unread, as `Lazily.raw` has them, and how datetimes are written.

    Parameters
    ----------
    text
        The file, of which only the beginning was read.
    """
    places = [text.columns.index(column.name) for column in columns]
    # Numbered names, because polars reads `*` and `^…$` in a name as patterns.
    types: dict[str, pl.DataType] = {str(at): pl.String() for at in range(len(text.columns))}
    for place, column in zip(places, columns, strict=True):
        if column.storage in _READ:
            types[str(place)] = dtypes()[column.storage]
    nulls = list(data.null_values)
    scan = pl.scan_csv(
        Path(data.path),
        has_header=False,
        skip_lines=1,
        schema=types,
        separator=data.delimiter,
        null_values=["", *nulls] if nulls else None,
        glob=False,
    )
    raw = [pl.col(str(place)).alias(f"r{at}") for at, place in enumerate(places)]
    last = pl.col(str(len(text.columns) - 1)).alias(LAST)
    return scan.select(*raw, last), _first_moments(data, text, columns)


def _first_moments(data: DataSpec, text: Delimited, columns: tuple[Column, ...]) -> Mapping[str, str]:
    """Return the first value of each column of datetimes, where the beginning of the text has one."""
    lines = text.sample.decode(errors="replace").split("\n", _N_FIRST)[:-1]
    records = [line.split(data.delimiter) for line in lines]
    found = {}
    for column in columns:
        if column.storage == "datetime":
            place = text.columns.index(column.name)
            values = (record[place] for record in records if len(record) == len(text.columns))
            first = next((value for value in values if value and value not in data.null_values), "")
            # A month without a day is told by the slow way alone.
            if parse(first) is not None and first.count("-") > 1:
                found[column.name] = first
    return found

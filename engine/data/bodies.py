"""A table that a stranger sends, an Arrow stream or Parquet: its sizes are added up before it is unpacked.

Both formats let some bytes stand for a great many; what is too large is refused by what its pieces say that
they unpack to (https://arrow.apache.org/docs/format/Columnar.html, https://github.com/apache/parquet-format).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Literal

import polars as pl

from engine.data.footer import Fields, Thrift
from engine.errors import DataError

TableKind = Literal["arrow", "parquet"]
_MAGIC = b"PAR1"
_TAIL = 8
_DELTA_BYTE_ARRAY = 7
_NAMES = {"arrow": "stream of Arrow's IPC format", "parquet": "Parquet file"}
_BROKEN = (struct.error, IndexError, KeyError, ValueError, TypeError, RecursionError, OverflowError)
_POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
_COMPRESSED = "a compressed Arrow stream is not read: write it uncompressed"


def read_table(body: bytes, kind: TableKind, *, max_rows: int, max_bytes: int) -> pl.DataFrame:
    """Return the table in a request's body, not judged yet.

    Parameters
    ----------
    max_rows, max_bytes
        The most rows, and the most bytes of what is unpacked.

    Raises
    ------
    DataError
        If the body is no such table, is damaged, is larger than allowed, or is packed in a way that hides its
        size.
    """
    try:
        n_rows, n_bytes = _parquet(body) if kind == "parquet" else _arrow(body)
    except _BROKEN:
        raise _damaged(kind) from None
    if n_rows > max_rows:
        raise DataError.of(f"{n_rows} records are more than {max_rows}, the most in one request")
    if n_bytes > max_bytes:
        raise DataError.of(f"unpacked, the table has more than {max_bytes / 2**20:g} MiB")
    frame = _read(body, kind)
    texts = frame.select(pl.col(pl.String, pl.Categorical).cast(pl.String).str.len_bytes().sum())
    # Many values may be one and the same piece of memory, until each of them becomes a text of its own.
    if sum(value for row in texts.rows() for value in row) > max_bytes:
        raise DataError.of(f"unpacked, the table has more than {max_bytes / 2**20:g} MiB")
    return frame


def _read(body: bytes, kind: TableKind) -> pl.DataFrame:
    """Read by Arrow's own library: a damaged stream makes polars' reader end the process."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    try:
        buffer = pa.py_buffer(body)
        if kind == "parquet":
            table = parquet.read_table(pa.BufferReader(buffer), use_threads=False)
        else:
            with ipc.open_stream(buffer) as stream:
                table = stream.read_all()
        table.validate(full=True)
        # Asked for here, as names that are no UTF-8 make polars panic.
        nested = [field.name for field in table.schema if pa.types.is_nested(field.type)]
        if nested:
            raise DataError.of("a column of lists or structs is no column of this table", key=nested[0])
        frame = pl.from_arrow(table)
    except (pa.ArrowException, OSError, ValueError, TypeError, *_POLARS):
        raise _damaged(kind) from None
    assert isinstance(frame, pl.DataFrame)
    return frame


def _damaged(kind: TableKind) -> DataError:
    return DataError.of(f"the body is no {_NAMES[kind]}, or is damaged")


def _parquet(body: bytes) -> tuple[int, int]:
    """Return the rows and the unpacked bytes of all pages, by the pages' own headers."""
    length = int.from_bytes(body[-_TAIL:-4], "little")
    if body[:4] != _MAGIC or body[-4:] != _MAGIC or length > len(body) - _TAIL - 4:
        raise ValueError("no footer")
    footer = Thrift(body[-_TAIL - length : -_TAIL]).fields()
    n_rows, n_bytes = _whole(footer[3]), 0
    for group in _structs(footer[4]):
        for chunk in _structs(group[1]):
            n_values, n_unpacked = _pages(body, chunk[3])
            n_rows, n_bytes = max(n_rows, n_values), n_bytes + n_unpacked
    return n_rows, n_bytes


def _pages(body: bytes, chunk: object) -> tuple[int, int]:
    """Return how many values the pages of one column hold, and how many bytes they unpack to."""
    if not isinstance(chunk, dict):
        raise TypeError(chunk)
    # A column without a row has a page of its dictionary at most.
    starts = [_whole(chunk[field]) for field in (9, 11) if chunk.get(field)]
    at = min(starts, default=0)
    if not at:
        return 0, 0
    end = at + _whole(chunk[7])
    n_values = n_bytes = 0
    while at < end:
        reader = Thrift(body, at)
        header = reader.fields()
        n_bytes += _whole(header[2])
        at = reader.at + _whole(header[3])
        data = header.get(5, header.get(8))
        if isinstance(data, dict):
            n_values += _whole(data[1])
            # Each value may repeat the start of the one before, however long that is.
            if data.get(2) == _DELTA_BYTE_ARRAY or data.get(4) == _DELTA_BYTE_ARRAY:
                raise DataError.of("texts in Parquet's DELTA_BYTE_ARRAY are not read: write them plain")
    return n_values, n_bytes


def _structs(value: object) -> Iterator[Fields]:
    if not isinstance(value, list):
        raise TypeError(value)
    for item in value:
        if not isinstance(item, dict):
            raise TypeError(item)
        yield item


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("no size")
    return value


def _arrow(body: bytes) -> tuple[int, int]:
    """Return the rows and the bytes of all batches of a stream, none of them compressed."""
    at = n_rows = 0
    while at < len(body):
        (length,) = struct.unpack_from("<i", body, at)
        at += 4
        if length == -1:
            (length,) = struct.unpack_from("<i", body, at)
            at += 4
        if length == 0:
            break
        message = _Table(body[at : at + length], *struct.unpack_from("<I", body, at))
        at += length + _whole(message.number(3, "<q"))
        kind = message.number(1, "<B")
        if kind in (2, 3):
            batch = message.table(2) if kind == 3 else message.table(2).table(1)  # noqa: PLR2004 (RecordBatch)
            n_rows += _whole(batch.number(0, "<q"))
            if batch.offset(3):
                raise DataError.of(_COMPRESSED)
    return n_rows, 0


class _Table:
    """One table of a flatbuffer (https://flatbuffers.dev/internals/), its fields by number."""

    def __init__(self, content: bytes, at: int) -> None:
        self._content = content
        self._at = at
        (back,) = struct.unpack_from("<i", content, at)
        self._names = at - back
        (self._length,) = struct.unpack_from("<H", content, self._names)

    def offset(self, field: int) -> int:
        """Return where a field stands, 0 where it is left out."""
        entry = 4 + 2 * field
        if entry >= self._length:
            return 0
        (offset,) = struct.unpack_from("<H", self._content, self._names + entry)
        return self._at + int(offset) if offset else 0

    def number(self, field: int, form: str) -> int:
        """Return a number, 0 where it is left out."""
        place = self.offset(field)
        return int(struct.unpack_from(form, self._content, place)[0]) if place else 0

    def table(self, field: int) -> _Table:
        """Return a table inside."""
        place = self.offset(field)
        if not place:
            raise ValueError("a field is left out")
        (offset,) = struct.unpack_from("<I", self._content, place)
        return _Table(self._content, place + offset)

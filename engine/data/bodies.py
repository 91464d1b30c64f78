"""A table that a stranger sends, an Arrow stream or Parquet: its sizes are added up before it is unpacked.

Both formats let some bytes stand for a great many; what is too large is refused by what its pieces say that
they unpack to (https://arrow.apache.org/docs/format/Columnar.html, https://github.com/apache/parquet-format).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

import polars as pl

from engine.data.datetimes import refuse_zones
from engine.data.footer import Fields, Thrift
from engine.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

TableKind = Literal["arrow", "parquet"]
_MAGIC = b"PAR1"
_TAIL = 8
# Where the header of a page of values stands, by the page's type, and where in it the encoding.
_DATA_PAGES = {0: (5, 2), 3: (8, 4)}
_DELTA_BYTE_ARRAY = 7
# PLAIN_DICTIONARY and RLE_DICTIONARY.
_BY_DICTIONARY = (2, 8)
# Bytes of a value of Parquet's physical types; of a text, those of where it ends.
_WIDTHS = {0: 1, 1: 4, 2: 8, 3: 12, 4: 4, 5: 8, 6: 4}
_FIXED_BYTES = 7
_NAMES = {"arrow": "stream of Arrow's IPC format", "parquet": "Parquet file"}
# Of a text in polars' memory, however often it stands there.
_VIEW_BYTES = 16
_SMALL_BYTES, _MOST_TIMES = 1 << 28, 64
_BROKEN = (struct.error, IndexError, KeyError, ValueError, TypeError, RecursionError, OverflowError)
_POLARS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
_COMPRESSED = "a compressed Arrow stream is not read: write it uncompressed"

_EXTENSION = "texts of an Arrow extension type are not read from a dictionary: write them as texts"


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
    packed: frozenset[int] = frozenset()
    n_bytes = 0
    try:
        if kind == "parquet":
            n_rows, n_bytes, packed = _parquet(body)
        else:
            n_rows = _arrow(body)
    except _BROKEN:
        raise _damaged(kind) from None
    if n_rows > max_rows:
        raise DataError.of(f"{n_rows} records are more than {max_rows}, the most in one request")
    _check_size(n_bytes, max_bytes)
    frame = _read(body, kind, packed, max_bytes)
    texts = frame.select(pl.col(pl.String, pl.Categorical).cast(pl.String).str.len_bytes().sum())
    # Many values may be one and the same piece of memory, until each of them becomes a text of its own.
    _check_size(sum(value for row in texts.rows() for value in row), max_bytes)
    return frame


def swells(content: bytes) -> bool:
    """Tell whether a Parquet file unpacks to far more than it is, as no file of a bundle does.

    A damaged one is left to who reads it.
    """
    try:
        n_values, n_bytes, _ = _parquet(content)
    except (DataError, *_BROKEN):
        return False
    return max(n_bytes, n_values * _VIEW_BYTES) > max(_SMALL_BYTES, _MOST_TIMES * len(content))


def _check_size(n_bytes: int, max_bytes: int) -> None:
    if n_bytes > max_bytes:
        raise DataError.of(f"unpacked, the table has more than {max_bytes / 2**20:g} MiB")


def _read(body: bytes, kind: TableKind, packed: frozenset[int], max_bytes: int) -> pl.DataFrame:
    """Read by Arrow's own library: a damaged stream makes polars' reader end the process.

    The columns of Parquet that are `packed` by a dictionary stay so until their texts are added up.
    """
    import pyarrow as pa
    from pyarrow import ipc, parquet

    try:
        buffer = pa.py_buffer(body)
        if kind == "parquet":
            schema = _flat(parquet.read_schema(pa.BufferReader(buffer)))
            kept = [field for place, field in enumerate(schema) if place in packed]
            # Arrow writes the texts of its extension types out, whatever it is asked to keep.
            for field in kept:
                if isinstance(field.type, pa.BaseExtensionType) and not _is_fixed(field.type.storage_type):
                    raise DataError.of(_EXTENSION, key=field.name)
            names = [field.name for field in kept]
            table = parquet.read_table(pa.BufferReader(buffer), use_threads=False, read_dictionary=names)
        else:
            with ipc.open_stream(buffer) as stream:
                schema = _flat(stream.schema)
                table = stream.read_all()
        table.validate(full=True)
        _check_size(sum(map(_unpacked, table.columns)), max_bytes)
        for place, field in enumerate(schema):
            column = table.column(place)
            if pa.types.is_dictionary(column.type) and not pa.types.is_dictionary(field.type):
                table = table.set_column(place, field.name, column.cast(column.type.value_type))
        frame = pl.from_arrow(table)
    except (pa.ArrowException, OSError, ValueError, TypeError, *_POLARS):
        raise _damaged(kind) from None
    assert isinstance(frame, pl.DataFrame)
    return frame


def _flat(schema: pa.Schema) -> pa.Schema:
    """Return a schema with no lists, and no names or time zones that make polars panic."""
    nested = [field.name for field in schema if _is_nested(field.type)]
    if nested:
        raise DataError.of("a column of lists or structs is no column of this table", key=nested[0])
    refuse_zones(schema)
    return schema


def _is_nested(kind: pa.DataType) -> bool:
    import pyarrow as pa

    if isinstance(kind, pa.BaseExtensionType):
        return _is_nested(kind.storage_type)
    if pa.types.is_dictionary(kind):
        return pa.types.is_dictionary(kind.value_type) or _is_nested(kind.value_type)
    return bool(pa.types.is_nested(kind))


def _is_fixed(kind: pa.DataType) -> bool:
    """Tell whether every value of a type takes the same bytes."""
    import pyarrow as pa

    return bool(pa.types.is_primitive(kind) or pa.types.is_fixed_size_binary(kind))


def _unpacked(column: pa.ChunkedArray) -> int:
    """Return the bytes of a column, every value of a dictionary written out as often as it stands there."""
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if not pa.types.is_dictionary(column.type):
        return int(column.nbytes)
    lengths = (_lengths(chunk.dictionary).take(chunk.indices) for chunk in column.chunks)
    return sum(compute.sum(found).as_py() or 0 for found in lengths)


def _lengths(values: pa.Array) -> pa.Array:
    """Return how many bytes each value of a dictionary has."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute

    kind, n_values = values.type, len(values)
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind):
        # A view of 16 bytes begins with its length.
        heads = np.frombuffer(values.buffers()[1] or b"", "<i4")[4 * values.offset :][: 4 * n_values : 4]
        return pa.array(heads, mask=values.is_null().to_numpy(zero_copy_only=False))
    if kind in (pa.string(), pa.large_string(), pa.binary(), pa.large_binary()):
        return compute.binary_length(values)
    return pa.array(np.full(n_values, 0 if pa.types.is_null(kind) else kind.bit_width // 8))


def _damaged(kind: TableKind) -> DataError:
    return DataError.of(f"the body is no {_NAMES[kind]}, or is damaged")


def _parquet(body: bytes) -> tuple[int, int, frozenset[int]]:
    """Return the rows and unpacked bytes by the headers of all pages, and which columns have a dictionary."""
    length = int.from_bytes(body[-_TAIL:-4], "little")
    if body[:4] != _MAGIC or body[-4:] != _MAGIC or length > len(body) - _TAIL - 4:
        raise ValueError("no footer")
    footer = Thrift(body[-_TAIL - length : -_TAIL]).fields()
    leaves = [element for element in list(_structs(footer[2]))[1:] if not element.get(5)]
    rows = [0] * len(leaves)
    n_bytes = n_packed = 0
    by_dictionary = set()
    for group in _structs(footer[4]):
        for place, (leaf, chunk) in enumerate(zip(leaves, _structs(group[1]), strict=True)):
            column = _struct(chunk[3])
            n_packed += _whole(column[7])
            # Chunks that overlap would let few bytes be walked, and unpacked, again and again.
            if n_packed > len(body):
                raise ValueError("more bytes than there are")
            n_values, n_unpacked, is_by_dictionary = _pages(body, column)
            rows[place] += max(n_values, _whole(column[5]), _whole(group[3]))
            width = _whole(leaf.get(2, 0)) if leaf[1] == _FIXED_BYTES else _WIDTHS[_whole(leaf[1])]
            n_bytes += max(n_unpacked, n_values * width)
            if is_by_dictionary:
                by_dictionary.add(place)
    return max(_whole(footer[3]), *rows, 0), n_bytes, frozenset(by_dictionary)


def _pages(body: bytes, column: Fields) -> tuple[int, int, bool]:
    """Return how many values a column's pages hold, what they unpack to, and whether by a dictionary."""
    # A column without a row has a page of its dictionary at most.
    starts = [_whole(column[field]) for field in (9, 11) if column.get(field)]
    if not starts:
        return 0, 0, False
    pages = Thrift(body[min(starts) : min(starts) + _whole(column[7])])
    n_values = n_bytes = 0
    is_by_dictionary = False
    while pages.at < len(pages.content):
        header = pages.fields()
        n_bytes += _whole(header[2])
        pages.at += _whole(header[3])
        place, named = _DATA_PAGES.get(_whole(header[1]), (0, 0))
        if place:
            data = _struct(header[place])
            n_values += _whole(data[1])
            # Each value may repeat the start of the one before, however long that is.
            if data[named] == _DELTA_BYTE_ARRAY:
                raise DataError.of("texts in Parquet's DELTA_BYTE_ARRAY are not read: write them plain")
            is_by_dictionary = is_by_dictionary or data[named] in _BY_DICTIONARY
    return n_values, n_bytes, is_by_dictionary


def _structs(value: object) -> Iterator[Fields]:
    if not isinstance(value, list):
        raise TypeError(value)
    for item in value:
        yield _struct(item)


def _struct(value: object) -> Fields:
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("no size")
    return value


def _arrow(body: bytes) -> int:
    """Return the rows of all batches of a stream, none of them compressed."""
    at = n_rows = 0
    while at < len(body):
        (length,) = struct.unpack_from("<i", body, at)
        at += 4
        if length == -1:
            (length,) = struct.unpack_from("<i", body, at)
            at += 4
        # A negative one would lead back, and round for ever.
        if _whole(length) == 0:
            break
        message = _Table(body[at : at + length], *struct.unpack_from("<I", body, at))
        at += length + _whole(message.number(3, "<q"))
        kind = message.number(1, "<B")
        if kind in (2, 3):
            batch = message.table(2) if kind == 3 else message.table(2).table(1)  # noqa: PLR2004 (RecordBatch)
            n_rows += _whole(batch.number(0, "<q"))
            if batch.offset(3):
                raise DataError.of(_COMPRESSED)
    return n_rows


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

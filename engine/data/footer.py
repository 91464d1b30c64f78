"""The footer of a Parquet file: columns, rows and statistics, without polars, which takes longer to load.

Reads Thrift's compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md)
as far as Parquet's FileMetaData needs it (https://github.com/apache/parquet-format, parquet.thrift). What it
does not know it leaves to polars, by returning None.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"PAR1"
# A larger one describes so many row groups that their statistics take longer to read than to miss.
_MAX_BYTES = 256 * 2**10
_MAX_DEPTH = 16
_ROW_GROUPS = 4

# Thrift's types of booleans, which hold their value in a struct; the others are in `Thrift._value`.
_TRUE, _FALSE = 1, 2
# Fields of Parquet's SchemaElement.
_REPETITION, _NAME, _CHILDREN, _CONVERTED_TYPE, _LOGICAL_TYPE = 3, 4, 5, 6, 10

Fields = Mapping[int, object]
Number = int | float


@dataclass(frozen=True, slots=True)
class Described:
    """What the footer says of one column.

    Attributes
    ----------
    dtype
        As polars calls it.
    n_nulls
        None where a row group does not say.
    least, most
        Of numbers, where every row group says them.
    """

    name: str
    dtype: str
    n_nulls: int | None
    least: Number | None
    most: Number | None


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file says of itself."""

    n_rows: int
    columns: tuple[Described, ...]


def read_footer(path: Path) -> Footer | None:
    """Return a file's footer, or None where polars must be asked: it is damaged, or not known here."""
    try:
        content = _content(path)
        if content is None:
            return None
        fields = Thrift(content).fields(until=None if len(content) <= _MAX_BYTES else _ROW_GROUPS)
        return _footer(fields)
    except (OSError, IndexError, KeyError, ValueError, TypeError, struct.error, RecursionError):
        return None


def _content(path: Path) -> bytes | None:
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < 2 * len(_MAGIC) + 4:
            return None
        file.seek(size - 8)
        tail = file.read(8)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != _MAGIC or length > size - 12:
            return None
        file.seek(size - 8 - length)
        return file.read(length)


@dataclass
class Thrift:
    """Reads values of Thrift's compact protocol one after another."""

    content: bytes
    at: int = 0

    def fields(self, *, until: int | None = None, depth: int = 0) -> Fields:
        """Read a struct; `until` leaves out a field and what follows it."""
        if depth > _MAX_DEPTH:
            raise ValueError("nested too deep")
        found: dict[int, object] = {}
        field = 0
        while True:
            head = self._byte()
            kind = head & 0x0F
            if not kind:
                return found
            field = field + (head >> 4) if head >> 4 else self._signed()
            if field == until:
                return found
            if field in found:
                raise ValueError("a field stands twice")
            found[field] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)

    def _value(self, kind: int, depth: int) -> object:
        match kind:
            case 1 | 2:  # a boolean, which in a list is a byte of its own
                found: object = self._byte() == _TRUE
            case 3:
                (found,) = struct.unpack("b", self._bytes(1))
            case 4 | 5 | 6:
                found = self._signed()
            case 7:
                (found,) = struct.unpack("<d", self._bytes(8))
            case 8:
                found = self._bytes(self._unsigned())
            case 9 | 10:  # a list or a set
                head = self._byte()
                n_items = head >> 4 if head >> 4 != 0x0F else self._unsigned()  # noqa: PLR2004 (a long one)
                found = [self._value(head & 0x0F, depth + 1) for _ in range(n_items)]
            case 12:
                found = self.fields(depth=depth + 1)
            case _:
                raise ValueError(f"Thrift type {kind}")
        return found

    def _byte(self) -> int:
        self.at += 1
        return self.content[self.at - 1]

    def _bytes(self, n: int) -> bytes:
        if self.at + n > len(self.content):
            raise ValueError("cut short")
        self.at += n
        return self.content[self.at - n : self.at]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 (the last byte)
                return value
            shift += 7
            if shift > 63:  # noqa: PLR2004 (64 bits)
                raise ValueError("a number beyond 64 bits")

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def _footer(fields: Fields) -> Footer | None:
    root, *elements = _list(fields[2])
    leaves = [element for element in elements if isinstance(element, dict)]
    if (
        not isinstance(root, dict)
        or root.get(_CHILDREN) != len(leaves)
        or any(_CHILDREN in leaf for leaf in leaves)
    ):
        return None
    dtypes = [_dtype(leaf) for leaf in leaves]
    n_rows = fields[3]
    if None in dtypes or not isinstance(n_rows, int):
        return None
    chunks = list(_chunks(fields, n_columns=len(leaves))) if _ROW_GROUPS in fields else None
    columns = []
    for place, (leaf, dtype) in enumerate(zip(leaves, dtypes, strict=True)):
        known = None if chunks is None else [chunk[place] for chunk in chunks]
        name = leaf[_NAME]
        if not isinstance(name, bytes):
            raise TypeError("a name is bytes")
        columns.append(_described(name.decode(), str(dtype), known, must=leaf.get(_REPETITION) == 0))
    return Footer(n_rows, tuple(columns))


def _chunks(fields: Fields, *, n_columns: int) -> Iterator[list[Fields]]:
    """Yield of each row group the statistics of its columns, empty where there are none."""
    for group in map(_struct, _list(fields[_ROW_GROUPS])):
        chunks = list(map(_struct, _list(group[1])))
        if len(chunks) != n_columns:
            raise ValueError("a row group of other columns")
        yield [_struct(_struct(chunk[3]).get(12, {})) for chunk in chunks]


def _described(name: str, dtype: str, chunks: list[Fields] | None, *, must: bool) -> Described:
    """Gather one column's statistics over the row groups; one that `must` be there has no nulls."""
    counts = [0 if must else chunk.get(3) for chunk in chunks or []]
    nulls = [count for count in counts if isinstance(count, int)]
    is_counted = chunks is not None and len(nulls) == len(chunks)
    pairs = [(_number(chunk.get(6), dtype), _number(chunk.get(5), dtype)) for chunk in chunks or []]
    least = [low for low, _ in pairs if low is not None]
    most = [high for _, high in pairs if high is not None]
    is_bounded = bool(pairs) and len(least) == len(most) == len(pairs)
    return Described(
        name,
        dtype,
        sum(nulls) if is_counted else None,
        min(least) if is_bounded else None,
        max(most) if is_bounded else None,
    )


_NUMBERS = {
    **{f"Int{bits}": (4 if bits < 64 else 8, True) for bits in (8, 16, 32, 64)},  # noqa: PLR2004
    **{f"UInt{bits}": (4 if bits < 64 else 8, False) for bits in (8, 16, 32, 64)},  # noqa: PLR2004
}


def _number(raw: object, dtype: str) -> Number | None:
    """Read a statistic; NaN is none."""
    if not isinstance(raw, bytes):
        return None
    if dtype in _NUMBERS:
        size, is_signed = _NUMBERS[dtype]
        return int.from_bytes(raw, "little", signed=is_signed) if len(raw) == size else None
    layout = {"Float32": ("<f", 4), "Float64": ("<d", 8)}.get(dtype)
    if layout is None or len(raw) != layout[1]:
        return None
    value = float(struct.unpack(layout[0], raw)[0])
    return value if value == value else None  # noqa: PLR0124 (NaN alone is not itself)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def _struct(value: object) -> Fields:
    if not isinstance(value, dict):
        raise TypeError("not a struct")
    return value


# Physical types that say it all; of integers and texts a logical or an older converted type says more.
_PHYSICAL = {0: "Boolean", 1: "Int32", 2: "Int64", 4: "Float32", 5: "Float64", 6: "Binary"}
_CONVERTED = {
    **dict.fromkeys((0, 4, 19), "String"),
    6: "Date",
    **{11 + place: f"UInt{8 << place}" for place in range(4)},
    **{15 + place: f"Int{8 << place}" for place in range(4)},
}
_TEXTS = (1, 4, 12)
_DECIMAL, _DATE, _TIME, _TIMESTAMP, _INTEGER, _UNKNOWN = 5, 6, 7, 8, 10, 11
_UNITS = {1: "ms", 2: "us", 3: "ns"}


def _dtype(leaf: Fields) -> str | None:
    """Return a column's type as polars calls it, or None where polars must be asked."""
    logical, converted = leaf.get(_LOGICAL_TYPE), leaf.get(_CONVERTED_TYPE)
    if isinstance(logical, dict) and logical:
        ((kind, details),) = logical.items()
        return _logical(kind, _struct(details))
    if leaf.get(_REPETITION) == 2:  # noqa: PLR2004 (repeated: a list)
        return None
    if isinstance(converted, int):
        return _CONVERTED.get(converted)
    physical = leaf.get(1)
    return _PHYSICAL.get(physical) if isinstance(physical, int) else None


def _logical(kind: int, details: Fields) -> str | None:
    if kind in _TEXTS:
        return "String"
    if kind == _INTEGER:
        return f"{'' if details[2] else 'U'}Int{details[1]}"
    if kind == _TIMESTAMP:
        (unit,) = _struct(details[2])
        zone = "'UTC'" if details[1] else None
        return f"Datetime(time_unit='{_UNITS[unit]}', time_zone={zone})"
    if kind == _DECIMAL:
        return f"Decimal(precision={details[2]}, scale={details[1]})"
    return {_DATE: "Date", _TIME: "Time", _UNKNOWN: "Null"}.get(kind)

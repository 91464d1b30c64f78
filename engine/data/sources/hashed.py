"""A hash over values as a server gives them, for tables that have no bytes of their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import polars as pl

from engine.data.fingerprint import encoded

_PLAIN = frozenset(
    {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64}
    | {pl.Float32, pl.Float64, pl.Boolean, pl.String}
)


@dataclass
class Values:
    """Hashes frames as they come: the same rows in the same order hash the same, however they are cut."""

    _columns: dict[str, _Column] = field(default_factory=dict)

    def update(self, frame: pl.DataFrame) -> None:
        """Take some rows in."""
        for series in frame:
            self._columns.setdefault(series.name, _Column(str(series.dtype))).update(series)

    def hexdigest(self) -> str:
        """Return the SHA-256 over names, types and values of all columns, in hex."""
        digest = hashlib.sha256()
        for name, column in self._columns.items():
            digest.update(f"{name}\0{column.dtype}\0{column.hexdigest()}\n".encode())
        return digest.hexdigest()


@dataclass
class _Column:
    """One column: which values are null, how long texts are, and what stands in them."""

    dtype: str
    _nulls: hashlib._Hash = field(default_factory=hashlib.sha256)
    _lengths: hashlib._Hash = field(default_factory=hashlib.sha256)
    _values: hashlib._Hash = field(default_factory=hashlib.sha256)

    def update(self, series: pl.Series) -> None:
        if series.dtype == pl.Null:
            self._nulls.update(b"\1" * len(series))
            return
        is_plain = series.dtype in _PLAIN or series.dtype.is_temporal()
        nulls, lengths, values = encoded(series if is_plain else series.cast(pl.String))
        # Each apart, so that it does not matter where frames are cut.
        self._nulls.update(nulls.astype("u1").tobytes())
        self._lengths.update(lengths)
        self._values.update(values)

    def hexdigest(self) -> str:
        return "".join(part.hexdigest() for part in (self._nulls, self._lengths, self._values))

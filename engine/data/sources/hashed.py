"""A hash over values as a server gives them, for tables that have no bytes of their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import polars as pl

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
        self._nulls.update(series.is_null().to_numpy().astype(np.uint8).tobytes())
        if series.dtype == pl.Null:
            return
        is_plain = series.dtype in _PLAIN or series.dtype.is_temporal()
        values = series.to_physical() if is_plain else series.cast(pl.String)
        if values.dtype == pl.String:
            whole = values.fill_null("")
            self._lengths.update(whole.str.len_bytes().to_numpy().astype("<u4").tobytes())
            self._values.update("".join(whole.to_list()).encode())
        elif values.dtype == pl.Boolean:
            self._values.update(values.fill_null(value=False).to_numpy().astype(np.uint8).tobytes())
        else:
            self._values.update(values.fill_null(0).to_numpy().tobytes())

    def hexdigest(self) -> str:
        return "".join(part.hexdigest() for part in (self._nulls, self._lengths, self._values))

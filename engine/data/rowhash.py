"""A hash of each row, by its key or its place: what draws a sample, deals rows to parts, and orders them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl


def row_hashes(frame: pl.DataFrame, places: np.ndarray, *, key: Sequence[str], seed: int) -> np.ndarray:
    """Return a hash of each row, uint64, shape (n_rows,), the same on every machine."""
    drawn = np.full(len(places), seed, dtype=np.uint64)
    for values in [numbers_of(frame[name]) for name in key] or [places.astype(np.uint64)]:
        drawn = mixed(drawn ^ mixed(values))
    return drawn


def numbers_of(values: pl.Series) -> np.ndarray:
    """Return a number for each value; equal values have the same."""
    if values.dtype == pl.String:
        texts = values.to_list()
        return np.array([_number(text) for text in texts], dtype=np.uint64)
    if values.dtype == pl.Float64:
        return (values.fill_null(0).to_numpy() + 0.0).view(np.uint64)
    return values.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype(np.int64).view(np.uint64)


def _number(text: str | None) -> int:
    return int.from_bytes(hashlib.blake2b((text or "").encode(), digest_size=8).digest(), "little")


def mixed(values: np.ndarray) -> np.ndarray:
    """Return the finaliser of SplitMix64 of each number (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        found = values + np.uint64(0x9E3779B97F4A7C15)
        found = (found ^ (found >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        found = (found ^ (found >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(found ^ (found >> np.uint64(31)))

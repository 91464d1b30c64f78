"""A sample of a table's rows, drawn by a hash of the key of each, else of its place, while all are read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from engine.data.opened import Part
from engine.data.storage import Held

EMPTY_SAMPLE = "no row is of the sample: data.sample asks for too few"
_ALL = 2.0**64
# As many rows more than are asked for before those that are left are dropped.
_ROOM = 100_000


@dataclass
class Sample:
    """Takes some rows of parts as they come, in memory for those that are taken.

    Attributes
    ----------
    size
        A fraction of the rows, below 1; or a number of rows.
    key
        The columns that name a row: with them the order of the rows changes nothing. None: its place does.
    n_rows
        How many rows have come.
    """

    size: float
    seed: int
    key: Sequence[str]
    n_rows: int = 0
    _taken: list[tuple[Held, np.ndarray, np.ndarray]] = field(default_factory=list)

    def take(self, part: Part) -> None:
        """Take what is of the sample from a part, whose rows follow those of the part before."""
        frame = part.held.frame
        places = np.arange(self.n_rows, self.n_rows + frame.height, dtype=np.int64)
        self.n_rows += frame.height
        drawn = _hashes(frame, places, key=self.key, seed=self.seed)
        if self.size < 1:
            keep = drawn < np.uint64(self.size * _ALL)
            self._taken.append((_filtered(part.held, keep), drawn[keep], places[keep]))
            return
        self._taken.append((part.held, drawn, places))
        if sum(len(places) for _, _, places in self._taken) > self.size + _ROOM:
            self._drop()

    def held(self) -> list[Held]:
        """Return the rows that were taken, in order."""
        self._drop()
        return [held for held, _, _ in self._taken]

    def places(self) -> np.ndarray:
        """Return their places among all rows, from 0: int64, rising, shape (n_taken,)."""
        self._drop()
        return np.concatenate([np.empty(0, np.int64), *(places for _, _, places in self._taken)])

    def _drop(self) -> None:
        """Keep as many rows as are asked for, those of the least hashes."""
        drawn = np.concatenate([np.empty(0, np.uint64), *(drawn for _, drawn, _ in self._taken)])
        places = np.concatenate([np.empty(0, np.int64), *(places for _, _, places in self._taken)])
        if self.size < 1 or len(drawn) <= self.size:
            return
        last = np.lexsort((places, drawn))[int(self.size) - 1]
        bound, place = drawn[last], places[last]
        kept = []
        for held, hashes, at in self._taken:
            keep = (hashes < bound) | ((hashes == bound) & (at <= place))
            kept.append((_filtered(held, keep), hashes[keep], at[keep]))
        self._taken = kept


def _filtered(held: Held, keep: np.ndarray) -> Held:
    mask = pl.Series(keep)
    refused = {name: replace(cells, mask=cells.mask.filter(mask)) for name, cells in held.refused.items()}
    return Held(held.frame.filter(mask), refused)


def _hashes(frame: pl.DataFrame, places: np.ndarray, *, key: Sequence[str], seed: int) -> np.ndarray:
    """Return a hash of each row, uint64, shape (n_rows,), the same on every machine."""
    drawn = np.full(len(places), seed, dtype=np.uint64)
    for values in [_numbers(frame[name]) for name in key] or [places.astype(np.uint64)]:
        drawn = _mixed(drawn ^ _mixed(values))
    return drawn


def _numbers(values: pl.Series) -> np.ndarray:
    """Return a number for each value; equal values have the same."""
    if values.dtype == pl.String:
        texts = values.to_list()
        return np.array([_number(text) for text in texts], dtype=np.uint64)
    if values.dtype == pl.Float64:
        return (values.fill_null(0).to_numpy() + 0.0).view(np.uint64)
    return values.to_physical().cast(pl.Int64).fill_null(0).to_numpy().astype(np.int64).view(np.uint64)


def _number(text: str | None) -> int:
    return int.from_bytes(hashlib.blake2b((text or "").encode(), digest_size=8).digest(), "little")


def _mixed(values: np.ndarray) -> np.ndarray:
    """Return the finaliser of SplitMix64 of each number (Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        mixed = values + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))

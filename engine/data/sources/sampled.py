"""A sample of a table's rows, drawn by a hash of the key of each, else of its place, while all are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from engine.data.opened import Part
from engine.data.rowhash import row_hashes
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
        drawn = row_hashes(frame, places, key=self.key, seed=self.seed)
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

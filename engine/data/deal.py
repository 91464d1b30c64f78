"""Which part a row is of, told from the row alone: for tables that are never in memory as a whole.

Where `split` draws exact numbers of rows, a row is dealt here by a hash of what names it: the parts' sizes
are those of the shares but for chance, a few hundred of a million rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import polars as pl

from engine.data.assign import cut_moments
from engine.data.kinds import PART_NAMES
from engine.data.rowhash import mixed, row_hashes
from engine.data.schema import Schema
from engine.data.sums import count_values, summed
from engine.data.times import length_in
from engine.data.violation import N_SHOWN, Violation, counted, show, to_error
from engine.errors import DataError
from engine.recipe.spec_table import SplitKind, SplitSpec

Array: TypeAlias = "np.ndarray"
# In the place of a part: rows of a gap in time.
LEFT_OUT = -1
# What a row is dealt by in each kind of split; the others need all rows at once.
DEALT_BY: Mapping[SplitKind, str] = MappingProxyType(
    {
        "random": "a hash of each row's key or place",
        "stratified": "a hash of each row's key or place, which mixes the classes but for chance",
        "group": "a hash of each row's group",
        "time": "where its time lies",
        "predefined": "the column with role: part",
    }
)
_SALT = np.uint64(0x5EED0FDEA1)
_ALL = 2.0**64
_MOST_MOMENTS = 2_000_000


@dataclass
class Moments:
    """Counts how many rows each moment has, in bounded memory: beyond 2,000,000 neighbours count as one."""

    step: int = 1
    most: int = _MOST_MOMENTS
    _counts: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={"value": pl.Int64, "n": pl.Int64})
    )

    def take(self, times: pl.Series) -> None:
        """Count some rows' moments, which are whole numbers."""
        found = count_values(times.to_physical().cast(pl.Int64) // self.step)
        self._counts = summed(self._counts, found)
        while self._counts.height > self.most:
            self.step *= 2
            self._counts = summed(self._counts.with_columns(pl.col("value") // 2))

    def cuts(self, shares: Sequence[float], *, name: str) -> list[tuple[int, int]]:
        """Return the parts that have a share, in the order of time, each with its first moment."""
        parts = [part for part, share in enumerate(shares) if share > 0]
        if self._counts.height < len(parts):
            found = counted(self._counts.height, "distinct time")
            raise DataError.of(f"{found}, fewer than the {len(parts)} parts of the split", key=name)
        ordered = self._counts.sort("value")
        part_of = cut_moments(ordered["n"].to_numpy(), shares=shares)
        firsts = ordered["value"].to_numpy()[np.searchsorted(part_of, parts)]
        return [(part, int(first) * self.step) for part, first in zip(parts, firsts, strict=True)]


@dataclass(frozen=True)
class Deal:
    """Deals rows to the parts 0 (train), 1 (validation) and 2 (test).

    Attributes
    ----------
    cuts
        Of a split by time: from `Moments`.
    """

    cut: SplitSpec
    schema: Schema
    seed: int
    cuts: Sequence[tuple[int, int]] = ()

    def hashes_of(self, frame: pl.DataFrame, places: Array) -> Array:
        """Return a hash of each row's key, or its place in the file, uint64, shape (n,)."""
        return row_hashes(frame, places, key=self.schema.key, seed=self.seed)

    def parts_of(self, frame: pl.DataFrame, places: Array, hashes: Array) -> Array:
        """Return the part of each row, int64, shape (n,); `LEFT_OUT` in a gap.

        Parameters
        ----------
        places
            Where each row stands in the file, from 0.
        hashes
            From `hashes_of`.

        Raises
        ------
        DataError
            If a group, time or part is null, or no part.
        """
        if self.cut.kind == "predefined":
            return self._named(self._structural(frame, "part", places).cast(pl.String), places)
        if self.cut.kind == "time":
            return self._timed(self._structural(frame, "time", places))
        if self.cut.kind == "group":
            name = self._structural(frame, "group", places).name
            hashes = row_hashes(frame, places, key=[name], seed=self.seed)
        drawn = mixed(hashes ^ _SALT).astype(np.float64) / _ALL
        ends = np.cumsum(self.cut.shares)[:-1]
        # From the last part: what a share of 0 leaves open is never reached.
        part_of: Array = np.searchsorted(ends, drawn, side="right")
        return part_of

    def _named(self, column: pl.Series, places: Array) -> Array:
        wrong = (~column.is_in(PART_NAMES)).arg_true().to_numpy()
        if len(wrong):
            first = wrong[:N_SHOWN]
            shown = tuple(show(column[int(row)]) for row in first)
            numbers = tuple(int(places[row]) + 1 for row in first)
            one_of = f"[{', '.join(PART_NAMES)}]"
            raise to_error([Violation(column.name, "values", len(wrong), numbers, shown, one_of, PART_NAMES)])
        codes = pl.Series(range(len(PART_NAMES)), dtype=pl.Int64)
        return column.replace_strict(pl.Series(PART_NAMES), codes, return_dtype=pl.Int64).to_numpy()

    def _timed(self, column: pl.Series) -> Array:
        times = column.to_physical().cast(pl.Int64).to_numpy()
        gap = length_in(self.cut.gap, self.schema.of_role("time")[0].storage)
        part_of = np.full(len(times), self.cuts[0][0], np.int64)
        for (part, first), (before, _) in zip(self.cuts[1:], self.cuts, strict=False):
            late = times >= first
            part_of[~late & (part_of == before) & (times >= first - gap)] = LEFT_OUT
            part_of[late] = part
        return part_of

    def _structural(self, frame: pl.DataFrame, role: str, places: Array) -> pl.Series:
        column = frame[self.schema.of_role(role)[0].name]  # type: ignore[arg-type]
        nulls = column.is_null().arg_true().to_numpy()
        if len(nulls):
            first = tuple(int(places[row]) + 1 for row in nulls[:N_SHOWN])
            raise to_error([Violation(column.name, "nullable", len(nulls), first, (), "false")])
        return column

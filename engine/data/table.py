"""A checked table, and what was read to have it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from engine.data.schema import Schema
from engine.data.violation import counted


@dataclass(frozen=True, slots=True)
class JoinedSource:
    """What was read of a table that was joined, and how many rows of the first found none in it."""

    path: str
    format: str
    n_bytes: int
    sha256: str
    version: int | None
    n_rows: int
    n_unmatched: int


@dataclass(frozen=True, slots=True)
class Source:
    """What was read.

    Attributes
    ----------
    n_bytes
        Size in the file, or of all files; 0 where a database answers.
    sha256
        SHA-256 (hex) of the bytes of one file; of several, over the name and the hash of each; of SQLite and
        what a server gives, over the values; with joined tables, over the hashes of all.
    version
        The version of a table that keeps its past, such as Delta Lake's; else None.
    joined
        The tables that were joined.
    """

    path: str
    format: str
    n_bytes: int
    sha256: str
    version: int | None = None
    joined: tuple[JoinedSource, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """A checked table.

    Attributes
    ----------
    frame
        Shape (n_rows, n_columns): the declared columns but those of role `ignore`, in the schema's order,
        each exactly of its storage's dtype; rows in the order of the schema's key, else of the file. A
        missing value is null, never NaN.
    schema
        The contract with every storage resolved.
    kept
        Where rows were left out because their target is missing, or sorted by a key: the places, from 0,
        that the rows have in the file, int64, shape (n_rows,). None: those of the file, in its order.
    n_missing_target
        How many rows were left out for that.
    n_not_drawn
        How many rows are not of the sample, where one was asked for.
    """

    frame: pl.DataFrame
    schema: Schema
    source: Source
    kept: np.ndarray | None = None
    n_missing_target: int = 0
    n_not_drawn: int = 0

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.frame.height

    @property
    def n_rows_read(self) -> int:
        """Number of rows of the file, those that were left out among them."""
        return self.n_rows + self.n_missing_target + self.n_not_drawn

    @property
    def sampled(self) -> str:
        """One sentence on the sample that the rows are, empty where they are all."""
        if not self.n_not_drawn:
            return ""
        n_drawn = self.n_rows + self.n_missing_target
        return f"a sample: {n_drawn} of {counted(self.n_rows_read, 'row')} (data.sample)"

    @property
    def left_out(self) -> str:
        """One sentence on the rows that were left out, empty where none was."""
        if not self.n_missing_target:
            return ""
        n_drawn = self.n_rows + self.n_missing_target
        rows = f"left out: {self.n_missing_target} of {counted(n_drawn, 'row')}"
        return f"{rows}, the target '{self.schema.target.name}' missing (schema.missing_target: drop)"

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return where some rows, given by their int64 indices, stand in the file, from 0."""
        return rows if self.kept is None else self.kept[rows]

"""A checked table, and what was read to have it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.schema import Schema
from engine.data.violation import counted

if TYPE_CHECKING:
    from engine.data.overall import Overall
    from engine.data.shelf import Shelf
    from engine.data.split import Parts


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


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """The rows of a table that is larger than memory, of which a frame holds some.

    Attributes
    ----------
    parts
        Which rows of the frame are of each part.
    shelves
        By part, all its rows, on disk.
    n_rows, n_between
        Rows whose target is there, and those of them in a gap between the parts.
    sha256
        By part, a hash of which rows it has.
    overall
        What the columns are like, over all rows.
    dealt_by
        What a row's part is told by.
    """

    parts: Parts
    shelves: Mapping[str, Shelf]
    n_rows: int
    n_between: int
    sha256: Mapping[str, str]
    overall: Overall
    dealt_by: str

    @property
    def sizes(self) -> dict[str, int]:
        """Number of rows of each part."""
        return {name: shelf.n_rows for name, shelf in self.shelves.items()}

    @property
    def n_held(self) -> dict[str, int]:
        """Number of rows of each part that the frame holds."""
        return self.parts.sizes

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`: how rows were dealt, and what is told of those in memory."""
        from engine.data.overall import OF_HELD

        return {"dealt_by": self.dealt_by, "n_held": self.n_held, "of_held_rows": list(OF_HELD)}

    @property
    def told(self) -> str:
        """One sentence on what is done with how many rows."""
        held = ", ".join(f"{n:,} {name}" for name, n in self.n_held.items())
        return (
            f"streamed: of {self.n_rows:,} rows, each checked and dealt by {self.dealt_by}, "
            f"{held} rows drawn by the seed are described and judged; the model learns from all "
            f"{self.sizes['train']:,} training rows (compute.memory_mib)"
        )

    def close(self) -> None:
        """Give the room on disk back."""
        for shelf in self.shelves.values():
            shelf.close()


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
    streamed
        Of a table that is larger than memory, all rows that the frame does not hold; else None.
    """

    frame: pl.DataFrame
    schema: Schema
    source: Source
    kept: np.ndarray | None = None
    n_missing_target: int = 0
    n_not_drawn: int = 0
    streamed: Streamed | None = None

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self.frame.height

    @property
    def n_rows_read(self) -> int:
        """Number of rows of the file, those that were left out among them."""
        n_rows = self.n_rows if self.streamed is None else self.streamed.n_rows
        return n_rows + self.n_missing_target + self.n_not_drawn

    @property
    def sampled(self) -> str:
        """One sentence on the sample that the rows are, empty where they are all."""
        if self.streamed is not None:
            return self.streamed.told
        if not self.n_not_drawn:
            return ""
        n_drawn = self.n_rows + self.n_missing_target
        return f"a sample: {n_drawn} of {counted(self.n_rows_read, 'row')} (data.sample)"

    @property
    def left_out(self) -> str:
        """One sentence on the rows that were left out, empty where none was."""
        if not self.n_missing_target:
            return ""
        n_drawn = self.n_rows_read - self.n_not_drawn
        rows = f"left out: {self.n_missing_target} of {counted(n_drawn, 'row')}"
        return f"{rows}, the target '{self.schema.target.name}' missing (schema.missing_target: drop)"

    def places(self, rows: np.ndarray) -> np.ndarray:
        """Return where some rows, given by their int64 indices, stand in the file, from 0."""
        return rows if self.kept is None else self.kept[rows]

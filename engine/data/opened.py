"""What a source of rows is, whatever the format: found, not yet read; then read once, part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.data.lazily import Lazily
    from engine.data.schema import Column, Storage
    from engine.data.storage import Held
    from engine.data.table import Source
    from engine.recipe.spec_table import DataSpec


@dataclass(frozen=True, slots=True)
class Header:
    """What a table says of itself before any row is read.

    Attributes
    ----------
    dtypes
        As the source declares them, in the order of `columns`; empty for CSV, which declares none.
    n_rows
        Counted where `is_exact`, else estimated from the length of the first rows.
    """

    path: str
    format: str
    n_bytes: int
    columns: tuple[str, ...]
    dtypes: tuple[str, ...]
    n_rows: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows held as the schema says; the file they are of, and how many of its rows precede them."""

    held: Held
    file: str
    first_row: int


class Opened(Protocol):
    """A table that was found.

    Attributes
    ----------
    shown
        How messages call it.
    format
        The name of its format, as `data.format` has it.
    """

    @property
    def shown(self) -> str: ...  # noqa: D102 (said above)

    @property
    def format(self) -> str: ...  # noqa: D102

    def header(self) -> Header:
        """Return what is known without reading rows.

        Raises
        ------
        DataError
            If it is malformed.
        """

    def category_storage(self, name: str) -> Storage | None:
        """Return how a category of which no value is declared is held; None where its texts decide."""

    def parts(self, columns: tuple[Column, ...], *, n_rows: int) -> Iterator[Part]:
        """Yield all rows in order, about `n_rows` at a time; no other column is read.

        Raises
        ------
        DataError
            At the first part that is malformed.
        """

    def lazily(self, columns: tuple[Column, ...], *, hashed: bool = True) -> Lazily | None:
        """Return the whole table as one query, None where only `parts` can tell.

        Parameters
        ----------
        hashed
            Whether `source` is asked afterwards.
        """

    def source(self) -> Source:
        """Return what was read, once all parts have been."""


@dataclass
class Remembering:
    """What every table that was found has: a memory of what was read, written when all rows have come."""

    _read: Source | None = field(default=None, init=False, repr=False)

    def source(self) -> Source:
        """Return what was read, once all parts have been: size, hash, version."""
        assert self._read is not None, "asked before all rows were read"
        return self._read


class Opener(Protocol):
    """What is registered under the name of a format."""

    def __call__(self, data: DataSpec, shown: str) -> Opened:
        """Open the table at `data.path`, which is there if it is a path; `shown` is its name in messages."""

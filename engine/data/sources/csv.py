"""A file of delimited text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from engine.data.delimited import Hashed, open_text
from engine.data.opened import Header, Part, Remembering
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    from engine.data.lazily import Lazily
    from engine.data.plain import Looked
    from engine.data.schema import Column

_SAMPLE_BYTES = 64 * 2**10
# Rows of about 100 bytes: a block is what a caller asks for, as nearly as may be told before it is read.
_ROW_BYTES = 100
_MIN_BYTES, _MAX_BYTES = 2**20, 8 * 2**20


@dataclass
class CsvFile(Remembering):
    """A file of delimited text, decoded, delimited and hashed as it is read."""

    data: DataSpec
    shown: str
    format: str = "csv"

    def header(self) -> Header:
        """Return the names, and the number of rows that the first of them foretell."""
        return self._header

    @cached_property
    def _header(self) -> Header:
        path = Path(self.data.path)
        n_bytes = path.stat().st_size
        with path.open("rb") as file:
            read = Hashed(file)
            text = open_text(read, self.data, shown=self.shown, block_bytes=_SAMPLE_BYTES)
        sample = text.sample
        n_lines = sample.count(b"\n") + (not sample.endswith(b"\n") and len(sample) > 0)
        # The sample is UTF-8, and the file's own bytes may be more or fewer.
        n_rest = max(n_bytes * (text.header_bytes + len(sample)) / read.n_bytes - text.header_bytes, 0)
        return Header(
            path=self.shown,
            format=self.format,
            n_bytes=n_bytes,
            columns=text.columns,
            dtypes=(),
            n_rows=round(n_lines * n_rest / len(sample)) if sample else 0,
            is_exact=False,
        )

    def category_storage(self, name: str) -> None:
        """Return None: texts decide."""

    def parts(self, columns: tuple[Column, ...], *, n_rows: int) -> Iterator[Part]:
        """Yield the rows held, a block of text at a time."""
        from engine.data.text import typed_blocks

        with Path(self.data.path).open("rb") as raw:
            file = Hashed(raw)
            text = open_text(file, self.data, shown=self.shown, block_bytes=_block_bytes(n_rows))
            first_row = 0
            for held in typed_blocks(text, columns, self.data):
                yield Part(held, self.shown, first_row)
                first_row += held.frame.height
            self._remember(file)

    def lazily(self, columns: tuple[Column, ...], *, hashed: bool = True) -> Lazily | None:
        """Return the text as one query, where polars' reader is exact for it but for what it does not tell.

        That are quotes that are not closed, carriage returns, NUL bytes, and records of too few or too many
        fields: polars fills up the former, and passes over the rest of the latter.
        """
        from engine.data.lazily import lazily
        from engine.data.plain import plain_query

        if self.data.encoding != "utf-8" or self.data.decimal != ".":
            return None
        with Path(self.data.path).open("rb") as raw:
            text = open_text(raw, self.data, shown=self.shown, block_bytes=_SAMPLE_BYTES)
        if len(text.columns) == 1:
            return None
        query, styles = plain_query(self.data, text, columns)
        before = Path(self.data.path).stat()
        return lazily(
            columns,
            query,
            styles=styles,
            is_certain=partial(self._is_plain, len(text.columns), before, hashed),
        )

    def _is_plain(
        self, n_columns: int, before: os.stat_result, hashed: bool, n_rows: int, n_short: int
    ) -> bool:
        from engine.data.plain import look_through

        found = look_through(Path(self.data.path), delimiter=self.data.delimiter, hashed=hashed)
        if found is None or found.n_delimiters != (n_rows + 1) * (n_columns - 1):
            return False
        if n_short and not self._has_whole_records():
            return False
        self._remember(found)
        after = Path(self.data.path).stat()
        return (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)

    def _has_whole_records(self) -> bool:
        """Tell whether each record has all its fields, where its last may be empty."""
        with Path(self.data.path).open("rb") as raw:
            text = open_text(raw, self.data, shown=self.shown)
            try:
                return all(True for _ in text.blocks())
            except DataError:
                return False

    def _remember(self, read: Hashed | Looked) -> None:
        from engine.data.table import Source

        self._read = Source(self.data.path, self.format, read.n_bytes, read.hexdigest())


def _block_bytes(n_rows: int) -> int:
    return min(max(n_rows * _ROW_BYTES, _MIN_BYTES), _MAX_BYTES)


def open_csv(data: DataSpec, shown: str) -> CsvFile:
    """Open a file of delimited text."""
    return CsvFile(data, shown)

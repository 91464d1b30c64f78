"""A file of one JSON object a line (https://github.com/ndjson/ndjson-spec)."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import msgspec
import polars as pl

from engine.data.opened import Header
from engine.data.sources.typed import Rows, Typed
from engine.data.table import Source
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

_BLOCK_BYTES = 8 * 2**20
_MAX_LINE_BYTES = 64 * 2**20
_BOM = b"\xef\xbb\xbf"
_GAPS = (b'" ', b'"\t', b'"\r')
_FAR_COLON = re.compile(rb'"[ \t\r]+:')
_KINDS: Mapping[type, str] = {bool: "true or false", int: "a number", float: "a number", str: "a text"}
Line = dict[str, object]


@dataclass
class NdjsonFile(Typed):
    """A file of one JSON object a line; a key that a line lacks is null.

    Lines are decoded here, for polars makes texts of a column of numbers in which one text stands.
    """

    format: ClassVar[str] = "ndjson"

    def dtypes(self) -> Mapping[str, pl.DataType]:
        """Return the keys of the first lines and the types of their values.

        Raises
        ------
        DataError
            If a line is no JSON object, or its values are no values of a table.
        """
        return self._first[0]

    def header(self) -> Header:
        """Return the keys of the first lines, and the number of lines that those foretell."""
        dtypes, n_lines, n_bytes = self._first
        total = Path(self.data.path).stat().st_size
        is_whole = n_bytes == total
        n_rows = n_lines if is_whole else round(n_lines * total / n_bytes)
        del dtypes
        return self.header_of(n_bytes=total, n_rows=n_rows, is_exact=is_whole)

    @cached_property
    def _first(self) -> tuple[Mapping[str, pl.DataType], int, int]:
        for lines, first_row, n_bytes in self._blocks(None):
            names = tuple(dict.fromkeys(name for line in lines for name in line))
            frame = self._frame(lines, names, first_row)
            return dict(frame.schema), len(lines), n_bytes
        raise DataError.of("the file is empty (0 bytes)", file=self.shown)

    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some keys of all lines in order, a block at a time; `n_rows` is not asked."""
        del n_rows
        digest = hashlib.sha256()
        total = 0
        for lines, first_row, n_bytes in self._blocks(digest):
            yield Rows(self._frame(lines, names, first_row), self.shown, first_row)
            total += n_bytes
        self._read = Source(self.data.path, self.format, total, digest.hexdigest())

    def _blocks(self, digest: hashlib._Hash | None) -> Iterator[tuple[list[Line], int, int]]:
        """Yield the lines decoded, some at a time, with the number of lines before them and their bytes."""
        first_row = 0
        rest = b""
        with Path(self.data.path).open("rb") as file:
            while content := file.read(_BLOCK_BYTES):
                if digest is not None:
                    digest.update(content)
                if not first_row and not rest:
                    content = content.removeprefix(_BOM)
                whole, newline, after = (rest + content).rpartition(b"\n")
                if not newline:
                    rest = after
                    if len(rest) > _MAX_LINE_BYTES:
                        raise DataError.of(
                            "a line is longer than 64 MiB", file=self.shown, line=first_row + 1
                        )
                    continue
                rest = after
                lines = self._decoded(whole, first_row)
                yield lines, first_row, len(whole) + 1
                first_row += len(lines)
        if rest:
            yield self._decoded(rest, first_row), first_row, len(rest)

    def _decoded(self, content: bytes, first_row: int) -> list[Line]:
        try:
            lines: list[Line] = _DECODER.decode_lines(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            lines = [
                self._line(line, first_row + at) for at, line in enumerate(content.split(b"\n"), start=1)
            ]
        # Each key has a quote and a colon of its own; where there are more of them, one may stand twice.
        n_colons = content.count(b'":')
        if any(gap in content for gap in _GAPS):
            n_colons += len(_FAR_COLON.findall(content))
        if n_colons != sum(map(len, lines)):
            self._refuse_twice(content, first_row)
        return lines

    def _refuse_twice(self, content: bytes, first_row: int) -> None:
        """Refuse a line that says a key twice: the decoder keeps the last, and says nothing."""
        for at, line in enumerate(content.split(b"\n"), start=1):
            names = (
                Counter(name for name, _ in json.loads(line, object_pairs_hook=list)) if line.strip() else {}
            )
            for name, n in names.items():
                if n > 1:
                    what = f"the line says '{name}' {n} times"
                    raise DataError.of(what, file=self.shown, line=first_row + at)

    def _line(self, content: bytes, number: int) -> Line:
        try:
            return _LINE.decode(content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
            why = "it is blank" if not content.strip() else str(exc)
            raise DataError.of(f"the line is no JSON object: {why}", file=self.shown, line=number) from None

    def _frame(self, lines: list[Line], names: Sequence[str], first_row: int) -> pl.DataFrame:
        return pl.DataFrame(
            [self._series(name, [line.get(name) for line in lines], first_row) for name in names]
        )

    def _series(self, name: str, values: list[object], first_row: int) -> pl.Series:
        found: dict[str, int] = {}
        for at, kind in enumerate(map(type, values)):
            if kind is not type(None) and (word := _KINDS.get(kind, "a list or an object")) not in found:
                found[word] = at
        if len(found) > 1 or "a list or an object" in found:
            *usual, strange = found
            before = f", and before it stands {usual[0]}" if usual else ", which is no value of a table"
            what = f"'{name}' is {strange} here{before}"
            raise DataError.of(what, key=name, file=self.shown, line=first_row + found[strange] + 1)
        is_fractional = any(type(value) is float for value in values)
        return pl.Series(name, values, dtype=pl.Float64 if is_fractional else None, strict=not is_fractional)


_DECODER = msgspec.json.Decoder(Line)
_LINE = msgspec.json.Decoder(Line)


def open_ndjson(data: DataSpec, shown: str) -> NdjsonFile:
    """Open a file of one JSON object a line."""
    return NdjsonFile(data, shown)

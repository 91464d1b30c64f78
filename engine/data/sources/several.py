"""A table in several files: a pattern of paths, or a folder, parts of it named `key=value` as Hive has it."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote

from engine.data.find import format_of, is_glob, is_named_as_table
from engine.data.opened import Header, Opened, Opener, Part, Remembering
from engine.errors import DataError, Message, nearest
from engine.names import SOURCES
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    from engine.data.lazily import Lazily
    from engine.data.schema import Column, Storage
    from engine.data.sources.typed import Rows
    from engine.data.table import Source

_MAX_FILES = 100_000
_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of a table, its path in the table, and what the folders that it lies in say of its rows."""

    opened: Opened
    inside: str
    keys: Mapping[str, str | None]


@dataclass
class Several(Remembering):
    """Files of one table, in the order of their paths; each has the same columns of the same types."""

    data: DataSpec
    shown: str
    files: tuple[Piece, ...]

    @property
    def format(self) -> str:
        """The format of the files."""
        return self.files[0].opened.format

    def header(self) -> Header:
        """Return the columns that all files have, and the sum of their rows.

        Raises
        ------
        DataError
            If a file is broken, or has other columns or types than the first.
        """
        return self._header

    @cached_property
    def _header(self) -> Header:
        headers = [file.opened.header() for file in self.files]
        first = headers[0]
        messages = [message for header in headers[1:] for message in _differences(header, first)]
        keys = tuple(self.files[0].keys)
        for file in self.files:
            if tuple(file.keys) != keys:
                what = f"its folders name {list(file.keys)}, and {list(keys)} those of '{first.path}'"
                messages.append(Message(what, file=file.opened.shown))
        if messages:
            raise DataError(messages)
        added = tuple(key for key in keys if key not in first.columns)
        return replace(
            first,
            path=self.shown,
            n_bytes=sum(header.n_bytes for header in headers),
            columns=(*first.columns, *added),
            dtypes=(*first.dtypes, *("String" for _ in added)) if first.dtypes else (),
            n_rows=sum(header.n_rows for header in headers),
            is_exact=all(header.is_exact for header in headers),
        )

    def category_storage(self, name: str) -> Storage | None:
        """Return what the first file says; None where the texts of folders decide."""
        return None if name in self._keys else self.files[0].opened.category_storage(name)

    def parts(self, columns: tuple[Column, ...], *, n_rows: int) -> Iterator[Part]:
        """Yield the rows of each file in turn."""
        self.header()
        own = tuple(column for column in columns if column.name not in self._keys)
        for file in self.files:
            for part in file.opened.parts(own, n_rows=n_rows):
                yield part if len(own) == len(columns) else _with_keys(part, columns, file.keys)
        self._read = self._source()

    def lazily(self, columns: tuple[Column, ...], *, hashed: bool = True) -> Lazily | None:
        """Return None: files are read in turn."""
        del columns, hashed
        return None

    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some columns as they stand, what folders say as text.

        Raises
        ------
        DataError
            If the files are text, which has a dialect of its own.
        """
        import polars as pl

        from engine.data.sources.typed import Rows, Typed

        self.header()
        own = [name for name in names if name not in self._keys]
        for file in self.files:
            if not isinstance(file.opened, Typed):
                what = "several files of text can't be looked at together; look at one"
                raise DataError.of(what, file=self.shown, suggestion=file.opened.shown)
            for rows in file.opened.rows(own, n_rows=n_rows):
                added = [pl.lit(file.keys[name], dtype=pl.String).alias(name) for name in self._keys]
                yield Rows(rows.frame.with_columns(added).select(names), rows.file, rows.first_row)

    @cached_property
    def _keys(self) -> tuple[str, ...]:
        return tuple(key for key in self.files[0].keys if key not in self.files[0].opened.header().columns)

    def _source(self) -> Source:
        from engine.data.table import Source

        sources = {file.inside: file.opened.source() for file in self.files}
        digest = hashlib.sha256()
        for inside, source in sources.items():
            digest.update(f"{inside}\0{source.sha256}\n".encode())
        n_bytes = sum(source.n_bytes for source in sources.values())
        return Source(self.data.path, self.format, n_bytes, digest.hexdigest())


def open_several(data: DataSpec, shown: str) -> Several:
    """Open the files that a pattern names, or that lie below a folder.

    Raises
    ------
    DataError
        If there is none, too many, one that a link leads elsewhere, or files of several formats.
    """
    root = _root(data.path)
    insides = _insides(data, root)
    if not insides:
        what = (
            f"'{shown}' leads to no file" if is_glob(data.path) else f"'{shown}' is a folder without a table"
        )
        raise DataError.of(what, key="data.path")
    if len(insides) > _MAX_FILES:
        raise DataError.of(f"'{shown}' leads to more than {_MAX_FILES} files", key="data.path")
    files = tuple(_open(root, inside, data, shown=os.path.join(_root(shown), inside)) for inside in insides)
    return Several(data, shown, same_format(files, shown=shown))


def same_format(files: Sequence[Piece], *, shown: str) -> tuple[Piece, ...]:
    """Return the files of one table.

    Raises
    ------
    DataError
        If they are of several formats.
    """
    formats = {file.opened.format: file.opened.shown for file in files}
    if len(formats) > 1:
        kinds = ", ".join(f"{name} ('{path}')" for name, path in sorted(formats.items()))
        raise DataError.of(f"'{shown}' leads to files of several formats: {kinds}", key="data.path")
    return tuple(files)


def piece(opened: Opened, inside: str) -> Piece:
    """Return a file as a part of a table; folders named `key=value` say something of its rows."""
    pairs = (part.partition("=") for part in Path(inside).parts[:-1] if "=" in part)
    return Piece(opened, inside, {key: None if text == _NULL else unquote(text) for key, _, text in pairs})


def _insides(data: DataSpec, root: Path) -> list[Path]:
    """Return the files below a folder, sorted: those of a pattern, else those that are named as tables are.

    What begins with a dot or an underline is a note of another tool.
    """
    if is_glob(data.path):
        found = list(map(Path, glob.iglob(data.path, recursive=True)))
    else:
        is_any = data.format != "auto"
        found = [path for path in root.rglob("*") if is_any or is_named_as_table(path)]
    # What is no regular file is refused when it is opened: left out in silence, its rows would be missed.
    insides = sorted(path.relative_to(root) for path in found if not path.is_dir())
    return [inside for inside in insides if not any(part.startswith((".", "_")) for part in inside.parts)]


def _root(path: str) -> Path:
    """Return the folder that all files of a pattern lie below."""
    parts = Path(path).parts
    literal = next((at for at, part in enumerate(parts) if any(mark in part for mark in "*?[")), len(parts))
    return Path(*parts[:literal]) if is_glob(path) else Path(path)


def _open(root: Path, inside: Path, data: DataSpec, *, shown: str) -> Piece:
    path = root / inside
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise DataError.of("the file is a link that leads out of its folder", file=shown)
    if not path.is_file():
        raise DataError.of("no regular file", file=shown)
    if path.stat().st_size == 0:
        # Polars would pass over it.
        raise DataError.of("the file is empty (0 bytes)", file=shown)
    one = data.model_copy(update={"path": str(path)})
    opened = cast("Opener", SOURCES.load(format_of(path, one)))(one, shown)
    return piece(opened, str(inside))


def _differences(header: Header, first: Header) -> Iterator[Message]:
    """Say what a file has otherwise than the first."""
    theirs, ours = (dict(zip(one.columns, one.dtypes or one.columns, strict=True)) for one in (header, first))
    for name in ours:
        if name not in theirs:
            near = nearest(name, theirs)
            yield Message(
                f"the column is missing, which '{first.path}' has", name, header.path, suggestion=near
            )
        elif theirs[name] != ours[name]:
            what = f"the column holds {theirs[name]}, and {ours[name]} in '{first.path}'"
            yield Message(what, name, header.path)
    for name in theirs:
        if name not in ours:
            yield Message(f"'{first.path}' has no such column", name, header.path)


def _with_keys(part: Part, columns: tuple[Column, ...], keys: Mapping[str, str | None]) -> Part:
    """Add the columns that the folders of a file say."""
    import polars as pl

    from engine.data.storage import Held, hold

    n_rows = part.held.frame.height
    named = tuple(column for column in columns if column.name in keys)
    texts = pl.DataFrame({column.name: pl.Series([keys[column.name]], dtype=pl.String) for column in named})
    added = hold(texts[[0] * n_rows], named, decimal=".")
    frame = pl.concat([part.held.frame, added.frame], how="horizontal")
    held = Held(
        frame.select(pl.nth([frame.columns.index(column.name) for column in columns])),
        {**part.held.refused, **added.refused},
    )
    return replace(part, held=held)

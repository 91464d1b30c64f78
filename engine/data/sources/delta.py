"""A Delta Lake table (https://github.com/delta-io/delta/blob/master/PROTOCOL.md), at one version of it.

The library reads the log and says which files a version has; the files are read here, in the order of their
names, so that a version gives the same rows in the same order every time.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import unquote

import numpy as np
import polars as pl

from engine.data.opened import Header
from engine.data.sources.typed import Rows, Typed, refusing, scanned
from engine.data.table import Source
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

if TYPE_CHECKING:
    from deltalake import DeltaTable

# Features of a table that change nothing of how its rows are read.
_HARMLESS = frozenset(
    {
        *("timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors", "columnMapping"),
        # A column of such a type is refused by itself, where it is asked for.
        "variantType",
    }
)
_DTYPES: Mapping[str, pl.DataType] = {
    "long": pl.Int64(),
    "integer": pl.Int32(),
    "short": pl.Int16(),
    "byte": pl.Int8(),
    "double": pl.Float64(),
    "float": pl.Float32(),
    "boolean": pl.Boolean(),
    "string": pl.String(),
    "date": pl.Date(),
    "timestamp": pl.Datetime("us", "UTC"),
    "timestamp_ntz": pl.Datetime("us"),
}
_DECIMAL = re.compile(r"decimal\((\d+),\s*(\d+)\)")
_EXTRA = "pip install 'declarative-engine[delta]'"
_WHAT = "Parquet"
_N_SHOWN = 200


@dataclass(frozen=True, slots=True)
class _File:
    """A file of a version: its path in the table, its size, its rows, and the values of its partition.

    `kept` says of its first rows which are not deleted; None: all are there.
    """

    inside: str
    n_bytes: int
    n_rows: int | None
    keys: Mapping[str, object]
    kept: pl.Series | None


@dataclass
class DeltaFolder(Typed):
    """A Delta Lake table in a folder, at the version that is asked for, else at its latest."""

    format: ClassVar[str] = "delta"

    def dtypes(self) -> Mapping[str, pl.DataType]:
        """Return the columns of the version; `pl.Unknown` where a type is no value of a table."""
        return self._dtypes

    def header(self) -> Header:
        """Return the columns, and the rows that the log counts, where it does."""
        counts = [file.n_rows for file in self._files]
        n_rows = sum(count for count in counts if count is not None)
        n_bytes = sum(file.n_bytes for file in self._files)
        return self.header_of(n_bytes=n_bytes, n_rows=n_rows, is_exact=None not in counts)

    def rows(self, names: Sequence[str], *, n_rows: int) -> Iterator[Rows]:
        """Yield some columns, file by file.

        Raises
        ------
        DataError
            If a file is missing or broken, or a column is of a type that is no value of a table.
        """
        for name in names:
            if self._dtypes[name] == pl.Unknown:
                word = self._types[name]
                what = f"the column holds {word}, which is no value of a table"
                raise DataError.of(what, key=name, file=self.shown)
        digest = hashlib.sha256()
        first_row = 0
        for file in self._files:
            path = self._path(file)
            with path.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            digest.update(f"{file.inside}\0{sha256}\n".encode())
            if file.kept is not None:
                digest.update(np.packbits(file.kept.to_numpy()).tobytes())
            for frame in self._left(self._frames(file, path, names, n_rows=n_rows), file.kept):
                yield Rows(frame, self.shown, first_row)
                first_row += frame.height
        n_bytes = sum(file.n_bytes for file in self._files)
        version = self._table.version()
        self._read = Source(self.data.path, self.format, n_bytes, digest.hexdigest(), version=version)

    @staticmethod
    def _left(frames: Iterator[pl.DataFrame], kept: pl.Series | None) -> Iterator[pl.DataFrame]:
        """Yield the rows of a file without those that its table says are deleted."""
        first_row = 0
        for frame in frames:
            if kept is None:
                yield frame
                continue
            said = kept.slice(first_row, frame.height)
            rest = pl.repeat(value=True, n=frame.height - len(said), dtype=pl.Boolean, eager=True)
            yield frame.filter(pl.concat([said, rest]))
            first_row += frame.height

    def _frames(
        self, file: _File, path: Path, names: Sequence[str], *, n_rows: int
    ) -> Iterator[pl.DataFrame]:
        shown = f"{self.shown}/{file.inside}"
        scan = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        with refusing(_WHAT, shown=shown):
            there = list(scan.collect_schema())
        own = [name for name in names if name in there and name not in file.keys]
        # A file that is older than a column has none of it: by the protocol its values are null.
        frames: Iterator[pl.DataFrame]
        if own:
            places = [there.index(name) for name in own]
            frames = (rows.frame for rows in scanned(scan, places, n_rows=n_rows, shown=shown, what=_WHAT))
        else:
            frames = iter([pl.DataFrame(height=scan.select(pl.len()).collect().item())])
        for frame in frames:
            yield pl.DataFrame([self._series(name, frame, file, shown) for name in names])

    def _series(self, name: str, frame: pl.DataFrame, file: _File, shown: str) -> pl.Series:
        dtype = self._dtypes[name]
        if name in frame.columns:
            try:
                return frame[name].cast(dtype)
            except pl.exceptions.PolarsError as exc:
                what = f"the file holds {frame[name].dtype}, and the table {dtype}"
                raise DataError.of(what, key=name, file=shown) from exc
        return pl.Series(name, [file.keys.get(name)], dtype=dtype).new_from_index(0, frame.height)

    def _path(self, file: _File) -> Path:
        root, path = Path(self.data.path), Path(self.data.path) / file.inside
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
            what = f"its log names a file that lies elsewhere: '{file.inside}'"
            raise DataError.of(what, file=self.shown)
        if not path.is_file():
            what = f"of version {self._table.version()} a file is gone: '{self.shown}/{file.inside}'"
            raise DataError.of(what, key="data.version")
        return path

    @cached_property
    def _types(self) -> Mapping[str, str]:
        return {
            column.name: getattr(column.type, "type", None) or type(column.type).__name__
            for column in self._table.schema().fields
        }

    @cached_property
    def _dtypes(self) -> Mapping[str, pl.DataType]:
        return {name: _dtype(word) for name, word in self._types.items()}

    @cached_property
    def _files(self) -> tuple[_File, ...]:
        actions = pl.DataFrame(self._table.get_add_actions(flatten=True))
        keys = self._table.metadata().partition_columns
        counts = actions["num_records"] if "num_records" in actions.columns else [None] * actions.height
        vectors = self._vectors([unquote(path) for path in actions["path"]])
        files = []
        for row, n_rows in zip(actions.iter_rows(named=True), counts, strict=True):
            inside = unquote(row["path"])
            kept = vectors.get(inside)
            n_left = n_rows if n_rows is None or kept is None else n_rows - int((~kept).sum())
            partition = {key: row[f"partition.{key}"] for key in keys}
            files.append(_File(inside, row["size_bytes"], n_left, partition, kept))
        return tuple(sorted(files, key=lambda file: file.inside))

    def _vectors(self, insides: Sequence[str]) -> Mapping[str, pl.Series]:
        """Return which rows of a file are there, by its path in the table, where some are deleted."""
        from deltalake.exceptions import DeltaError

        try:
            found = pl.DataFrame(self._table.deletion_vectors())
        except DeltaError as exc:
            why = " ".join(str(exc).split())[:_N_SHOWN]
            raise DataError.of(f"not a whole Delta Lake table: {why}", file=self.shown) from exc
        # Given are URLs: a file is the one of whose path most stands at the end.
        places = (f"/{unquote(place)}" for place in found["filepath"])
        owners = [
            max((one for one in insides if place.endswith(f"/{one}")), key=len, default="")
            for place in places
        ]
        return dict(zip(owners, found["selection_vector"], strict=True))

    @cached_property
    def _table(self) -> DeltaTable:
        try:
            from deltalake import DeltaTable
            from deltalake.exceptions import DeltaError
        except ImportError as exc:
            what = "Delta Lake is read by a library that is not installed: deltalake"
            raise DataError.of(what, file=self.shown, try_=_EXTRA) from exc
        wanted = self.data.version
        try:
            table = DeltaTable(self.data.path, version=wanted if isinstance(wanted, int) else None)
            if isinstance(wanted, str):
                self._travel(table, wanted)
        except (DeltaError, OSError, ValueError) as exc:
            if isinstance(wanted, int) and wanted > (latest := DeltaTable(self.data.path).version()):
                what = f"'{self.shown}' has no version {wanted}: the latest is {latest}"
                raise DataError.of(what, key="data.version") from None
            why = " ".join(str(exc).split())[:_N_SHOWN]
            raise DataError.of(f"not a whole Delta Lake table: {why}", file=self.shown) from exc
        self._refuse_features(table)
        return table

    def _travel(self, table: DeltaTable, wanted: str) -> None:
        """Load the version that was the latest at a moment; a table that was not there yet has none."""
        try:
            moment = datetime.fromisoformat(wanted)
        except ValueError:
            what = f"'{wanted}' is no version: a number, or a moment as ISO 8601 writes it"
            raise DataError.of(what, key="data.version") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        table.load_as_version(moment)
        made = min(int(entry["timestamp"]) for entry in table.history())
        # The library gives the first version of a table to who asks for a moment before it.
        if table.version() == 0 and moment.timestamp() * 1000 < made:
            what = f"'{self.shown}' had no version at {wanted}: its first is of {_iso(made)}"
            raise DataError.of(what, key="data.version")

    def _refuse_features(self, table: DeltaTable) -> None:
        unknown = set(table.protocol().reader_features or ()) - _HARMLESS
        mapping = table.metadata().configuration.get("delta.columnMapping.mode", "none")
        if mapping != "none":
            unknown.add("columnMapping")
        if unknown:
            what = f"its rows need a feature of tables that is not read here: {', '.join(sorted(unknown))}"
            raise DataError.of(what, file=self.shown)


def _dtype(word: str) -> pl.DataType:
    if found := _DECIMAL.fullmatch(word):
        return pl.Decimal(int(found[1]), int(found[2]))
    return _DTYPES.get(word, pl.Unknown())


def _iso(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")


def open_delta(data: DataSpec, shown: str) -> DeltaFolder:
    """Open a Delta Lake table."""
    return DeltaFolder(data, shown)

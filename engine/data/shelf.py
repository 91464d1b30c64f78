"""Rows laid aside on disk as they come, and taken up in the order of a hash: a shuffle in bounded memory.

The file has no name: it is gone when the run is, however that ends. Knows frames, and nothing of tables.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from engine.errors import EngineError

# Of one drawer, which is in memory as a whole when its rows are put in order.
_DRAWER_BYTES = 64 * 2**20
_MOST_DRAWERS = 2**12
_ORDER, _PLACE = "order", "place"


def require_room(folder: Path, n_bytes: float) -> None:
    """Refuse to begin what the disk has no room for.

    Raises
    ------
    EngineError
        If less is free than is needed, about.
    """
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        needed, there = (f"{size / 2**20:,.0f} MiB" for size in (n_bytes, free))
        what = f"rows that are laid aside take about {needed} of the disk of '{folder}', and {there} are free"
        raise EngineError.of(what, key="runs", try_="--runs FOLDER on another disk, or data.sample: 0.1")


class Nameless:
    """A file without a name: it is written at its end, read anywhere, and gone when nobody has it any more.

    Attributes
    ----------
    n_bytes
        Its length.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with tempfile.TemporaryFile(dir=folder) as file:
            self._file = os.dup(file.fileno())
        self._close = weakref.finalize(self, os.close, self._file)
        self.n_bytes = 0

    def append(self, content: memoryview) -> None:
        """Write to its end.

        Raises
        ------
        OSError
            With the folder's name, as where its disk is full.
        """
        while content:
            try:
                n_written = os.pwrite(self._file, content, self.n_bytes)
            except OSError as exc:
                raise OSError(exc.errno, exc.strerror, str(self._folder)) from exc
            self.n_bytes += n_written
            content = content[n_written:]

    def read(self, at: int, n_bytes: int) -> bytes:
        """Return what was written there."""
        pieces = []
        while n_bytes:
            pieces.append(os.pread(self._file, n_bytes, at))
            if not pieces[-1]:
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(self._folder))
            at, n_bytes = at + len(pieces[-1]), n_bytes - len(pieces[-1])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Give the room on disk back."""
        self._close()


class Shelf:
    """Rows on disk, in drawers by the first bits of a hash.

    Parameters
    ----------
    folder
        Where there is room for them.
    n_bytes
        About how many they will take, which decides the number of drawers and nothing else.
    key
        Columns that decide among rows of one hash; else their place does.
    """

    def __init__(self, folder: Path, *, n_bytes: int, key: Sequence[str] = ()) -> None:
        self._file = Nameless(folder)
        self._bits = min(max(n_bytes // _DRAWER_BYTES, 1), _MOST_DRAWERS).bit_length() - 1
        self._pieces: list[list[tuple[int, int]]] = [[] for _ in range(2**self._bits)]
        self._names: list[str] = []
        self._key = tuple(key)
        self.n_rows = 0

    @property
    def n_bytes(self) -> int:
        """What the rows take on disk."""
        return self._file.n_bytes

    def put(self, frame: pl.DataFrame, *, order: np.ndarray, places: np.ndarray) -> None:
        """Lay rows aside.

        Parameters
        ----------
        order
            A hash of each row, uint64, shape (n,): they come back in the order of these.
        places
            Where each row stands in its file, int64, shape (n,).
        """
        if not frame.height:
            return
        self._names = frame.columns
        self.n_rows += frame.height
        # Numbered names, so that none is ours.
        plain = pl.DataFrame([series.alias(str(at)) for at, series in enumerate(frame)])
        plain = plain.with_columns(pl.Series(_ORDER, order), pl.Series(_PLACE, places))
        drawers = self._drawers_of(order)
        by_drawer = np.argsort(drawers, kind="stable")
        plain = plain[by_drawer]
        present, first = np.unique(drawers[by_drawer], return_index=True)
        ends = np.append(first[1:], len(drawers))
        for drawer, start, end in zip(present.tolist(), first.tolist(), ends.tolist(), strict=True):
            self._write(drawer, plain.slice(start, end - start))

    def frames(self, n_rows: int) -> Iterator[tuple[pl.DataFrame, np.ndarray]]:
        """Yield all rows in the order of their hashes, `n_rows` at a time, and their places in the file."""
        waiting: list[pl.DataFrame] = []
        n_waiting = 0
        for drawer in range(len(self._pieces)):
            if not self._pieces[drawer]:
                continue
            waiting.append(self._drawn(drawer))
            n_waiting += waiting[-1].height
            if n_waiting < n_rows:
                continue
            whole = pl.concat(waiting)
            start = 0
            while n_waiting - start >= n_rows:
                yield self._named(whole.slice(start, n_rows))
                start += n_rows
            waiting, n_waiting = [whole.slice(start)], n_waiting - start
        if n_waiting:
            yield self._named(pl.concat(waiting))

    def close(self) -> None:
        """Give the room on disk back."""
        self._file.close()

    def _drawers_of(self, order: np.ndarray) -> np.ndarray:
        if not self._bits:
            return np.zeros(len(order), np.int64)
        return (order >> np.uint64(64 - self._bits)).astype(np.int64)

    def _write(self, drawer: int, piece: pl.DataFrame) -> None:
        buffer = io.BytesIO()
        piece.write_ipc_stream(buffer, compression="lz4")
        content = buffer.getbuffer()
        self._pieces[drawer].append((self._file.n_bytes, len(content)))
        self._file.append(content)

    def _drawn(self, drawer: int) -> pl.DataFrame:
        pieces = [
            pl.read_ipc_stream(io.BytesIO(self._file.read(at, n_bytes)))
            for at, n_bytes in self._pieces[drawer]
        ]
        key = [str(self._names.index(name)) for name in self._key]
        return pl.concat(pieces).sort(_ORDER, *key, _PLACE)

    def _named(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, np.ndarray]:
        places = rows[_PLACE].to_numpy()
        frame = rows.drop(_ORDER, _PLACE)
        frame.columns = self._names
        return frame.rechunk(), places

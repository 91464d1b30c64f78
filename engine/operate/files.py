"""Parquet files in a folder: each written aside once it has its rows or its age, and never changed after."""

from __future__ import annotations

import logging
import os
import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from time import monotonic

import polars as pl

from engine import durable
from engine.deploy.sinks import is_final
from engine.errors import RecipeError

logger = logging.getLogger("engine.serve")


class Files:
    """Rows of one shape on their way into a folder, which is made when the first file is written.

    Names begin with the moment and go on with what no other process has, so that any number of them may write
    here.

    Parameters
    ----------
    max_rows, max_s
        A file is written when there are so many rows, or the first of them has waited so long.
    done, drop
        Are told of how many requests the rows were written, or lost as the system refused to write them.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_rows: int,
        max_s: float,
        done: Callable[[int], None],
        drop: Callable[[int], None],
    ) -> None:
        self._folder = folder
        self._max_rows = max_rows
        self._max_s = max_s
        self._done = done
        self._drop = drop
        self._frames: list[pl.DataFrame] = []
        self._n_rows = self._n_requests = 0
        self._since_s = 0.0
        self._numbers = count()
        self._own = f"{os.getpid()}-{secrets.token_hex(4)}"

    def add(self, frame: pl.DataFrame, *, n_requests: int) -> None:
        """Take the rows of some requests, and write a file where there are enough."""
        if not self._frames:
            self._since_s = monotonic()
        self._frames.append(frame)
        self._n_rows += frame.height
        self._n_requests += n_requests
        if self._n_rows >= self._max_rows:
            self.write()

    def look(self) -> bool:
        """Write what has waited long enough; return whether anything waits on."""
        if self._frames and monotonic() - self._since_s >= self._max_s:
            self.write()
        return bool(self._frames)

    def write(self) -> None:
        """Write what there is. What the system refuses is told and given up: memory is not endless."""
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        n_requests, self._n_rows, self._n_requests = self._n_requests, 0, 0
        moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
        path = self._folder / f"{moment}-{self._own}-{next(self._numbers):06}.parquet"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with durable.writing_path(path) as aside:
                pl.concat(frames).write_parquet(aside)
        except (OSError, pl.exceptions.PolarsError):
            # A full disk is the one where the file is opened, the other where it is written.
            self._drop(n_requests)
            logger.exception("the rows of %d requests can't be written to %s", n_requests, self._folder)
        else:
            self._done(n_requests)


def writable(folder: Path, *, key: str) -> Path:
    """Return a folder as an absolute path, made and tried: what can't be written is told before it is needed.

    Raises
    ------
    RecipeError
        If it can't be made or written to, or is or lies in a run or a bundle.
    """
    folder = Path(os.path.realpath(folder))
    if kept := next(filter(is_final, (folder, *folder.parents)), None):
        what = f"'{folder}' lies in '{kept}', a run or a bundle, which is never written to"
        raise RecipeError.of(what, file="command line", key=key)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as fault:
        what = f"'{folder}' can't be written to: {fault.strerror}"
        raise RecipeError.of(what, file="command line", key=key) from None
    return folder

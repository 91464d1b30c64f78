"""What a batch scoring has done so far, kept beside its output, so that a kill costs no row twice.

A shard is the answer to one full batch, named by its number and by a hash of the rows that it answers: after
a kill the data is read again from its start, and a batch whose rows have an answer already is not scored.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from engine import durable
from engine.errors import EngineError

_HEADER, _ASIDE = "made_by.json", "aside"


class PassingError(EngineError):
    """What may be otherwise at the next call, which then goes on with what was done."""


class Shards:
    """The shards of one output; calls from several threads at once are safe."""

    def __init__(self, folder: Path, *, n_rows: int) -> None:
        self._folder = folder
        # What is not whole yet may stand here: it is gone with the shards.
        self.aside = folder / _ASIDE
        self._n_rows = n_rows
        self.n_found = 0
        self._counting = threading.Lock()

    def answered(self, place: int, batch: pl.DataFrame, answer: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """Return the answer to the batch at a place: the one that is kept, else `answer`, then kept."""
        path = self.path_of(place, batch)
        found = self.find(path, batch)
        if found is None:
            found = answer()
            self.keep(path, found)
        return found

    def path_of(self, place: int, batch: pl.DataFrame) -> Path | None:
        """Return where the answer to the batch at a place is kept; None where it is not.

        Only full batches are kept: what comes last is soon done again.
        """
        if batch.height < self._n_rows:
            return None
        digest = hashlib.blake2b(batch.hash_rows().to_numpy().tobytes(), digest_size=12).hexdigest()
        return self._folder / f"{place:08}-{digest}.arrow"

    def find(self, path: Path | None, batch: pl.DataFrame) -> pl.DataFrame | None:
        """Return the answer to a batch that is kept, if one is."""
        if path is None or not path.exists():
            return None
        with self._counting:
            self.n_found += batch.height
        return pl.read_ipc(path)

    def keep(self, path: Path | None, scored: pl.DataFrame) -> None:
        """Keep an answer."""
        if path is not None:
            written = io.BytesIO()
            scored.write_ipc(written)
            durable.write_bytes(path, written.getvalue())


@contextmanager
def shards_of(output: Path, made_by: Mapping[str, object], *, n_rows: int) -> Iterator[Shards]:
    """Open the shards of an output, and remove them when the block ends, well or in an `EngineError`.

    A kill, Ctrl-C and what may pass, as a disk that is full, leave them, for the next call.

    Parameters
    ----------
    made_by
        All that decides the answer to a batch; shards that were made by anything else are thrown away.

    Raises
    ------
    EngineError
        If another process is writing the same output.
    """
    folder = output.with_name(f".{output.name}.shards")
    lock = output.with_name(f".{output.name}.lock")
    with durable.locked(lock):
        try:
            header = folder / _HEADER
            if not header.is_file() or json.loads(header.read_bytes()) != dict(made_by):
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                durable.write_json(header, made_by)
            shards = Shards(folder, n_rows=n_rows)
            shutil.rmtree(shards.aside, ignore_errors=True)
            shards.aside.mkdir()
            yield shards
            shutil.rmtree(folder)
        except PassingError:
            shutil.rmtree(folder / _ASIDE, ignore_errors=True)
            raise
        except (EngineError, GeneratorExit):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception:
            shutil.rmtree(folder / _ASIDE, ignore_errors=True)
            raise
        finally:
            lock.unlink(missing_ok=True)

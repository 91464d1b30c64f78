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
        """Return the answer to the batch at a place: the one that is kept, else `answer`, which is then kept.

        Only full batches are kept: what comes last is soon done again.
        """
        if batch.height < self._n_rows:
            return answer()
        digest = hashlib.blake2b(batch.hash_rows().to_numpy().tobytes(), digest_size=12).hexdigest()
        path = self._folder / f"{place:08}-{digest}.arrow"
        if path.exists():
            with self._counting:
                self.n_found += batch.height
            return pl.read_ipc(path)
        scored = answer()
        written = io.BytesIO()
        scored.write_ipc(written)
        durable.write_bytes(path, written.getvalue())
        return scored


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
        except (EngineError, GeneratorExit):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        except Exception:
            shutil.rmtree(folder / _ASIDE, ignore_errors=True)
            raise
        finally:
            lock.unlink(missing_ok=True)

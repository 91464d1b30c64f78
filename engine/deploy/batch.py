"""Batch scoring: a file in, a file of predictions out, in memory that does not grow with the rows."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import polars as pl

from engine.data.quarantine import SCHEMA, Set
from engine.data.schema import Schema
from engine.data.source import batches
from engine.deploy.shards import Shards, shards_of
from engine.deploy.sinks import Opened, Write, writer
from engine.deploy.spread import cluster_of, sha256_of
from engine.durable import writing_path
from engine.errors import DataError, RecipeError
from engine.machine import usable_cores
from engine.recipe.rereading import Rereading, reread
from engine.runs.bundle import Bundle
from engine.runs.facts import code_sha256

BATCH_ROWS = 32_768
# Called with the number of rows that are written so far.
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows were scored, how many were set aside, and how many an earlier call had scored."""

    n_rows: int
    n_set_aside: int
    n_found: int


def predict(
    bundle: Bundle,
    data: str | Path,
    output: Path,
    *,
    reading: Rereading | None = None,
    quarantine: Path | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Score the rows of `data` and write their ids and predictions to `output`, in the same order.

    A call that was killed is gone on with by the same call: what it had scored is not scored again, and what
    is written has the same bytes as if nothing had happened.

    Parameters
    ----------
    bundle
        Any verified bundle; whether its gates were met is not asked.
    data
        A table of any format that the engine reads, or the URL of one.
    output
        `.csv` or `.parquet`; written whole or not at all, over a file that is there already. Of a link, what
        it points to is written. Or `.delta`, a new table of Delta Lake.
    reading
        How `data` is read, and who scores it; None: as the training data was, by this process.
    quarantine
        `.csv` or `.parquet`: where rows that break the contract are told, each with its reasons; all others
        are scored. None: such a row is an error.
    workers
        Batches scored at once, by a thread each; None: as many as this process may use cores. On Ray it is
        Ray that knows.
    progress
        Called from this thread after each batch that is written.

    Returns
    -------
    Counts
        0 rows are a normal case; rows scored and set aside add up to the rows of the table.

    Raises
    ------
    DataError
        If the data breaks the contract: the first batch with something wrong, rows numbered as in the file.
        Nothing is written then.
    RecipeError
        If `output` has another suffix, is a folder, lies in no folder or in a run's or a bundle's, or is
        `data` itself.
    EngineError
        If another process writes the same output.
    """
    opened = writer(output, data)
    set_writer = None if quarantine is None else writer(quarantine, data, key="--quarantine", tables=False)
    _refuse_taken_names(bundle)
    if quarantine is not None and os.path.realpath(quarantine) == os.path.realpath(output):
        what = f"'{quarantine}' is where the predictions go"
        raise RecipeError.of(what, file="command line", key="--quarantine")
    reading = reading or reading_for(bundle)
    n_done, aside = 0, _Aside()
    target = Path(os.path.realpath(output))
    with (
        # What can't be had now, as a cluster that is away, costs nothing that was scored.
        _cluster(bundle, reading) as cluster,
        shards_of(target, _made_by(bundle, data, reading), n_rows=BATCH_ROWS) as shards,
        nullcontext(cluster) if cluster else _threads(bundle, workers or usable_cores()) as scorers,
    ):
        place = shards.aside / f"predictions{output.suffix}"
        with (
            _quarantine(quarantine, set_writer, target) as write_aside,
            opened.open(place) as write,
        ):
            set_aside = aside.keeping(write_aside) if write_aside is not None else None
            for scored in _scored(bundle, data, reading, scorers, shards=shards, set_aside=set_aside):
                write(scored)
                n_done += scored.height
                if progress is not None:
                    progress(n_done)
            if write_aside is not None and not aside.n_rows:
                write_aside(pl.DataFrame(schema=SCHEMA))
        opened.publish(place)
    return Counts(n_done, aside.n_rows, shards.n_found)


@contextmanager
def _quarantine(path: Path | None, opened: Opened | None, target: Path) -> Iterator[Write | None]:
    """Open a quarantine beside its place, which may be on another disk than the predictions.

    The output gives it a name, so that what a kill left there is written over by the same call.
    """
    if path is None or opened is None:
        yield None
        return
    mark = hashlib.blake2b(os.fsencode(target), digest_size=4).hexdigest()
    with writing_path(Path(os.path.realpath(path)), mark=mark) as aside, opened.open(aside) as write:
        yield write


class _Aside:
    """Counts the rows that are set aside."""

    n_rows = 0

    def keeping(self, write: Write) -> Set:
        def keep(frame: pl.DataFrame) -> None:
            self.n_rows += frame.height
            write(frame)

        return keep


def _made_by(bundle: Bundle, data: str | Path, reading: Rereading) -> dict[str, object]:
    """Return all that decides the answer to a batch: the model, how rows are read, our own code."""
    return {
        "bundle": sha256_of(bundle),
        "data": str(data),
        "reading": reading.data.model_dump(mode="json"),
        "code": code_sha256(),
        "polars": pl.__version__,
        "onnxruntime": version("onnxruntime"),
        "rows": BATCH_ROWS,
    }


def reading_for(bundle: Bundle, overrides: Sequence[str] = ()) -> Rereading:
    """Return how rows are read: as the training data was, but for its format and what overrides say.

    Raises
    ------
    RecipeError
        If an override sets anything but how rows are read.
    """
    return reread(bundle.data.model_copy(update={"format": "auto"}), overrides)


def schema_for(bundle: Bundle, reading: Rereading) -> Schema:
    """Return the schema that rows are held against: the bundle's, but for columns that it does not name."""
    if reading.leaves_out is None:
        return bundle.schema
    return replace(bundle.schema, extra="ignore" if reading.leaves_out else "error")


class _Scorers(Protocol):
    @property
    def n_ahead(self) -> int:
        """How many batches may be under way at once."""

    def submit(self, place: int, frame: pl.DataFrame, *, shards: Shards) -> Callable[[], pl.DataFrame]:
        """Have a batch scored, and return what waits for its answer."""


@dataclass(frozen=True, slots=True)
class _Threads:
    """The threads of this process."""

    n_ahead: int
    _bundle: Bundle
    _pool: ThreadPoolExecutor

    def submit(self, place: int, frame: pl.DataFrame, *, shards: Shards) -> Callable[[], pl.DataFrame]:
        def answer() -> pl.DataFrame:
            return shards.answered(place, frame, lambda: score(self._bundle, frame))

        return self._pool.submit(answer).result


@contextmanager
def _threads(bundle: Bundle, n: int) -> Iterator[_Scorers]:
    pool = ThreadPoolExecutor(n)
    try:
        yield _Threads(n, bundle, pool)
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _cluster(bundle: Bundle, reading: Rereading) -> Iterator[_Scorers | None]:
    """Give the workers of Ray where they are asked for."""
    if reading.executor != "ray":
        yield None
        return
    with cluster_of(bundle, score, address=reading.address) as cluster:
        yield cluster


def score(bundle: Bundle, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the ids of checked rows and what users are told of them."""
    ids = {column.name for column in bundle.schema.ids}
    kept = [series for series in frame.iter_columns() if series.name in ids]
    return pl.DataFrame([*kept, *bundle.answers(bundle.score(frame)).iter_columns()])


def _scored(
    bundle: Bundle,
    data: str | Path,
    reading: Rereading,
    scorers: _Scorers,
    *,
    shards: Shards,
    set_aside: Set | None,
) -> Iterator[pl.DataFrame]:
    """Yield scored batches in the file's order, a bounded number of them at work at once."""
    read = batches(
        data, schema=schema_for(bundle, reading), data=reading.data, n_rows=BATCH_ROWS, set_aside=set_aside
    )
    at_work: deque[Callable[[], pl.DataFrame]] = deque()
    for place, frame in enumerate(read):
        at_work.append(scorers.submit(place, frame, shards=shards))
        if len(at_work) > scorers.n_ahead:
            yield at_work.popleft()()
    while at_work:
        yield at_work.popleft()()


def _refuse_taken_names(bundle: Bundle) -> None:
    taken = [column.name for column in bundle.schema.ids if column.name in bundle.prediction_columns]
    if taken:
        raise DataError.of(
            "this id column has the name of a prediction's column: both can't be written", key=taken[0]
        )

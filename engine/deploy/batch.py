"""Batch scoring: a file in, a file of predictions out, in memory that does not grow with the rows."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import polars as pl

from engine.data.source import batches
from engine.durable import writing_path
from engine.errors import DataError, RecipeError, nearest
from engine.recipe.rereading import Rereading, reread
from engine.runs.bundle import Bundle

BATCH_ROWS = 32_768
# Called with the number of rows that are written so far.
Progress = Callable[[int], None]
_Write = Callable[[pl.DataFrame], None]


def predict(
    bundle: Bundle,
    data: str | Path,
    output: Path,
    *,
    reading: Rereading | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> int:
    """Score the rows of `data` and write their ids and predictions to `output`, in the same order.

    Parameters
    ----------
    bundle
        Any verified bundle; whether its gates were met is not asked.
    data
        A table of any format that the engine reads, or the URL of one.
    output
        `.csv` or `.parquet`; written whole or not at all, over a file that is there already. Of a link, what
        it points to is written.
    reading
        How `data` is read; None: as the training data was.
    workers
        Batches scored at once, by a thread each; None: as many as this process may use cores.
    progress
        Called from this thread after each batch that is written.

    Returns
    -------
    int
        How many rows there were; 0 is a normal case.

    Raises
    ------
    DataError
        If the data breaks the contract: the first batch with something wrong, rows numbered as in the file.
        Nothing is written then.
    RecipeError
        If `output` has another suffix, is a folder, lies in no folder or in a run's or a bundle's, or is
        `data` itself.
    """
    opened = _writer(output, data)
    target = Path(os.path.realpath(output))
    _refuse_taken_names(bundle)
    n_cores = len(os.sched_getaffinity(0)) if workers is None else workers
    n_done = 0
    with writing_path(target) as aside, opened(aside) as write:
        for scored in _scored(bundle, data, reading or reading_for(bundle), n_workers=n_cores):
            write(scored)
            n_done += scored.height
            if progress is not None:
                progress(n_done)
    return n_done


def reading_for(bundle: Bundle, overrides: Sequence[str] = ()) -> Rereading:
    """Return how rows are read: as the training data was, but for its format and what overrides say.

    Raises
    ------
    RecipeError
        If an override sets anything but how rows are read.
    """
    return reread(bundle.data.model_copy(update={"format": "auto"}), overrides)


def _scored(
    bundle: Bundle, data: str | Path, reading: Rereading, *, n_workers: int
) -> Iterator[pl.DataFrame]:
    """Yield scored batches in the file's order, a bounded number of them at work at once."""
    ids = {column.name for column in bundle.schema.ids}

    def score(frame: pl.DataFrame) -> pl.DataFrame:
        kept = [series for series in frame.iter_columns() if series.name in ids]
        return pl.DataFrame([*kept, *bundle.to_frame(bundle.score(frame)).iter_columns()])

    schema = bundle.schema
    if reading.leaves_out is not None:
        schema = replace(schema, extra="ignore" if reading.leaves_out else "error")
    at_work: deque[Future[pl.DataFrame]] = deque()
    with ThreadPoolExecutor(n_workers) as pool:
        try:
            for frame in batches(data, schema=schema, data=reading.data, n_rows=BATCH_ROWS):
                at_work.append(pool.submit(score, frame))
                if len(at_work) > n_workers:
                    yield at_work.popleft().result()
            while at_work:
                yield at_work.popleft().result()
        finally:
            for waiting in at_work:
                waiting.cancel()


def _writer(output: Path, data: str | Path) -> Callable[[Path], AbstractContextManager[_Write]]:
    writers = {".csv": _csv, ".parquet": _parquet}
    where = "command line"
    if output.suffix.lower() not in writers:
        raise RecipeError.of(
            f"'{output}' ends in neither of the formats that are written",
            file=where,
            key="-o",
            suggestion=nearest(output.suffix.lower(), writers),
            allowed=tuple(writers),
        )
    target = Path(os.path.realpath(output))
    if target.is_dir():
        raise RecipeError.of(f"'{output}' is a folder, not a file", file=where, key="-o")
    if not target.parent.is_dir():
        missing = target.parent if output.is_symlink() else output.parent
        raise RecipeError.of(f"there is no folder '{missing}'", file=where, key="-o")
    if kept := next(filter(_is_kept, target.parents), None):
        raise RecipeError.of(
            f"'{output}' lies in '{kept}', a run or a bundle, which is never written to", file=where, key="-o"
        )
    if output.exists() and Path(data).exists() and output.samefile(data):
        raise RecipeError.of(
            f"'{output}' is the data itself, which is never written over", file=where, key="-o"
        )
    return writers[output.suffix.lower()]


def _is_kept(folder: Path) -> bool:
    """Tell whether a folder is a run's or a bundle's: what is in it is final."""
    is_run = (folder / "facts.json").is_file() and (folder / "bundle").is_dir()
    return is_run or ((folder / "manifest.json").is_file() and (folder / "model.onnx").is_file())


def _refuse_taken_names(bundle: Bundle) -> None:
    taken = [column.name for column in bundle.schema.ids if column.name in bundle.prediction_columns]
    if taken:
        raise DataError.of(
            "this id column has the name of a prediction's column: both can't be written", key=taken[0]
        )


@contextmanager
def _csv(path: Path) -> Iterator[_Write]:
    with path.open("wb") as file:

        def write(frame: pl.DataFrame) -> None:
            frame.write_csv(file, include_header=file.tell() == 0)

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[_Write]:
    """Write row groups as they come: polars itself writes only what it has whole."""
    from pyarrow import parquet

    writers: list[parquet.ParquetWriter] = []

    def write(frame: pl.DataFrame) -> None:
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if not writers:
            writers.append(parquet.ParquetWriter(path, table.schema, compression="zstd"))
        writers[0].write_table(table)

    try:
        yield write
    finally:
        for writer in writers:
            writer.close()

"""What predictions are written as: one file, CSV or Parquet, or a new table of Delta Lake."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.durable import publish_file, publish_folder
from engine.errors import RecipeError, nearest

Write = Callable[[pl.DataFrame], None]
_WHERE = "command line"


@dataclass(frozen=True, slots=True)
class Opened:
    """A checked place for an output: `open(aside)` writes it aside, `publish(aside)` puts it in its place."""

    open: Callable[[Path], AbstractContextManager[Write]]
    publish: Callable[[Path], None]


def writer(output: Path, data: str | Path, *, key: str = "-o", tables: bool = True) -> Opened:
    """Return what writes frames to `output`, by its suffix, after checking that it may be written.

    Parameters
    ----------
    data
        What is read, which is never written over.
    key
        What the command line calls it.
    tables
        Whether it may be a table of Delta Lake.

    Raises
    ------
    RecipeError
        If it has another suffix, is a folder, lies in no folder or in a run's or a bundle's, or is `data`; if
        a table of Delta Lake is there already, or the package for it is not.
    """
    writers = {".csv": _csv, ".parquet": _parquet} | ({".delta": _delta} if tables else {})
    suffix = output.suffix.lower()
    if suffix not in writers:
        raise RecipeError.of(
            f"'{output}' ends in none of the formats that are written",
            file=_WHERE,
            key=key,
            suggestion=nearest(suffix, writers),
            allowed=tuple(writers),
        )
    if suffix == ".delta":
        _check_table(output, key)
    target = checked_place(output, key)
    if output.exists() and Path(data).exists() and output.samefile(data):
        what = f"'{output}' is the data itself, which is never written over"
        raise RecipeError.of(what, file=_WHERE, key=key)
    publish = publish_folder if suffix == ".delta" else publish_file
    return Opened(writers[suffix], lambda aside: publish(aside, target))


def checked_place(output: Path, key: str) -> Path:
    """Return what is written when `output` is, which of a link is what it points to.

    Raises
    ------
    RecipeError
        If it is a folder, or lies in no folder or in a run's or a bundle's.
    """
    target = Path(os.path.realpath(output))
    if target.is_dir():
        raise RecipeError.of(f"'{output}' is a folder, not a file", file=_WHERE, key=key)
    if not target.parent.is_dir():
        missing = target.parent if output.is_symlink() else output.parent
        raise RecipeError.of(f"there is no folder '{missing}'", file=_WHERE, key=key)
    if kept := next(filter(is_final, target.parents), None):
        what = f"'{output}' lies in '{kept}', a run or a bundle, which is never written to"
        raise RecipeError.of(what, file=_WHERE, key=key)
    return target


def _check_table(output: Path, key: str) -> None:
    from importlib.util import find_spec

    if output.exists():
        what = f"'{output}' exists already; predictions are written to a new table"
        raise RecipeError.of(what, file=_WHERE, key=key)
    if find_spec("deltalake") is None:
        what = "Delta Lake needs the package deltalake"
        raise RecipeError.of(what, file=_WHERE, key=key, try_="pip install 'declarative-engine[delta]'")


def is_final(folder: Path) -> bool:
    """Tell whether a folder is a run's or a bundle's: what is in it is final."""
    is_run = (folder / "facts.json").is_file() and (folder / "bundle").is_dir()
    return is_run or ((folder / "manifest.json").is_file() and (folder / "model.onnx").is_file())


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:

        def write(frame: pl.DataFrame) -> None:
            frame.write_csv(file, include_header=file.tell() == 0)

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
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
        for each in writers:
            each.close()


@contextmanager
def _delta(path: Path) -> Iterator[Write]:
    """Write a new table: one commit names all its files."""
    import pyarrow as pa
    from deltalake import write_deltalake
    from pyarrow import parquet

    rows = path.with_name(f"{path.name}.rows")
    with _parquet(rows) as write:
        yield write
    with parquet.ParquetFile(rows) as file:
        stream = pa.RecordBatchReader.from_batches(file.schema_arrow, file.iter_batches())
        write_deltalake(path, stream)

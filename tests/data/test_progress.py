"""How far the reading of a large table is, is told, whichever way it is read; and it can be stopped."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from engine.data.progress import Progress
from engine.data.schema import Column, Schema
from engine.data.source import read, validate
from engine.errors import DataError
from engine.recipe.spec_table import DataSpec

ColumnOf = Callable[..., Column]
SchemaOf = Callable[..., Schema]
DataOf = Callable[..., DataSpec]
N = 200_000
RECIPE = """\
defaults: [base, task: classification, model: logistic, _self_]
name: large
data: {path: large.csv, sample: 1000}
schema:
  target: y
  columns:
    n: {type: integer}
    y: {type: category}
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write one table of many rows twice, and a recipe of it."""
    folder = tmp_path_factory.mktemp("large")
    # Of one length, so that the first rows foretell how many there are.
    numbers = pl.int_range(N, 2 * N, eager=True)
    frame = pl.DataFrame({"n": numbers, "y": numbers % 2})
    frame.write_csv(folder / "large.csv")
    frame.write_parquet(folder / "large.parquet", row_group_size=50_000)
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


@pytest.mark.parametrize("file", ["large.csv", "large.parquet"])
@pytest.mark.parametrize("sample", [None, 1000])
def test_rows_are_told_as_they_come(
    file: str, sample: int | None, large: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """Whether a table is read by one query or in parts: at least once, and never more rows than there are."""
    told: list[tuple[int, int]] = []
    schema = schema_of(column_of("n", "integer", min=0.0), column_of("y", "integer", "target"))
    data = data_of(large / file, sample=sample)
    table = read(data, schema, tell=lambda *counts: told.append(counts))
    assert table.n_rows == (sample or N)
    assert table.frame["n"].is_sorted()
    if sample is None:
        assert validate(data, schema, tell=lambda *counts: told.append(counts)) == N
    assert told
    assert all(0 < done <= total and abs(total - N) < N / 10 for done, total in told)


def test_what_is_read_again_is_told_again(
    large: Path, column_of: ColumnOf, schema_of: SchemaOf, data_of: DataOf
) -> None:
    """A value that breaks the contract is named by the second, slower way, which is told too."""
    told: list[tuple[int, int]] = []
    schema = schema_of(column_of("n", "integer", max=2 * N - 2.0), column_of("y", "integer", "target"))
    with pytest.raises(DataError, match=rf"max {2 * N - 2}: 1 row is above it \(row {N}: {2 * N - 1}\)"):
        validate(data_of(large / "large.csv"), schema, tell=lambda *counts: told.append(counts))
    assert told


def test_rows_that_come_in_turns_count_once() -> None:
    """Of a table that is read twice, in some columns each time, half is read after the first."""
    told: list[tuple[int, int]] = []
    progress = Progress(lambda *counts: told.append(counts), 10)
    progress.begin(2)
    progress.came(10)
    assert told == [(5, 10)]
    progress.begin()
    time.sleep(0.11)
    progress.came(12)
    assert told == [(5, 10), (12, 12)]


def test_a_signal_ends_a_query_at_once() -> None:
    """Whoever waits for a query hears the signal, and the query ends with the next rows that come."""
    progress = Progress(lambda *_: None, 10)
    frame = pl.DataFrame({"n": [1]})
    ended = threading.Event()

    def query() -> None:
        try:
            while True:
                progress.passed(frame)
        finally:
            ended.set()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            progress.during(query)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended.is_set()
    assert Progress(lambda *_: None, 10).during(lambda: 7) == 7


def opened_by(pid: int) -> set[str]:
    """Return the names of the files that a process has open."""
    names = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.add(link.readlink().name)
    return names


def test_ctrl_c_while_a_table_is_read_ends_at_once(large: Path) -> None:
    """Exit 130, in a few words, and nothing is left behind."""
    program = [sys.executable, "-m", "engine", "run", "recipe.yaml"]
    before = sorted(large.iterdir())
    process = subprocess.Popen(program, cwd=large, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and "large.csv" not in opened_by(process.pid):
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (130, "", "stopped by the user\n")
    assert sorted(large.iterdir()) == before

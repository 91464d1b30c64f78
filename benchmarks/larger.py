"""A run over a table that is larger than memory: its seconds, and the memory of all its processes together.

Makes a Parquet of `--rows` rows of six columns, then runs each family on it through the command line under
`--memory-mib`. Memory is the proportional set size (PSS) of the process and all below it, each second.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from data import WORK

RECIPE = """\
defaults: [base, task: classification, model: sgd, _self_]
name: larger
data: {path: larger.parquet}
schema:
  target: y
  positive: "yes"
  columns:
    id: {type: integer, role: id, min: 0}
    age: {type: integer, min: 17, max: 90}
    hours: {type: integer, min: 1, max: 99}
    rate: {type: number, min: -10, max: 10}
    work: {type: category, values: [private, public, self, none]}
    y: {type: category, values: ["no", "yes"]}
"""
PART_ROWS = 2_000_000


def make(folder: Path, n_rows: int) -> None:
    """Write the recipe and its table, two million rows at a time."""
    import pyarrow.parquet as pq

    (folder / "larger.yaml").write_text(RECIPE)
    random, writer = np.random.default_rng(1), None
    for first in range(0, n_rows, PART_ROWS):
        n = min(PART_ROWS, n_rows - first)
        age, hours = random.integers(17, 91, n), random.integers(1, 100, n)
        score = (age - 50) / 20 + (hours - 50) / 40 + random.normal(size=n)
        frame = pl.DataFrame(
            {
                "id": np.arange(first, first + n),
                "age": age,
                "hours": hours,
                "rate": random.normal(size=n).round(3),
                "work": np.array(WORK)[random.integers(0, len(WORK), n)],
                "y": np.where(score > 0, "yes", "no"),
            }
        )
        table = frame.to_arrow()
        writer = writer or pq.ParquetWriter(folder / "larger.parquet", table.schema)
        writer.write_table(table, row_group_size=500_000)
    assert writer is not None
    writer.close()


def pss_mib(pid: int) -> float:
    """Return the proportional set size of a process and all below it."""
    total, pids = 0.0, [pid]
    while pids:
        here = Path(f"/proc/{pids.pop()}")
        try:
            pids += [int(word) for task in (here / "task").iterdir() for word in _children(task)]
            found = re.search(r"Pss:\s+(\d+)", (here / "smaps_rollup").read_text())
        except OSError:  # it has ended
            continue
        total += int(found[1]) / 1024 if found else 0.0
    return total


def _children(task: Path) -> list[str]:
    return (task / "children").read_text().split()


def measure(folder: Path, overrides: list[str]) -> tuple[int, float, float]:
    """Return the exit code of a run, its wall seconds and its peak of memory in MiB."""
    command = [sys.executable, "-m", "engine", "run", str(folder / "larger.yaml"), *overrides]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--runs", str(folder / "runs")], stdout=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, pss_mib(process.pid))
        time.sleep(1)
    return process.returncode, time.monotonic() - start, peak


def main() -> int:
    """Print a line a family; return 1 if one of them took more memory than it should."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--memory-mib", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=10, help="the most trees or epochs")
    parser.add_argument("--families", nargs="*", default=["sgd", "lightgbm"])
    asked = parser.parse_args()
    is_beyond = False
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name).absolute()
        make(folder, asked.rows)
        for family in asked.families:
            code, seconds, peak = measure(
                folder,
                [
                    f"model={family}",
                    f"compute.memory_mib={asked.memory_mib}",
                    f"compute.max_iterations={asked.rounds}",
                    "compute.threads=1",
                ],
            )
            print(f"{family}: exit {code}, {seconds:.0f} s, peak {peak:.0f} MiB of {asked.memory_mib}")
            is_beyond |= code != 0 or peak > asked.memory_mib
    return int(is_beyond)


if __name__ == "__main__":
    raise SystemExit(main())

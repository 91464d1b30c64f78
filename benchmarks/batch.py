"""What batch scoring costs: `engine predict` against a plain script of the same graph, as whole processes.

The table is the census over and over. Printed are medians of CPU and wall seconds, the share of `engine
predict` that the plain script takes, and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
from serving import HERE, PYTHON, SERVERS, make_bundle

BOUNDS = {"share of the plain script": 0.8, "peak MB": 800}


def make_table(path: Path, *, n_rows: int) -> None:
    """Write the census as often as it takes."""
    recipe = HERE.parent / "recipes" / "data" / "adult.csv"
    rows = pl.read_csv(recipe, null_values=["?"]).drop("income-per-year")
    floats = [name for name in ("fnlwgt", "capital-gain", "capital-loss") if name in rows.columns]
    rows = rows.with_columns(pl.col(floats).cast(pl.Float64))
    copies = -(-n_rows // rows.height)
    pl.concat([rows.lazy()] * copies).head(n_rows).sink_parquet(path, row_group_size=250_000)


def measure(command: list[str]) -> tuple[float, float, float]:
    """Run one process; return its CPU and wall seconds, and the peak of its memory in MB."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"this ended with {process.returncode}: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    """Make the table, run both in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", type=Path, help="a run of the census recipe that is there already")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        bundle = options.run.resolve() / "bundle" if options.run else make_bundle(folder / "runs")
        make_table(folder / "rows.parquet", n_rows=options.rows)
        ours = [
            PYTHON,
            "-m",
            "engine",
            "predict",
            str(bundle.parent),
            str(folder / "rows.parquet"),
            "--quiet",
        ]
        commands = {
            "plain script": [
                PYTHON,
                str(SERVERS / "plain_batch.py"),
                str(bundle),
                str(folder / "rows.parquet"),
            ],
            "engine predict": [*ours, "-o"],
        }
        seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                seen[name].append(measure([*command, str(folder / "out.parquet")]))
    print(f"{options.rows} rows{'CPU s':>22}{'wall s':>10}{'peak MB':>10}")
    medians = {
        name: [statistics.median(each) for each in zip(*runs, strict=True)] for name, runs in seen.items()
    }
    for name, (cpu, wall, peak) in medians.items():
        print(f"{name:24}{cpu:>10.1f}{wall:>10.1f}{peak:>10.0f}")
    plain, engine = medians.values()
    shares = {"cpu": plain[0] / engine[0], "wall": plain[1] / engine[1]}
    print(json.dumps({name: round(share, 2) for name, share in shares.items()}), file=sys.stdout)


if __name__ == "__main__":
    main()

"""What checking a table costs: ours, a hand-written polars aggregate, pandera, Great Expectations.

10 million rows of 12 mixed columns as Parquet and as CSV. Each variant is a process of its own, run in turn;
its processor time beyond that of checking 1000 rows, which is mostly the time to start, and its peak memory
are the system's. Medians over the turns. Bounds: ours at most 1.15
times the time and 1.3 times the memory of the hand-written aggregate, at most 0.35 times the memory of
pandera, and Great Expectations at least 5 times our time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

WORK = ("private", "public", "self", "none")
RECIPE = """\
defaults: [base, task: classification, model: logistic, _self_]
name: checked
data: {path: table.csv}
schema:
  target: y
  columns:
    id: {type: integer, role: id, min: 0}
    age: {type: integer, min: 17, max: 90}
    hours: {type: integer, min: 1, max: 99}
    fare: {type: number, min: 0, nullable: true}
    rate: {type: number, min: -10, max: 10}
    score: {type: number, min: 0, max: 1}
    work: {type: category, values: [private, public, self, none]}
    sex: {type: category, values: [Female, Male]}
    city: {type: category, pattern: "city[0-9]{3}"}
    when: {type: datetime}
    member: {type: boolean}
    y: {type: category, values: ["no", "yes"]}
"""
VARIANTS = ("hand-written", "engine", "pandera", "great expectations")
LOWS = {"id": 0, "age": 17, "hours": 1, "fare": 0, "rate": -10, "score": 0}
HIGHS = {"age": 90, "hours": 99, "rate": 10, "score": 1}
SETS = {"work": WORK, "sex": ("Female", "Male"), "y": ("no", "yes")}
PATTERN = "^(?:city[0-9]{3})$"


def make(folder: Path, n_rows: int) -> None:
    """Write the table twice, a million rows at a time."""
    import numpy as np
    import polars as pl
    import pyarrow.parquet as pq

    random = np.random.default_rng(0)
    writer = None
    with (folder / "table.csv").open("wb") as text:
        for first in range(0, n_rows, 1_000_000):
            n = min(1_000_000, n_rows - first)
            seconds = random.integers(0, 10**8, n) * 1_000_000 + 1_577_836_800_000_000
            fare = pl.Series(np.round(random.gamma(2, 20, n), 2))
            frame = pl.DataFrame(
                {
                    "id": np.arange(first, first + n),
                    "age": random.integers(17, 91, n),
                    "hours": random.integers(1, 100, n),
                    "fare": fare.set(pl.Series(random.random(n) < 0.02), None),
                    "rate": np.round(random.normal(size=n), 4).clip(-10, 10),
                    "score": random.random(n),
                    "work": np.array(WORK)[random.integers(0, 4, n)],
                    "sex": np.array(["Female", "Male"])[random.integers(0, 2, n)],
                    "city": np.array([f"city{at:03d}" for at in range(200)])[random.integers(0, 200, n)],
                    "when": pl.Series(seconds).cast(pl.Datetime("us")),
                    "member": random.random(n) < 0.3,
                    "y": np.array(["no", "yes"])[(random.random(n) < 0.3).astype(int)],
                }
            )
            frame.write_csv(text, include_header=first == 0)
            arrow = frame.to_arrow()
            writer = writer or pq.ParquetWriter(folder / "table.parquet", arrow.schema)
            writer.write_table(arrow)
    assert writer is not None
    writer.close()
    (folder / "recipe.yaml").write_text(RECIPE)


def hand_written(path: Path) -> None:
    import polars as pl

    if path.suffix == ".csv":
        texts = ("work", "sex", "city", "when", "y")
        whole = ("id", "age", "hours")
        types: dict[str, pl.DataType] = {
            name: pl.String() if name in texts else pl.Int64() if name in whole else pl.Float64()
            for name in ("id", "age", "hours", "fare", "rate", "score", "work", "sex", "city", "when")
        }
        scan = pl.scan_csv(path, schema={**types, "member": pl.Boolean(), "y": pl.String()})
        scan = scan.with_columns(pl.col("when").str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us"))
    else:
        scan = pl.scan_parquet(path)
    column = pl.col
    tests = [
        column(name).is_null().sum().alias(f"null {name}") for name in scan.collect_schema() if name != "fare"
    ]
    tests += [(column(name) < low).sum().alias(f"low {name}") for name, low in LOWS.items()]
    tests += [(column(name) > high).sum().alias(f"high {name}") for name, high in HIGHS.items()]
    tests += [column(name).is_infinite().sum().alias(f"inf {name}") for name in ("fare", "rate", "score")]
    tests += [(~column(name).is_in(list(known))).sum().alias(f"set {name}") for name, known in SETS.items()]
    tests += [(~column("city").str.contains(PATTERN)).sum().alias("pattern")]
    counts = scan.select(tests).collect(engine="streaming").row(0)
    assert not any(counts), counts


def engine_checks(path: Path) -> None:
    import engine
    from engine.data.schema import declare
    from engine.data.source import validate

    spec = engine.load(path.with_name("recipe.yaml"), [f"data.path={path}"])
    validate(spec.data, declare(spec))


def pandera_checks(path: Path) -> None:
    import polars as pl

    import engine
    from engine.data.pandera_schema import to_pandera
    from engine.data.schema import declare

    spec = engine.load(path.with_name("recipe.yaml"), [f"data.path={path}"])
    frame = pl.read_csv(path, try_parse_dates=True) if path.suffix == ".csv" else pl.read_parquet(path)
    to_pandera(declare(spec)).validate(frame, lazy=True)


def great_expectations(path: Path) -> None:
    import great_expectations as gx
    import pandas as pd

    frame = pd.read_csv(path, parse_dates=["when"]) if path.suffix == ".csv" else pd.read_parquet(path)
    context = gx.get_context(mode="ephemeral")
    suite = context.suites.add(gx.ExpectationSuite(name="suite"))
    expect = gx.expectations
    for name in frame.columns:
        if name != "fare":
            suite.add_expectation(expect.ExpectColumnValuesToNotBeNull(column=name))
        low, high = LOWS.get(name), HIGHS.get(name)
        if low is not None:
            suite.add_expectation(
                expect.ExpectColumnValuesToBeBetween(column=name, min_value=low, max_value=high)
            )
        if name in SETS:
            suite.add_expectation(expect.ExpectColumnValuesToBeInSet(column=name, value_set=list(SETS[name])))
    suite.add_expectation(expect.ExpectColumnValuesToMatchRegex(column="city", regex=PATTERN))
    asset = context.data_sources.add_pandas("source").add_dataframe_asset("asset")
    batch = asset.add_batch_definition_whole_dataframe("batch").get_batch({"dataframe": frame})
    result = batch.validate(suite)
    assert result.success, result


_FEW = 1000
CHECKS = dict(zip(VARIANTS, (hand_written, engine_checks, pandera_checks, great_expectations), strict=True))


def measure(variant: str, path: Path, python: str) -> tuple[float, float] | None:
    """Return the processor time (s) and the peak memory (MiB) of one variant; None if it can't run."""
    program = [python, __file__, "--check", variant, "--path", str(path)]
    environment = {**os.environ, "GX_ANALYTICS_ENABLED": "false", "TQDM_DISABLE": "1"}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        print(f"{variant}: {(done.stderr.splitlines() or ['it failed'])[-1][:200]}", file=sys.stderr)
        return None
    found = json.loads(done.stdout.splitlines()[-1])
    return found["cpu_s"], found["peak_mib"]


def check_one(variant: str, path: Path) -> None:
    """Run one variant in this process and print what it took, from the start of the process on."""
    import resource

    CHECKS[variant](path)
    used = resource.getrusage(resource.RUSAGE_SELF)
    # Not ru_maxrss, which counts what the parent held before this program began.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0]) / 1024
    print(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "peak_mib": peak}))


def show(found: Mapping[str, list[tuple[float, float]]], suffix: str) -> None:
    """Print one format's table: seconds and MiB of each variant, and their ratios to the hand-written."""
    medians = {
        variant: (statistics.median(s for s, _ in runs), statistics.median(mib for _, mib in runs))
        for variant, runs in found.items()
        if runs
    }
    base_s, base_mib = medians["hand-written"]
    print(f"\n{suffix[1:]}\n{'':24}{'CPU s':>8}{'ratio':>8}{'peak MiB':>10}{'ratio':>8}")
    for variant, (seconds, mib) in medians.items():
        print(f"{variant:24}{seconds:8.2f}{seconds / base_s:8.2f}{mib:10.0f}{mib / base_mib:8.2f}")
    ours_s, ours_mib = medians["engine"]
    said = [
        ("time to hand-written", ours_s / base_s, 1.15),
        ("memory to hand-written", ours_mib / base_mib, 1.3),
    ]
    if "pandera" in medians:
        said.append(("memory to pandera", ours_mib / medians["pandera"][1], 0.35))
    if "great expectations" in medians:
        said.append(("time to great expectations", ours_s / medians["great expectations"][0], 0.2))
    for what, ratio, bound in said:
        print(f"  {what:28}{ratio:6.2f}  bound {bound}: {'met' if ratio <= bound else 'MISSED'}")


def main() -> None:
    """Make the table, run the variants in turn, print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--slow-turns", type=int, default=1, help="turns of pandera and Great Expectations")
    parser.add_argument("--great-expectations", default="", help="the Python of an environment that has it")
    parser.add_argument("--formats", nargs="+", default=["parquet", "csv"])
    parser.add_argument("--check", choices=VARIANTS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.check:
        check_one(options.check, options.path)
        return
    with tempfile.TemporaryDirectory(prefix="engine-bench-") as name:
        folder = Path(name)
        make(folder, options.rows)
        few = folder / "few"
        few.mkdir()
        make(few, _FEW)
        for suffix in (f".{name}" for name in options.formats):
            found: dict[str, list[tuple[float, float]]] = {variant: [] for variant in VARIANTS}
            for turn in range(options.turns):
                for variant in VARIANTS:
                    is_slow = variant in VARIANTS[2:]
                    python = options.great_expectations if variant == VARIANTS[3] else sys.executable
                    if (is_slow and turn >= options.slow_turns) or not python:
                        continue
                    start = measure(variant, few / f"table{suffix}", python)
                    whole = measure(variant, folder / f"table{suffix}", python)
                    if start is not None and whole is not None:
                        found[variant].append((whole[0] - start[0], whole[1]))
            show(found, suffix)


if __name__ == "__main__":
    main()

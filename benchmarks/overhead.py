"""What the declarative layer costs: `engine run` against the plain script, as whole processes, in turn.

The table is made here, from a seed: twelve columns, two of them categories, a noisy binary target.
Prints wall and CPU seconds (medians) and the ratios of each pair; `--rows` and `--runs` set the size.
Bounds: quick 1.15, standard 1.6, both in wall time.

With `--judgement RECIPE` it measures instead what each depth of judgement costs beside the fit, in CPU
seconds of this process: standard within 5 times the fit, full within 30; and with `--growth` how that grows
from 100,000 test rows to four times as many: by less than that.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

from engine.lifecycle import run
from engine.plan import load_checked
from engine.runs.steps import Silence

PLAIN = Path(__file__).with_name("plain_script.py")
PARAMS = Path(__file__).parent.parent / "conf" / "model" / "hist_gradient_boosting.yaml"
RECIPE = """\
defaults: [base, task: classification, model: hist_gradient_boosting, _self_]
name: overhead
data: {path: table.parquet}
schema:
  target: y
  columns:
"""


def make(folder: Path, *, n_rows: int) -> None:
    """Write the table and its recipe."""
    rng = np.random.default_rng(0)
    numbers = {f"x{i}": rng.normal(size=n_rows).round(4) for i in range(10)}
    city = rng.integers(0, 40, n_rows)
    plan = rng.integers(0, 5, n_rows)
    logit = numbers["x0"] - numbers["x1"] * numbers["x2"] + 0.1 * (city % 7) - 0.4 * (plan == 3) - 0.3
    y = rng.random(n_rows) < 1 / (1 + np.exp(-logit))
    columns = {
        **numbers,
        "city": [f"city {c}" for c in city],
        "plan": [f"plan {p}" for p in plan],
        "y": np.where(y, "yes", "no"),
    }
    pl.DataFrame(columns).write_parquet(folder / "table.parquet")
    lines = [f"    {name}: {{type: {'number' if name in numbers else 'category'}}}" for name in columns]
    (folder / "overhead.yaml").write_text(RECIPE + "\n".join(lines) + "\n")


def measure(command: list[str], folder: Path) -> tuple[float, float]:
    """Run one process and return its wall and CPU seconds, children included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


class Clock(Silence):
    """Hears a run's steps and keeps the CPU seconds of each."""

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}
        self._start = 0.0

    def started(self, step: str) -> None:
        """Start the clock of a step."""
        del step
        self._start = time.process_time()

    def finished(self, step: str, seconds: float) -> None:
        """Stop it; what the wall clock says is not used."""
        del seconds
        self.steps[step] = time.process_time() - self._start


def judge(recipe: Path, overrides: list[str], folder: Path) -> tuple[float, dict[str, float]]:
    """Run a recipe and return the CPU seconds of its fit, and of each step of its judgement."""
    clock = Clock()
    spec = load_checked(recipe, ["compute.threads=1", *overrides], runs=folder)
    run(spec, listener=clock)
    names = list(clock.steps)
    (fit,) = (name for name in names if name.startswith("fit "))
    after = names[names.index("write the graph") + 1 :]
    return clock.steps[fit], {name: clock.steps[name] for name in after}


def print_judgement(recipe: Path) -> None:
    """Print what each depth takes beside the fit of a recipe."""
    with tempfile.TemporaryDirectory() as made:
        # The first run imports all that there is to import.
        for depth in ("quick", "quick", "standard", "full"):
            fit, steps = judge(recipe, [f"evaluation={depth}"], Path(made))
            told = ", ".join(f"{name} {seconds:.2f}" for name, seconds in steps.items())
            total = sum(steps.values())
            print(f"{depth:<9} fit {fit:.2f} s CPU, beyond it {total:.2f} s, {total / fit:.2f} x ({told})")


def print_growth() -> None:
    """Print what steps that fit nothing take of 100,000 test rows and of 400,000."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make(folder, n_rows=450_000)
        for depth in ("standard", "full"):
            found = []
            for n_test in (100_000, 400_000):
                cut = [f"split.test={n_test / 450_000:.6f}", "split.validation=0.01"]
                _, steps = judge(folder / "overhead.yaml", [f"evaluation={depth}", *cut], folder)
                found.append(
                    sum(s for name, s in steps.items() if name not in ("baselines", "learning_curve"))
                )
            print(f"{depth:<9} {found[0]:.2f} s and {found[1]:.2f} s CPU, {found[1] / found[0]:.2f} x")


def main() -> None:
    """Run the variants in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--judgement", type=Path, metavar="RECIPE")
    parser.add_argument("--growth", action="store_true")
    options = parser.parse_args()
    if options.judgement:
        print_judgement(options.judgement)
    if options.growth:
        print_growth()
    if not (options.judgement or options.growth):
        compare_scripts(options)


def compare_scripts(options: argparse.Namespace) -> None:
    """Run the plain script and the engine in turn, as whole processes, and print the ratios."""
    command = [sys.executable, "-m", "engine", "run", "overhead.yaml", "--quiet"]
    variants = {
        "plain script": [sys.executable, str(PLAIN), "table.parquet", str(PARAMS)],
        "engine, quick": [*command, "evaluation=quick"],
        "engine, standard": command,
    }
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in variants}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        make(folder, n_rows=options.rows)
        for turn in range(options.runs + 1):
            for name, command in variants.items():
                taken = measure(command, folder)
                # The first turn warms the page cache and is not counted.
                if turn:
                    seconds[name].append(taken)
    print(f"{options.rows} rows, {options.runs} runs in turn, {os.cpu_count()} cores")
    print(f"{'':<18}{'wall s':>9}{'CPU s':>9}{'wall ratio':>12}{'CPU ratio':>11}")
    base = seconds["plain script"]
    for name, taken in seconds.items():
        wall, cpu = (statistics.median(pair[i] for pair in taken) for i in (0, 1))
        ratios = [statistics.median(a[i] / b[i] for a, b in zip(taken, base, strict=True)) for i in (0, 1)]
        print(f"{name:<18}{wall:9.2f}{cpu:9.2f}{ratios[0]:12.3f}{ratios[1]:11.3f}")


if __name__ == "__main__":
    main()

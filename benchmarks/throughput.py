"""Measures what `engine plan` estimates with, and writes `engine/estimate/costs.json`.

Runs every family on the shipped recipes, whole and on an eighth of their rows, and on a made table. Each run
is a process of its own on one thread, whose CPU seconds say what the work costs also where the machine is
busy with something else; a pair of runs on one and two threads then says what threads share, and is only
believed where nobody else was at work. `--jobs` runs so many processes side by side.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
from overhead import make
from scipy.optimize import nnls

import engine
from engine.data.schema import declare
from engine.estimate.costs import ALONE, COSTS, shipped
from engine.estimate.drivers import Drivers, drivers, memory
from engine.estimate.growth import MEASURED, Typical, learning_rate
from engine.estimate.workload import Assumed, Size, Workload, workload
from engine.runs.facts import engine_version, hardware

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes"
MEASURED_RUN = Path(__file__).with_name("measured_run.py")
SHARE = 8
MADE_ROWS = 120_000
# What others may take of the machine while threads are compared, and how often a pair is tried.
QUIET, TRIES = 0.15, 3
# Below this many seconds a step's error counts absolutely, not relatively.
SMALL_S = 0.03
# Rounds against rows, between these powers: the few tables at hand are too easy to tell. More rows allow more
# rounds of boosting before they fit noise; an epoch of more rows takes more steps, and fewer are needed.
POWERS = {**dict.fromkeys(("lightgbm", "xgboost", "hist_gradient_boosting"), (0.3, 0.5)), "mlp": (-0.5, 0.0)}
CLASSIFIERS = tuple(family for family in MEASURED if family != "ridge")
REGRESSORS = tuple(family for family in MEASURED if family != "logistic")
BOOSTED = ("lightgbm", "xgboost", "hist_gradient_boosting")


@dataclass(frozen=True)
class Case:
    """One run to measure."""

    recipe: Path
    data: Path
    overrides: tuple[str, ...]
    warm: bool = False

    @property
    def all_overrides(self) -> list[str]:
        """The command line's overrides, the data's place with them."""
        return [f"data.path={self.data}", *self.overrides]


@dataclass(frozen=True)
class Outcome:
    """A case with its sizes and what was measured."""

    work: Workload
    found: Mapping[str, object]
    warm: bool
    n_train: float
    rate: float

    def seconds(self, step: str) -> float:
        """Return a step's seconds on a machine of its own: a busy one makes wall time longer, not CPU."""
        steps = {taken["name"]: taken for taken in self.found["steps"]}  # type: ignore[attr-defined]
        if step == "start":
            walls, cpus = (sum(taken[kind] for taken in steps.values()) for kind in ("wall", "cpu"))
            return max(min(float(self.found["wall"]) - walls, float(self.found["cpu"]) - cpus), 0.0)  # type: ignore[arg-type]
        return float(min(steps[step]["wall"], steps[step]["cpu"]))

    def peak(self, step: str) -> float:
        """Return a step's peak of memory in MiB."""
        return next(taken["peak_mib"] for taken in self.found["steps"] if taken["name"] == step)  # type: ignore[attr-defined, no-any-return]


def cases(folder: Path) -> list[Case]:
    """Return what is run on one thread, the longest first."""
    adult, diamonds, penguins = (
        RECIPES / "data" / name for name in ("adult.csv", "diamonds.parquet", "penguins.csv")
    )
    part_adult, part_diamonds = folder / "adult.csv", folder / "diamonds.parquet"
    lines = adult.read_bytes().splitlines(keepends=True)
    part_adult.write_bytes(b"".join([lines[0], *lines[1::SHARE]]))
    pl.read_parquet(diamonds).gather_every(SHARE).write_parquet(part_diamonds)
    make(folder, n_rows=MADE_ROWS)
    made = (folder / "overhead.yaml", folder / "table.parquet")
    found = [Case(*made, (f"model={family}",)) for family in (*BOOSTED, "logistic")]
    for family in CLASSIFIERS:
        model = f"model={family}"
        found.append(Case(RECIPES / "adult.yaml", adult, (model,)))
        found.append(Case(RECIPES / "adult.yaml", part_adult, (model,)))
        found.append(
            Case(RECIPES / "adult.yaml", part_adult, (model, "evaluation=quick", "compute.max_iterations=10"))
        )
        found.append(Case(RECIPES / "penguins.yaml", penguins, (model,)))
        found.append(Case(RECIPES / "penguins.yaml", penguins, (model,), warm=True))
    for family in REGRESSORS:
        found.append(Case(RECIPES / "diamonds.yaml", diamonds, (f"model={family}",)))
        found.append(Case(RECIPES / "diamonds.yaml", part_diamonds, (f"model={family}",)))
    found.append(Case(RECIPES / "diamonds.yaml", part_diamonds, ("model=ridge",), warm=True))
    return found


def pairs() -> dict[str, Case]:
    """Return for each family the run whose threads are compared."""
    found = {
        family: Case(RECIPES / "adult.yaml", RECIPES / "data" / "adult.csv", (f"model={family}",))
        for family in CLASSIFIERS
    }
    return found | {
        "ridge": Case(RECIPES / "diamonds.yaml", RECIPES / "data" / "diamonds.parquet", ("model=ridge",))
    }


def measure(case: Case, *, threads: int) -> dict[str, object]:
    """Run a case in a process of its own."""
    command = [sys.executable, str(MEASURED_RUN), "warm" if case.warm else "cold", str(case.recipe)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [*command, *case.all_overrides, f"compute.threads={threads}"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{case} ended with {done.returncode}:\n{done.stderr}")
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def sized(case: Case, found: Mapping[str, object]) -> Outcome:
    """Return a measured case with the sizes that it turned out to have."""
    spec = engine.load(case.recipe, [*case.all_overrides, "compute.threads=1"])
    size = Size(
        n_rows=int(found["n_rows"]),  # type: ignore[call-overload]
        n_bytes=case.data.stat().st_size,
        is_text=case.data.suffix == ".csv",
        n_classes=int(found["n_classes"]),  # type: ignore[call-overload]
        levels=found["levels"],  # type: ignore[arg-type]
    )
    rate = learning_rate(spec.model)
    kept = float(found["n_iterations"] or 1)  # type: ignore[arg-type]
    exactly = dict.fromkeys(MEASURED, Typical(kept * rate, kept * rate, 0.0))
    work = workload(spec, declare(spec), size, assumed=Assumed(2, 10, exactly), cores=1)
    return Outcome(work, found, case.warm, work.rows.train, rate)


def learn_rounds(outcomes: Iterable[Outcome]) -> dict[str, dict[str, float]]:
    """Fit the rounds that each family keeps until its validation rows stop it, on logarithms."""
    learnt = {}
    for family, (least, most) in POWERS.items():
        points = [
            (one.work.n_classes == 0, math.log(one.n_train), math.log(one.work.growth.kept * one.rate))
            for one in outcomes
            if one.work.family == family and one.work.growth and one.work.growth.limit and not one.warm
            if one.work.growth.kept < one.work.growth.limit
        ]
        is_number, x, y = (np.array(column) for column in zip(*points, strict=True))
        power = float(np.clip(np.polyfit(x, y, 1)[0], least, most))
        scales = [math.exp(float(np.mean((y - power * x)[kind]))) for kind in (~is_number, is_number)]
        learnt[family] = {"classes": scales[0], "numbers": scales[1], "power": power}
    return learnt


def fit_law(rows: list[tuple[Drivers, float]], *, small: float) -> dict[str, float]:
    """Fit non-negative costs of the units, in relative error."""
    units = list(dict.fromkeys(unit for counted, _ in rows for unit in counted))
    counts = np.array([[counted.get(unit, 0.0) for unit in units] for counted, _ in rows])
    measured = np.array([value for _, value in rows])
    weights = 1 / np.maximum(measured, small)
    scale = np.maximum(np.abs(counts * weights[:, None]).max(axis=0), 1e-300)
    costs, _ = nnls(counts * weights[:, None] / scale, measured * weights)
    return {unit: cost for unit, cost in zip(units, costs / scale, strict=True) if cost > 0}


def learn_laws(
    outcomes: Iterable[Outcome],
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
    """Fit the laws of seconds and of peak memory."""
    seconds: dict[str, list[tuple[Drivers, float]]] = {}
    peaks: dict[str, list[tuple[Drivers, float]]] = {}
    for one in outcomes:
        for step, (law, counted) in drivers(one.work).items():
            if one.warm and not law.startswith("fit "):
                continue
            here = {unit: n for unit, n in counted.items() if unit != "start"} if one.warm else counted
            seconds.setdefault(law, []).append((here, one.seconds(step)))
        for step, (law, counted) in memory(one.work).items():
            if not one.warm:
                peaks.setdefault(law, []).append((counted, one.peak(step)))
    return (
        {law: fit_law(rows, small=SMALL_S) for law, rows in sorted(seconds.items())},
        {law: fit_law(rows, small=1.0) for law, rows in sorted(peaks.items())},
    )


def share_of_threads(family: str, case: Case, laws: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return by law the share of a family's work that threads divide, or what is known where others work."""
    for _ in range(TRIES):
        one, two = (measure(case, threads=threads) for threads in (1, 2))
        taken = max(float(one["others"]), float(two["others"]))  # type: ignore[arg-type]
        if taken < QUIET:
            break
        print(f"  {family}: others took {taken:.0%} of a core")
    else:
        print(f"  {family}: not quiet, the shares of before are kept")
        return (
            {law: share for law, share in shipped().parallel.items() if law.endswith(f" {family}")}
            if COSTS.exists()
            else {}
        )
    work = sized(case, one).work
    walls = [{step["name"]: step["wall"] for step in found["steps"]} for found in (one, two)]  # type: ignore[attr-defined]
    shares = {}
    for step, (law, counted) in drivers(work).items():
        if not law.endswith(f" {family}"):
            continue
        alone = sum(laws[law].get(unit, 0.0) * counted.get(unit, 0.0) for unit in ALONE)
        divided = walls[0][step] - alone
        if divided > SMALL_S:
            shares[law] = float(np.clip(2 * (walls[0][step] - walls[1][step]) / divided, -10.0, 0.95))
    return shares


def rounded(value: object) -> object:
    """Keep four digits of each number."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def main() -> None:
    """Measure, fit, print how well the laws meet their own runs, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=min(len(os.sched_getaffinity(0)), 2))
    parser.add_argument("--keep", type=Path, help="write what was measured here, or read it from there")
    options = parser.parse_args()
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as made:
        todo = cases(Path(made))
        if options.keep and options.keep.exists():
            measured = json.loads(options.keep.read_text())
        else:
            with ThreadPoolExecutor(options.jobs) as pool:
                measured = list(pool.map(lambda case: measure(case, threads=1), todo))
            if options.keep:
                options.keep.write_text(json.dumps(measured))
        outcomes = [sized(case, found) for case, found in zip(todo, measured, strict=True)]
        print(f"{len(outcomes)} runs on one thread, {time.perf_counter() - start:.0f} s")
        seconds, peaks = learn_laws(outcomes)
        parallel: dict[str, float] = {}
        for family, case in pairs().items():
            parallel |= share_of_threads(family, case, seconds)
    levels = [n for one in outcomes for n in one.work.size.levels.values() if n > 1]
    written = {
        "measured_on": {
            "date": f"{datetime.now(UTC):%Y-%m-%d}",
            "processor": hardware()["processor"],
            "cores": hardware()["cores"],
            "engine_version": engine_version(),
        },
        "n_classes": 2,
        "levels": round(math.exp(np.mean(np.log(levels)))),
        "rounds": learn_rounds(outcomes),
        "seconds": seconds,
        "parallel": parallel,
        "peak_mib": peaks,
    }
    COSTS.write_text(json.dumps(rounded(written), indent=1) + "\n")
    shipped.cache_clear()
    report(outcomes)
    print(f"{time.perf_counter() - start:.0f} s in all")


def report(outcomes: Iterable[Outcome]) -> None:
    """Print each measured run beside what its law says of it."""
    costs = shipped()
    print(f"{'family':<24}{'rows':>8}{'seconds':>10}{'law':>8}{'ratio':>7}{'MiB':>8}{'law':>8}{'ratio':>7}")
    for one in outcomes:
        if one.warm:
            continue
        steps = drivers(replace(one.work, threads=1))
        taken = sum(one.seconds(step) for step in steps)
        said = sum(costs.seconds_of(*law, threads=1) or 0.0 for law in steps.values())
        peak = max(one.peak(step) for step in one.work.steps())
        held = max(costs.peak_mib_of(*law) or 0.0 for law in memory(one.work).values())
        print(
            f"{one.work.family:<24}{one.work.size.n_rows:>8}{taken:>10.2f}{said:>8.2f}{said / taken:>7.2f}"
            f"{peak:>8.0f}{held:>8.0f}{held / peak:>7.2f}"
        )


if __name__ == "__main__":
    main()

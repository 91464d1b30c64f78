"""What a trial costs beyond its fit: ours in process and on Ray, a bare loop, Optuna alone, plain Ray Tune.

A fit is 6 ms of processor time, as that of a small model. Each variant is a process of its own, run in turn;
the processor time of all its processes, Ray's too, is read when some trials are done and again when more are,
so that what starting costs is told apart. Medians over the turns. Bounds, in ms a trial beyond the fit:
in process 2, on Ray 15.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.cli.search_table import SearchTable

FIT_S = 0.006
SLOTS = 2
# From which trial to which the slope is taken; a plain trial of Ray Tune takes half a second.
MARKS = {"plain Ray Tune": (4, 16)}
USUAL = (50, 250)
BOUNDS = {"engine, in process": 2.0, "engine, in process, shown": 2.0, "engine, on Ray": 15.0}
RECIPE = """\
defaults: [base, task: classification, model: logistic, tune: random, compute: small, _self_]
name: tuning
data: {path: table.csv}
schema:
  target: y
  columns: {a: {type: number}, y: {type: category, values: ["no", "yes"]}}
tune: {repeats: 0, max_concurrent_trials: 4}
"""
_TICK = os.sysconf("SC_CLK_TCK")


def fit() -> float:
    """Use the processor as a fit would; return for how long."""
    start = time.thread_time()
    while (spent := time.thread_time() - start) < FIT_S:
        sum(range(200))
    return spent


@dataclass
class Told:
    """Tells the measuring process of the first trial and of both marks, and waits until it has looked."""

    marks: tuple[int, int]
    n_done: int = 0
    fits_s: float = 0.0

    def __call__(self, fit_s: float) -> None:
        """Hear that a trial is done."""
        self.n_done += 1
        self.fits_s += fit_s
        if self.n_done in (1, *self.marks):
            # Past what a table on the terminal makes of printing.
            print(json.dumps({"done": self.n_done, "fits_s": self.fits_s}), file=sys.__stdout__, flush=True)
            sys.stdin.readline()


def bare_loop(n: int, told: Told) -> None:
    for _ in range(n):
        told(fit())


def optuna_alone(n: int, told: Told, sampler: str) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        c = trial.suggest_float("C", 1e-3, 1e3, log=True)
        told(fit())
        return -abs(c - 1)

    study = optuna.create_study(direction="maximize", sampler=getattr(optuna.samplers, sampler)(seed=0))
    study.optimize(objective, n_trials=n)


def engine_tuning(n: int, told: Told, executor: str, kind: str, *, shown: bool = False) -> None:
    import polars as pl

    from engine.data.schema import declare
    from engine.data.source import read
    from engine.names import TASKS
    from engine.plan import load_checked
    from engine.training.parts import divide
    from engine.tuning.candidates import candidates
    from engine.tuning.journal import Journal
    from engine.tuning.local import run_here
    from engine.tuning.objective import Objective
    from engine.tuning.ray_tune import run_on_ray
    from engine.tuning.search import Search
    from engine.tuning.strategy import strategy
    from engine.tuning.trial import Outcome, Trial
    from engine.tuning.tune import lessons

    @dataclass
    class Timed(Objective):
        def evaluate(self, trial: Trial) -> Outcome:
            spent = fit()
            score = -abs(float(str(trial.params.get("C", 1.0))) - 1)
            return Outcome(trial.index, "done", score, measured={"fit_s": spent})

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        rows = {"a": [float(i % 7) for i in range(200)], "y": ["yes" if i % 3 else "no" for i in range(200)]}
        pl.DataFrame(rows).write_csv(folder / "table.csv")
        (folder / "tuning.yaml").write_text(RECIPE)
        spec = load_checked(folder / "tuning.yaml", [f"tune={kind}", f"tune.trials={n}"], runs=folder)
        parts = divide(read(spec.data, declare(spec)), task=TASKS.load(spec.task.kind), spec=spec)  # type: ignore[arg-type]
        found = candidates(spec)
        chosen = strategy(spec, found, maximize=True)
        search = Search(
            chosen, Journal(folder / "journal"), candidates=found, tune=spec.tune, seed=0, maximize=True
        )
        timed = Timed(spec, declare(spec), parts.target, lessons(parts, spec), found, threads=1)

        table = drawn_nowhere() if shown else None

        def heard(outcome: Outcome, *_: object) -> None:
            if table is not None:
                table.tried(search.journal.trials[outcome.index], outcome, is_best=outcome is search.best())
            told(outcome.measured["fit_s"] or 0.0)

        if executor == "ray":
            run_on_ray(search, timed, heard=heard, max_seconds=None, slots=SLOTS, address=None)
        else:
            run_here(search, timed, heard=heard, max_seconds=None)
        if table is not None:
            table.stop()


def drawn_nowhere() -> SearchTable:
    """Start the table of a search as on a terminal, on one that nobody sees."""
    from rich.console import Console
    from rich.progress import Progress

    from engine.cli.search_table import SearchTable

    console = Console(file=open(os.devnull, "w"), force_terminal=True, width=120, legacy_windows=False)  # noqa: SIM115 (for as long as this process)
    bar = Progress(console=console)
    bar.add_task("tune", total=None)
    table = SearchTable(bar, console)
    table.start()
    return table


def plain_ray_tune(n: int, told: Told) -> None:
    import ray
    from ray import tune

    class Telling(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list, trial: object, **_: object) -> None:
            told(trial.last_result["fit_s"])

    def objective(config: dict) -> None:
        tune.report({"score": -abs(config["C"] - 1), "fit_s": fit()})

    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        ray.init(num_cpus=SLOTS, include_dashboard=False, log_to_driver=False, _temp_dir=folder)
        tuner = tune.Tuner(
            objective,
            param_space={"C": tune.loguniform(1e-3, 1e3)},
            tune_config=tune.TuneConfig(num_samples=n, metric="score", mode="max"),
            run_config=tune.RunConfig(callbacks=[Telling()], verbose=0, storage_path=f"{folder}/results"),
        )
        tuner.fit()
        ray.shutdown()


VARIANTS: dict[str, Callable[[int, Told], None]] = {
    "bare loop": bare_loop,
    "Optuna alone": lambda n, told: optuna_alone(n, told, "RandomSampler"),
    "Optuna alone, TPE": lambda n, told: optuna_alone(n, told, "TPESampler"),
    "engine, in process": lambda n, told: engine_tuning(n, told, "local", "random"),
    "engine, in process, shown": lambda n, told: engine_tuning(n, told, "local", "random", shown=True),
    "engine, in process, bayes": lambda n, told: engine_tuning(n, told, "local", "bayes"),
    "engine, on Ray": lambda n, told: engine_tuning(n, told, "ray", "random"),
    "plain Ray Tune": plain_ray_tune,
}


@dataclass
class Processor:
    """The processor seconds of a process and all below it, those that have ended too."""

    root: int
    is_over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    spent: dict[tuple[int, str], float] = field(default_factory=dict)

    def look(self) -> float:
        """Read every process's time, and return the sum of all that was ever seen."""
        with self.lock:
            below: dict[int, list[int]] = {}
            stats: dict[int, list[str]] = {}
            for name in filter(str.isdigit, os.listdir("/proc")):
                with contextlib.suppress(OSError):
                    stats[int(name)] = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
                    below.setdefault(int(stats[int(name)][1]), []).append(int(name))
            ahead = [self.root]
            while ahead:
                pid = ahead.pop()
                ahead += below.get(pid, [])
                if pid in stats:
                    one = stats[pid]
                    self.spent[pid, one[19]] = (int(one[11]) + int(one[12])) / _TICK
            return sum(self.spent.values())

    def keep_looking(self) -> None:
        """Look often enough that little of a process that ends is missed."""
        while not self.is_over.wait(0.1):
            self.look()


def measure(name: str) -> dict[str, float]:
    """Run one variant; return its times a trial in ms, and those of its start in seconds."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, __file__, "--variant", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    processor = Processor(process.pid)
    looking = threading.Thread(target=processor.keep_looking)
    looking.start()
    seen = []
    for line in process.stdout:
        if line.startswith("{"):
            said = json.loads(line)
            wall, cpu = time.perf_counter() - start, processor.look()
            seen.append((said["done"], wall, cpu, said["fits_s"]))
            process.stdin.write("\n")
            process.stdin.flush()
    processor.is_over.set()
    looking.join()
    if process.wait() or len(seen) != 3:
        assert process.stderr is not None
        sys.exit(f"{name} ended with {process.returncode}:\n{process.stderr.read()}")
    first, low, high = seen
    n = high[0] - low[0]
    beyond = (high[2] - low[2] - (high[3] - low[3])) / n
    return {
        "beyond_ms": 1000 * beyond,
        "cpu_ms": 1000 * (high[2] - low[2]) / n,
        "wall_ms": 1000 * (high[1] - low[1]) / n,
        "start_wall_s": first[1],
        "start_cpu_s": first[2],
    }


def main() -> None:
    """Run the variants in turn and print what a trial costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--variant", choices=VARIANTS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.variant:
        marks = MARKS.get(options.variant, USUAL)
        VARIANTS[options.variant](marks[1] + 6, Told(marks))
        return
    turns = [{name: measure(name) for name in VARIANTS} for _ in range(options.turns)]
    print(
        f"fits of {1000 * FIT_S:g} ms, {SLOTS} at once on Ray; {options.turns} turns, {os.cpu_count()} cores"
    )
    print(f"{'':<27}{'CPU ms beyond':>14}{'CPU ratio':>11}{'wall ms':>9}{'start s':>9}{'its CPU':>9}  bound")
    for name in VARIANTS:
        found = {key: statistics.median(turn[name][key] for turn in turns) for key in turns[0][name]}
        ratio = statistics.median(turn[name]["cpu_ms"] / turn["bare loop"]["cpu_ms"] for turn in turns)
        bound = BOUNDS.get(name)
        verdict = "" if bound is None else f"{bound:g}: {'met' if found['beyond_ms'] <= bound else 'missed'}"
        print(
            f"{name:<27}{found['beyond_ms']:14.2f}{ratio:11.2f}{found['wall_ms']:9.1f}"
            f"{found['start_wall_s']:9.1f}{found['start_cpu_s']:9.1f}  {verdict}"
        )


if __name__ == "__main__":
    main()

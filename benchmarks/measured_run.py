"""One run, measured: wall and CPU seconds and the peak of memory of each step, printed as JSON.

`throughput.py` calls it in a process of its own, `measured_run.py WARM RECIPE [OVERRIDE …]`; WARM is `cold`,
or `warm` to run once before, so that every library is loaded.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

STARTED = time.perf_counter()

import engine  # noqa: E402 (the clock comes first)
from engine.lifecycle import run  # noqa: E402


def own_cpu() -> float:
    """Return the CPU seconds of this process and its children."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def busy_cpu() -> float:
    """Return the CPU seconds that all processes of the machine have used."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = ticks[3] + ticks[4]
    return (sum(ticks) - idle) / 100


def peak_mib() -> float:
    """Return the high-water mark of resident memory since a step began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


class Meter:
    """A listener that measures each step."""

    def __init__(self) -> None:
        self.steps: list[dict[str, object]] = []
        self._start = (0.0, 0.0)

    def started(self, step: str) -> None:
        """Start the clocks."""
        self._start = (time.perf_counter(), own_cpu())

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Hear nothing."""

    def tried(self, trial: object, outcome: object, *, is_best: bool) -> None:
        """Hear nothing."""

    def finished(self, step: str, seconds: float) -> None:
        """Keep what the step took."""
        wall, cpu = time.perf_counter() - self._start[0], own_cpu() - self._start[1]
        self.steps.append({"name": step, "wall": wall, "cpu": cpu, "peak_mib": peak_mib()})

    def noted(self, words: str) -> None:
        """Hear nothing."""


def main() -> None:
    """Run and print."""
    warm, recipe, *overrides = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        if warm == "warm":
            run(engine.load(recipe, [*overrides, f"runs={folder}"]))
        meter, before = Meter(), (busy_cpu(), own_cpu(), time.perf_counter())
        done = run(engine.load(recipe, [*overrides, f"runs={folder}"]), listener=meter)
        others = busy_cpu() - before[0] - (own_cpu() - before[1])
        seconds = time.perf_counter() - before[2]
        data, facts = done.read("data.json"), done.facts
    found = {
        "steps": meter.steps,
        "wall": time.perf_counter() - STARTED,
        "cpu": own_cpu(),
        "others": others / seconds,
        "n_rows": data["n_rows"],
        "n_classes": len(facts["target"]["classes"]),  # type: ignore[index]
        "n_iterations": facts["model"]["n_iterations"],  # type: ignore[index]
        "n_features": facts["model"]["n_features"],  # type: ignore[index]
        "levels": {
            column["name"]: column["distinct"]
            for column in data["columns"]  # type: ignore[attr-defined]
            if column["type"] == "category" and column["role"] == "feature"
        },
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

"""The CPU time of a command, made comparable between machines that are busy or slow."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

# What the same piece of work took where the bounds were set, with nothing else at work on the machine.
WORK = "import hydra._internal.hydra, omegaconf, polars"
WORK_S = 0.35
TRIES = 3


class Speed:
    """Measures commands, with compiled modules kept in a folder, as on every machine but the one of a test."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._cpu_seconds("-c", WORK)

    def least_cpu_seconds(
        self, *arguments: str, bound: float
    ) -> tuple[float, subprocess.CompletedProcess[str]]:
        """Return the CPU seconds of Python with some arguments: the least of some tries, and what it said.

        CPU time is longer on a busy or a slow machine: beyond `bound` it is measured against a known work.
        """
        least = float("inf")
        for _ in range(TRIES):
            seconds, done = self._cpu_seconds(*arguments)
            if seconds >= bound:
                seconds /= max(self._cpu_seconds("-c", WORK)[0] / WORK_S, 1.0)
            least = min(least, seconds)
            if least < bound:
                break
        return least, done

    def _cpu_seconds(self, *arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(self._cache), "PYTHONDONTWRITEBYTECODE": ""}
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done

"""What of this machine a run may use."""

from __future__ import annotations

import os

from engine.recipe.spec import ComputeSpec


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def memory_mib() -> int:
    """Return how much memory this machine has, in MiB."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20


def n_threads(compute: ComputeSpec) -> int:
    """Return how many threads a run uses: as declared, else as many cores as it may run on."""
    return compute.threads or usable_cores()

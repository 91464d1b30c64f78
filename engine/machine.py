"""What of this machine a run may use."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.recipe.spec import ComputeSpec


# Where the kernel says what a control group may hold (versions 2 and 1); "max" where it may hold all.
_SHARES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def _content(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def memory_mib() -> int:
    """Return how much memory this process may use, in MiB: the machine's, or its container's share."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    shares = [int(text) for path in _SHARES if (text := _content(path)).isdigit()]
    return min(machine, *shares, machine) // 2**20


def has_cuda() -> bool:
    """Tell whether a CUDA device can be seen, without a library of CUDA's.

    A driver shows itself in /proc and /dev, in WSL as /dev/dxg; `CUDA_VISIBLE_DEVICES` may hide all devices.
    """
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1")
    shown = ("/proc/driver/nvidia/version", "/dev/nvidia0", "/dev/dxg")
    return not hidden and any(map(os.path.exists, shown))


def n_threads(compute: ComputeSpec) -> int:
    """Return how many threads a run uses: as declared, else as many cores as it may run on."""
    return compute.threads or usable_cores()


@contextmanager
def fixed_threads(n: int) -> Iterator[None]:
    """Have libraries of arithmetic use so many threads: those that are loaded, and those loaded meanwhile.

    Sums of another number of threads may differ in their last bits.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = str(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before

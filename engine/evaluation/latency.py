"""How long one answer takes: the only clock in this room, and nothing but a gate depends on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_N_WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Latency:
    """Median and 95th percentile of the time of one call, in milliseconds."""

    p50_ms: float
    p95_ms: float

    def measured(self) -> dict[str, float]:
        """Return the latencies under the names that gates know."""
        return {"latency_p50_ms": self.p50_ms, "latency_p95_ms": self.p95_ms}


def latency(scorer_call: Callable[[], object], *, n: int) -> Latency:
    """Time a call, one after the other, after ten that are not counted.

    Parameters
    ----------
    scorer_call
        Scores one row; its answer is dropped.
    n
        Calls that are timed, at least 1.
    """
    for _ in range(_N_WARM_UP):
        scorer_call()
    elapsed_ms = np.empty(n)
    for index in range(n):
        start = time.perf_counter_ns()
        scorer_call()
        elapsed_ms[index] = (time.perf_counter_ns() - start) / 1e6
    p50, p95 = np.quantile(elapsed_ms, (0.5, 0.95))
    return Latency(p50_ms=float(p50), p95_ms=float(p95))

from __future__ import annotations

import time

from engine.evaluation.latency import Latency, latency


def test_every_call_is_made_and_the_slow_ones_show() -> None:
    """After ten calls to warm up, n are timed: one in ten sleeping shows in the tail and not in the median."""
    calls: list[int] = []

    def call() -> None:
        calls.append(len(calls))
        if len(calls) % 10 == 0:
            time.sleep(0.02)

    found = latency(call, n=50)
    assert len(calls) == 60
    assert found.p50_ms < 10
    assert found.p95_ms >= 20


def test_latencies_have_the_names_that_gates_know() -> None:
    """What is measured is held against gates by these names."""
    assert Latency(p50_ms=1.0, p95_ms=2.0).measured() == {"latency_p50_ms": 1.0, "latency_p95_ms": 2.0}

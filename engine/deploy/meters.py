"""What the service counts for Prometheus; one set a process, so that a swap of bundles goes on counting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from engine.errors import Message

if TYPE_CHECKING:
    from prometheus_client import Counter

# Seconds; a small model answers within the first three.
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_COLUMN = re.compile(r"(?:records\[\d+\]|columns)\.(.*?)(?:\[\d+\])?", re.DOTALL)


class Meters:
    """The counters, each with its labels bound once."""

    def __init__(self) -> None:
        # Imported late: it looks for the folder of several processes' metrics when it is first imported.
        from prometheus_client import Counter, Histogram

        self._requests = Counter("engine_requests", "Requests answered", ["endpoint", "status"])
        self._seconds = Histogram(
            "engine_request_seconds", "From the headers to the answer", ["endpoint"], buckets=_BUCKETS
        )
        self._violations = Counter("engine_schema_violations", "Values and fields refused", ["column"])
        self._swaps = Counter("engine_swaps", "Bundles that were to replace the one before", ["outcome"])
        self.rows = Counter("engine_rows", "Rows scored")
        self._batches = Histogram("engine_batch_rows", "Rows scored together", buckets=_BATCHES)
        cache = Counter("engine_cache", "Rows looked for in the cache", ["outcome"])
        self._hits, self._misses = cache.labels("hit"), cache.labels("miss")
        self._bound: dict[tuple[str, int | str], Counter] = {}
        self._observe = {
            name: self._seconds.labels(name).observe
            for name in ("predict", "infer", "grpc", "schema", "page", "docs")
        }

    def answered(self, endpoint: str, status: int | str, seconds: float) -> None:
        """Count one answer; of gRPC the status is its name."""
        counter = self._bound.get((endpoint, status))
        if counter is None:
            counter = self._bound[endpoint, status] = self._requests.labels(endpoint, str(status))
        counter.inc()
        self._observe[endpoint](seconds)

    def refused(self, messages: Sequence[Message], columns: frozenset[str]) -> None:
        """Count what broke the contract by column; what is no column's stands under an empty name."""
        for message in messages:
            found = _COLUMN.fullmatch(message.key)
            name = found[1] if found else ""
            self._violations.labels(name if name in columns else "").inc()

    def batched(self, n_rows: int) -> None:
        """Count a batch of the rows of several requests."""
        self._batches.observe(n_rows)

    def looked_up(self, n_known: int, n_unknown: int) -> None:
        """Count the rows of one request that the cache knew, and those that it did not."""
        self._hits.inc(n_known)
        self._misses.inc(n_unknown)

    def swapped(self, outcome: str) -> None:
        """Count a bundle that was to replace the one before."""
        self._swaps.labels(outcome).inc()


@cache
def meters() -> Meters:
    """Return this process's counters."""
    return Meters()

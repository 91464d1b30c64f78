"""What the work beside the requests counts for Prometheus; one set a process, as `engine.deploy.meters`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from engine.operate.drift import Shift


class Meters:
    """The counters; labels are columns of a schema, versions of bundles, and words of ours."""

    def __init__(self) -> None:
        # Imported late: it looks for the folder of several processes' metrics when it is first imported.
        from prometheus_client import Counter, Gauge, Histogram

        self._aside = Counter(
            "engine_aside", "Requests logged, and copied to the shadow", ["where", "outcome"]
        )
        # Of several workers each sees some of the requests: any one's counts stand for all.
        of_columns = {
            "engine_drift_psi": "Population stability index of late against the training rows",
            "engine_drift_missing_share": "Share of missing values of late",
            "engine_drift_unseen_share": "Share of late of values that no training row had",
        }
        self._drift = [
            Gauge(name, words, ["column"], multiprocess_mode="mostrecent")
            for name, words in of_columns.items()
        ]
        self._drift_rows = Gauge(
            "engine_drift_rows", "Rows behind the drift of columns", multiprocess_mode="mostrecent"
        )
        self._answers = Counter("engine_canary_answers", "Requests answered", ["model_version", "outcome"])
        self._seconds = Histogram(
            "engine_canary_seconds", "From the whole body to the answer", ["model_version"]
        )
        self._is_in = Gauge(
            "engine_canary_in", "Whether a candidate answers", ["model_version"], multiprocess_mode="min"
        )

    def counter(self, where: str, outcome: str) -> Callable[[float], None]:
        """Return what counts requests that were logged or shadowed: `done`, `dropped`."""
        bound: Callable[[float], None] = self._aside.labels(where, outcome).inc
        return bound

    def drifted(self, n_rows: int, shifts: Mapping[str, Shift], columns: Iterable[str]) -> None:
        """Set the drift of columns; one that is not known has no number."""
        self._drift_rows.set(n_rows)
        unknown = Shift(math.nan, math.nan, math.nan)
        for name in columns:
            shift = shifts.get(name, unknown)
            for gauge, value in zip(self._drift, (shift.psi, shift.missing, shift.unseen), strict=True):
                gauge.labels(name).set(value)

    def answered(self, model_version: str, outcome: str, seconds: float) -> None:
        """Count a request where there is a canary."""
        self._answers.labels(model_version, outcome).inc()
        self._seconds.labels(model_version).observe(seconds)

    def failed(self, model_version: str) -> None:
        """Count a request that a candidate could not answer."""
        self._answers.labels(model_version, "failed").inc()

    def canary(self, model_version: str, *, is_in: bool) -> None:
        """Tell whether a candidate answers."""
        self._is_in.labels(model_version).set(is_in)


@cache
def meters() -> Meters:
    """Return this process's counters."""
    return Meters()

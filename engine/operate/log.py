"""The log of requests: what was asked and answered, in Parquet, for whoever watches the model; and drift.

Both are made of the rows that the door has read and the scores that it told: nothing is decoded twice.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.deploy.observe import Exchange
from engine.deploy.served import Served
from engine.deploy.tag import tag_version
from engine.operate import rows
from engine.operate.aside import Aside
from engine.operate.drift import Drift
from engine.operate.files import Files
from engine.operate.meters import Meters
from engine.operate.rows import is_kept

ANSWERS = "answers"
# Of the log: some seconds of small requests, some MiB of memory.
_MAX_LOGGED = 5_000
# Without a log, as many requests between two looks: drift needs some rows, not all.
_MAX_COUNTED, _PERIOD_S = 64, 1.0


@dataclass(frozen=True, slots=True)
class Logging:
    """Where requests are logged, which share of them, and how many rows or seconds make a file."""

    folder: Path
    share: float
    max_rows: int
    max_s: float


class Recorder:
    """Logs answered requests and counts drift, in a thread of its own.

    Parameters
    ----------
    log
        None: only drift is counted, of as many requests as fit.
    apart
        A canary's candidate, whose rows are logged, and are none of the champion's drift.
    """

    def __init__(self, log: Logging | None, *, meters: Meters, apart: Served | None = None) -> None:
        self._log = log
        self._meters = meters
        self._apart = apart
        self._drift: tuple[Served, Drift] | None = None
        self._is_counted = True
        self._writing: dict[Served, tuple[Files, rows.Keys]] = {}
        self._done, self._dropped = (meters.counter("log", outcome) for outcome in ("done", "dropped"))
        if log is None:
            self._aside = Aside(
                self._work, name="drift", drop=_forget, max_exchanges=_MAX_COUNTED, period_s=_PERIOD_S
            )
        else:
            self._aside = Aside(
                self._work, name="log", drop=self._dropped, max_exchanges=_MAX_LOGGED, end=self._end
            )

    def saw(self, exchange: Exchange) -> None:
        """Leave an answered request for the thread, or count it as dropped."""
        if exchange.rows is None or not exchange.rows.n:
            return
        if self._log is None:
            self._aside.put(exchange)
        elif _place(exchange.asked.request_id) < self._log.share and not self._aside.put(exchange):
            self._dropped(1)

    def close(self) -> None:
        """Write what waits."""
        self._aside.close()

    def _work(self, exchanges: Sequence[Exchange]) -> None:
        if not exchanges:
            self._look()
            return
        by_bundle: dict[Served, list[Exchange]] = {}
        for exchange in exchanges:
            by_bundle.setdefault(exchange.served, []).append(exchange)
        for served, own in by_bundle.items():
            features = rows.inputs(own, served.bundle.schema.features)
            if self._log is not None:
                self._write(served, own, features, self._log)
            if served is not self._apart and self._is_counted:
                self._count(served, features)
        self._is_counted = False

    def _look(self) -> None:
        """Write what is old, tell of the drift, and have the next rows counted: a few a second are enough."""
        for served in [served for served, writing in self._writing.items() if not writing[0].look()]:
            del self._writing[served]
        self._is_counted = True
        if self._drift is not None:
            drift = self._drift[1]
            self._meters.drifted(drift.n_rows, drift.shifts(), drift.columns)

    def _write(self, served: Served, own: Sequence[Exchange], features: pl.DataFrame, log: Logging) -> None:
        bundle = served.bundle
        if served not in self._writing:
            folder = log.folder / ANSWERS / tag_version(bundle.model_version)
            files = Files(folder, max_rows=log.max_rows, max_s=log.max_s, done=self._done, drop=self._dropped)
            self._writing[served] = files, rows.keys_of(bundle)
        files, keys = self._writing[served]
        kept = features.select([column.name for column in bundle.schema.features if is_kept(column)])
        whole = rows.beside(rows.requests(own), rows.answers(own, bundle), keys.of(own), kept)
        files.add(whole, n_requests=len(own))

    def _end(self) -> None:
        for files, _ in self._writing.values():
            files.write()

    def _count(self, served: Served, features: pl.DataFrame) -> None:
        if self._drift is None or self._drift[0] is not served:
            if self._drift is not None:
                # Its columns may be no other bundle's.
                self._meters.drifted(0, {}, self._drift[1].columns)
            self._drift = served, Drift(served.bundle.reference)
        self._drift[1].count(features)


def _place(request_id: bytes) -> float:
    """Return where a request stands between 0 and 1, the same in every process."""
    return zlib.crc32(request_id) / 2**32


def _forget(_: int) -> None:
    """Count nothing: of what is only counted for drift nothing is missed."""

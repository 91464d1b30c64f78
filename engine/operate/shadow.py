"""A shadow: a candidate that sees a copy of the requests, off the response path, and answers nobody.

Its answers are written beside the champion's, for `engine shadow report`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, time

import polars as pl

from engine.deploy.body import reader_of
from engine.deploy.observe import Exchange
from engine.deploy.refusal import RefusedError
from engine.deploy.served import Served
from engine.deploy.tag import tag_name, tag_version
from engine.operate import rows
from engine.operate.aside import Aside
from engine.operate.files import Files
from engine.operate.meters import Meters

SHADOW = "shadow"
# A candidate that is slower than its champion is at most this far behind.
_MAX_WAITING = 2_000
_AT_ONCE = 32
_MAX_ROWS, _MAX_S = 50_000, 60.0
_OK, _FAILED = 200, 500
_SAID = {
    "request_time": pl.Int64(),
    "request_id": pl.String(),
    "champion": pl.String(),
    "candidate": pl.String(),
    "champion_status": pl.Int32(),
    "candidate_status": pl.Int32(),
    "champion_seconds": pl.Float64(),
    "candidate_seconds": pl.Float64(),
    "candidate_error": pl.String(),
}

logger = logging.getLogger("engine.serve")


class Shadow:
    """Asks a candidate what the champion was asked, in a thread of its own.

    Parameters
    ----------
    candidate
        A bundle of the champion's target.
    folder
        Where the answers of both are written.
    """

    def __init__(self, candidate: Served, folder: Path, *, meters: Meters) -> None:
        self._candidate = candidate
        self._drop = meters.counter("shadow", "dropped")
        self._files = Files(
            folder / SHADOW / tag_version(candidate.bundle.model_version),
            max_rows=_MAX_ROWS,
            max_s=_MAX_S,
            done=meters.counter("shadow", "done"),
            drop=self._drop,
        )
        self._aside = Aside(
            self._work,
            name="shadow",
            drop=self._drop,
            max_exchanges=_MAX_WAITING,
            at_once=_AT_ONCE,
            end=self._files.write,
        )
        self._has_failed = False

    def saw(self, exchange: Exchange) -> None:
        """Leave a request for the thread, or count it as dropped; the candidate's own requests are none."""
        version = exchange.served.bundle.model_version
        if version != self._candidate.bundle.model_version and not self._aside.put(exchange):
            self._drop(1)

    def close(self) -> None:
        """Write what waits."""
        self._aside.close()

    def _work(self, exchanges: Sequence[Exchange]) -> None:
        by_champion: dict[Served, list[_Pair]] = {}
        for exchange in exchanges:
            by_champion.setdefault(exchange.served, []).append(self._ask(exchange))
        for pairs in by_champion.values():
            self._files.add(_table(pairs), n_requests=len(pairs))
        self._files.look()

    def _ask(self, exchange: Exchange) -> _Pair:
        """Ask the candidate, through its own reader, for what the champion was asked for."""
        asked, served = exchange.asked, self._candidate
        path = f"/v2/models/{tag_name(served.bundle.manifest.name)}/infer"
        began = perf_counter()
        given = scores = None
        status, error = _OK, ""
        try:
            reader = reader_of(asked.endpoint, path, asked.headers, served)
            given, tell = reader.read(asked.body)
            scores = served.score(given)
            tell(scores)
        except RefusedError as refused:
            status, error = int(refused.status), rows.why(refused)
        except Exception as fault:
            status, error = _FAILED, type(fault).__name__
            if not self._has_failed:
                self._has_failed = True
                logger.exception("the shadow %s fails; this is told once", served.bundle.model_version)
        seconds = perf_counter() - began
        if status != _OK:
            given = scores = None
        return _Pair(exchange, Exchange(asked, served, time(), seconds, status, given, scores), error)


@dataclass(frozen=True, slots=True)
class _Pair:
    """What the champion did with a request, what the candidate did, and what was wrong with that."""

    champion: Exchange
    candidate: Exchange
    error: str

    @property
    def n_rows(self) -> int:
        """How many rows both have answered."""
        sides = [side.rows.n if side.rows is not None else 0 for side in (self.champion, self.candidate)]
        return min(sides)


def _table(pairs: Sequence[_Pair]) -> pl.DataFrame:
    """Return exchanges of one champion and the candidate's, a row a row; one where they share none."""
    both = [pair for pair in pairs if pair.n_rows]
    rest = [pair for pair in pairs if not pair.n_rows]
    columns = [
        column.alias(f"{side}_{column.name}")
        for side in ("champion", "candidate")
        for column in _answers([getattr(pair, side) for pair in both], getattr(pairs[0], side).served)
    ]
    answered = rows.repeated(_said(both), [pair.n_rows for pair in both])
    return pl.concat([answered.hstack(columns), _said(rest)], how="diagonal")


def _said(pairs: Sequence[_Pair]) -> pl.DataFrame:
    """Return what is known of exchanges besides the answers, one row each."""
    said = {
        "request_time": [int(pair.champion.moment_s * 1e6) for pair in pairs],
        "request_id": [pair.champion.asked.request_id.decode() for pair in pairs],
        "champion": [pair.champion.served.bundle.model_version for pair in pairs],
        "candidate": [pair.candidate.served.bundle.model_version for pair in pairs],
        "champion_status": [pair.champion.status for pair in pairs],
        "candidate_status": [pair.candidate.status for pair in pairs],
        "champion_seconds": [pair.champion.seconds for pair in pairs],
        "candidate_seconds": [pair.candidate.seconds for pair in pairs],
        "candidate_error": [pair.error for pair in pairs],
    }
    return pl.DataFrame(said, schema=_SAID).cast({"request_time": rows.TIME})


def _answers(exchanges: Sequence[Exchange], served: Served) -> pl.DataFrame:
    """Return the prediction columns of answered requests; abstaining is to predict nothing."""
    bundle = served.bundle
    told = (
        rows.answers(exchanges, bundle) if exchanges else bundle.answers(bundle.score(bundle.golden.clear()))
    )
    return told.drop("abstained", strict=False)

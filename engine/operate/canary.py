"""A canary: a share of the requests is answered by a candidate, until it fails once.

Which ones is a hash of the request's id, or of the value of a key column, so that one key always has the same
answerer, whichever worker it meets, after a restart too.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from http import HTTPStatus
from pathlib import Path
from time import monotonic

import polars as pl

from engine.deploy.body import reader_of
from engine.deploy.observe import Asked, Exchange
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.deploy.tag import tag_name
from engine.deploy.watch import what_narrows
from engine.operate.meters import Meters
from engine.operate.rows import Keys, why

logger = logging.getLogger("engine.serve")

# How long a process goes on after another took the candidate out.
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Share:
    """Which requests are the candidate's: a share of the ids, or of the values of the column `key`."""

    share: float
    key: str | None = None


class Canary:
    """Chooses the candidate's requests, and takes it out when it fails; also sees and counts every answer.

    Parameters
    ----------
    tell
        Hears that the candidate is out, and why.
    out
        A file that says so to the other processes of the service, and to those that replace them; None: there
        are none.
    """

    def __init__(
        self,
        candidate: Served,
        share: Share,
        *,
        meters: Meters,
        tell: Callable[[str], None],
        out: Path | None = None,
    ) -> None:
        self._candidate = candidate
        # Of the open inference protocol; any other names what the candidate is not.
        self._path = f"/v2/models/{tag_name(candidate.bundle.manifest.name)}/infer"
        self._share = share
        self._meters = meters
        self._tell = tell
        self._out = out
        self._is_in = True
        self._looked_s = -math.inf
        self._champion: Served | None = None
        self._keys: Keys | None = None
        meters.canary(candidate.bundle.model_version, is_in=True)

    def candidate_for(self, asked: Asked, champion: Served) -> Served | None:
        """Return the candidate for a request that is its, None for one that is the champion's.

        Requests of the open inference protocol that name a version or a model that the candidate is not, and
        those whose rows have several keys, are the champion's.
        """
        if champion is not self._champion:
            self._follow(champion)
        if self._is_in and self._out is not None and monotonic() - self._looked_s >= _LOOK_S:
            self._look(self._out)
        if not self._is_in or (asked.endpoint == "infer" and asked.path != self._path):
            return None
        key = asked.request_id if self._share.key is None else self._key_of(asked, champion, self._share.key)
        return self._candidate if key is not None and place(key) < self._share.share else None

    def failed(self, candidate: Served, fault: Exception) -> None:
        """Take the candidate out: the champion gave an answer where it gave none."""
        self._meters.failed(candidate.bundle.model_version)
        what = "it gave no answer where the champion did"
        if isinstance(fault, RefusedError):
            self._take_out(f"{what}: {why(fault)}")
        else:
            self._take_out(f"{what}: {fault!r}", fault)

    def saw(self, exchange: Exchange) -> None:
        """Count an answer by who gave it."""
        outcome = "answered" if exchange.scores is not None else "refused"
        if exchange.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            self._meters.answered(exchange.served.bundle.model_version, outcome, exchange.seconds)

    def close(self) -> None:
        """Leave everything as it is: nothing waits here."""

    def _follow(self, champion: Served) -> None:
        """Look whether the candidate may stand beside a new champion."""
        self._champion = champion
        self._keys = None
        if champion.bundle.model_version == self._candidate.bundle.model_version:
            self._take_out("it is the champion now")
        elif narrower := what_narrows(champion.bundle, self._candidate.bundle):
            self._take_out(f"requests that the champion answers would be refused: {narrower}")

    def _look(self, out: Path) -> None:
        """Look whether another process took the candidate out, and told of it."""
        self._looked_s = monotonic()
        if out.exists():
            self._is_in = False
            self._meters.canary(self._candidate.bundle.model_version, is_in=False)

    def _take_out(self, reason: str, fault: Exception | None = None) -> None:
        if not self._is_in:
            return
        self._is_in = False
        version = self._candidate.bundle.model_version
        self._meters.canary(version, is_in=False)
        logger.error("the canary %s is out: %s", version, reason, exc_info=fault)
        self._tell(f"canary {version} is out: {reason}")
        try:
            if self._out is not None:
                self._out.touch()
        except OSError:
            logger.exception("the other workers can't be told that the canary %s is out", version)

    def _key_of(self, asked: Asked, champion: Served, name: str) -> bytes | None:
        """Return the one key of a request's rows; None where they have none, or several."""
        try:
            reader = reader_of(asked.endpoint, asked.path, asked.headers, champion)
            found, _ = reader.read(asked.body)
        except RefusedError:
            return None
        keys = set(self._values(asked, found, champion, name))
        key = keys.pop() if len(keys) == 1 else None
        return None if key is None else str(key).encode()

    def _values(self, asked: Asked, found: Rows, champion: Served, name: str) -> list[object]:
        if isinstance(found.values, pl.DataFrame):
            return found.values[name].to_list() if name in found.values.columns else []
        if name in found.values:
            return list(found.values[name])
        if self._keys is None:
            bundle = champion.bundle
            self._keys = Keys(bundle, [column for column in bundle.schema.ids if column.name == name])
        return self._keys.read(asked, found.n)[name]


def place(key: bytes) -> float:
    """Return where a key stands between 0 and 1, whoever asks."""
    return int.from_bytes(blake2b(key, digest_size=8, person=b"canary").digest()) / 2**64

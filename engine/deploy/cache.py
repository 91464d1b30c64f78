"""A cache of scores by row, for requests that come again: bounded, forgotten in time, off unless asked for.

A key is the hash of a row's checked values, in the order of their names, under the hash of the bundle's
manifest: no row finds what another bundle said. Whoever serves another bundle begins with an empty one.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b, sha256
from operator import itemgetter
from time import monotonic

import msgspec
import numpy as np

from engine.deploy.rows import Rows
from engine.runs.manifest import Manifest
from engine.tasks.task import Scores

_HASH_BYTES = 16
_ENCODER = msgspec.msgpack.Encoder()


@dataclass(frozen=True, slots=True)
class _Known:
    """What was said of one row, and until when it is said again."""

    values: np.ndarray
    decision: np.generic
    ends: float


class Cache:
    """The scores of the rows that were asked for last.

    Parameters
    ----------
    manifest
        Of the bundle that scores.
    entries
        The most rows that are kept; the one that was not asked for the longest is forgotten first.
    ttl_s
        Seconds after which a row is scored anew.
    tell
        Hears of how many rows of a request were known, and how many were not.
    """

    def __init__(
        self, manifest: Manifest, *, entries: int, ttl_s: float, tell: Callable[[int, int], None]
    ) -> None:
        self._key = sha256(msgspec.json.encode(manifest)).digest()
        self._entries = entries
        self._ttl_s = ttl_s
        self._tell = tell
        self._known: OrderedDict[bytes, _Known] = OrderedDict()

    def __len__(self) -> int:
        return len(self._known)

    async def scores(self, rows: Rows, score: Callable[[Rows], Awaitable[Scores]]) -> Scores:
        """Return the scores of rows given by column, of those that are not known by `score`.

        Raises
        ------
        Exception
            What `score` raises; nothing is kept of its rows.
        """
        keys = self._keys(rows)
        found = [self._find(key) for key in keys]
        missing = [place for place, known in enumerate(found) if known is None]
        self._tell(rows.n - len(missing), len(missing))
        if len(missing) == rows.n:
            scores = await score(rows)
            self._keep(keys, scores)
            return scores
        if missing:
            values = {name: [of[place] for place in missing] for name, of in _columns(rows)}
            fresh = await score(Rows(len(missing), values))
            for place, known in zip(missing, self._keep([keys[at] for at in missing], fresh), strict=True):
                found[place] = known
        whole = [known for known in found if known is not None]
        return Scores(
            np.stack([known.values for known in whole]), np.array([known.decision for known in whole])
        )

    def _keys(self, rows: Rows) -> list[bytes]:
        table = zip(*(values for _, values in _columns(rows)), strict=True)
        return [
            blake2b(_ENCODER.encode(row), key=self._key, digest_size=_HASH_BYTES).digest() for row in table
        ]

    def _find(self, key: bytes) -> _Known | None:
        known = self._known.get(key)
        if known is None:
            return None
        if known.ends < monotonic():
            del self._known[key]
            return None
        self._known.move_to_end(key)
        return known

    def _keep(self, keys: Sequence[bytes], scores: Scores) -> list[_Known]:
        ends = monotonic() + self._ttl_s
        # Copies: a part of a batch would hold the whole batch.
        made = [
            _Known(np.copy(values), decision, ends)
            for values, decision in zip(scores.values, scores.decisions, strict=True)
        ]
        self._known.update(zip(keys, made, strict=True))
        while len(self._known) > self._entries:
            self._known.popitem(last=False)
        return made


def _columns(rows: Rows) -> list[tuple[str, Sequence[object]]]:
    """Return the columns in an order that does not depend on how they came."""
    return sorted(rows.columns.items(), key=itemgetter(0))

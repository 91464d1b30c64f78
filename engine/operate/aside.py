"""Work beside the requests: a bounded queue and a thread, which never make a request wait.

What finds the queue full is dropped and counted. The thread looks into the queue now and then, for to wake it
would cost a request more than to leave something there.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import polars as pl

from engine.deploy.observe import Exchange

# Of bodies that wait and of what was read from them, of JSON without the values: they take several times as
# much. One that is larger waits alone.
_MAX_BYTES = 8 * 1024 * 1024
# Of a list, for a value that may be null and not in the body at all.
_CELL_BYTES = 8
# How long what waits in the queue at the end may take.
PATIENCE_S = 10.0
# Between two looks: what comes in between is worked off together, at far less a request.
PERIOD_S = 0.5
# As many at a time; then as long a pause, for requests wait on Python's one lock meanwhile.
_AT_ONCE = 1024

logger = logging.getLogger("engine.serve")


class Aside:
    """A queue of exchanges, and the thread that works them off; it begins with the first of them.

    Parameters
    ----------
    work
        Called in the thread with some exchanges, and with none when there are none. What it raises is logged
        with a traceback, and those exchanges count as dropped.
    drop
        Is told how many exchanges were not worked off.
    max_exchanges
        The most that wait.
    at_once
        The most that are worked off at a time.
    end
        Called in the thread when all is worked off.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Exchange]], None],
        *,
        name: str,
        drop: Callable[[int], None],
        max_exchanges: int,
        end: Callable[[], None] | None = None,
        at_once: int = _AT_ONCE,
        period_s: float = PERIOD_S,
    ) -> None:
        self._work = work
        self._name = name
        self._drop = drop
        self._max_exchanges = max_exchanges
        self._at_once = at_once
        self._end = end
        self._period_s = period_s
        self._waiting: deque[tuple[Exchange, int]] = deque()
        self._n_bytes = 0
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._ends = float("inf")
        self._thread: threading.Thread | None = None

    def put(self, exchange: Exchange) -> bool:
        """Leave an exchange for the thread; False: there is no room, and nothing was left or counted."""
        n_bytes = _n_bytes(exchange)
        n_waiting = len(self._waiting)
        if n_waiting and (n_waiting >= self._max_exchanges or self._n_bytes + n_bytes > _MAX_BYTES):
            return False
        with self._lock:
            self._n_bytes += n_bytes
            self._waiting.append((exchange, n_bytes))
            if self._thread is None:
                # Not before: a server may have forked since it was made, and a thread stays behind.
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        return True

    def close(self) -> None:
        """Work off what waits, but not for ever."""
        self._ends = monotonic() + PATIENCE_S
        self._ending.set()
        if self._thread is not None:
            self._thread.join(PATIENCE_S + self._period_s)
        if left := len(self._waiting):
            self._drop(left)
            logger.error("%s: %d requests were left when the service ended", self._name, left)

    def _run(self) -> None:
        while not self._ending.wait(self._period_s):
            self._do(())
            for _ in range(0, len(self._waiting), self._at_once):
                began = monotonic()
                self._do(self._taken())
                self._ending.wait(monotonic() - began)
        while self._waiting and monotonic() < self._ends:
            self._do(self._taken())
        if self._end is not None:
            self._end()

    def _taken(self) -> list[Exchange]:
        taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._at_once))]
        with self._lock:
            self._n_bytes -= sum(n_bytes for _, n_bytes in taken)
        return [exchange for exchange, _ in taken]

    def _do(self, exchanges: Sequence[Exchange]) -> None:
        try:
            self._work(exchanges)
        except Exception:
            self._drop(len(exchanges))
            logger.exception("%s: %d requests were lost to a fault", self._name, len(exchanges))


def _n_bytes(exchange: Exchange) -> int:
    """Return how much of the queue's room an exchange takes: a small body may be a large table."""
    n_bytes = len(exchange.asked.body)
    if exchange.rows is None:
        return n_bytes
    values = exchange.rows.values
    if isinstance(values, pl.DataFrame):
        return n_bytes + int(values.estimated_size())
    return n_bytes + exchange.rows.n * len(values) * _CELL_BYTES

"""Natural batching: what was asked for while the model was at work is its next batch.

No timer: a request that finds the model idle is scored at once and alone. Worth its thread only where a row
takes long, as of a wide neural net, whose rows cost far less together.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from itertools import accumulate, chain, pairwise
from time import perf_counter

from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.runs.bundle import Bundle
from engine.tasks.task import Scores

# A batch goes on until it has as many: matrices of more rows are hardly cheaper a row, and all wait for all.
MAX_ROWS = 256
# So many requests wait for each one that may be at work.
WAITING = 16
# From here on a row is worth a thread.
_SLOW_S = 0.0005
_TRIES, _PATIENCE_S = 2, 0.25

_Score = Callable[[Rows], Scores]
_Waiting = tuple[Rows, asyncio.Future[Scores]]


class Batcher:
    """Scores the rows of many requests together, each of which gets its own scores.

    Parameters
    ----------
    score
        What scores rows; called in a thread, one call at a time.
    max_rows, max_requests
        How much may wait: beyond it a request is refused.
    tell
        Hears of how many rows each batch had, on the event loop.
    """

    def __init__(
        self, score: _Score, *, max_rows: int, max_requests: int, tell: Callable[[int], None]
    ) -> None:
        self._score = score
        self._max_rows = max_rows
        self._max_requests = max_requests
        self._tell = tell
        self._waiting: deque[_Waiting] = deque()
        self._n_rows = 0
        self._is_busy = False

    async def score(self, rows: Rows) -> Scores:
        """Return the scores of rows given by column; cancelled while it waits, it takes no place in a batch.

        Raises
        ------
        RefusedError
            If more waits than may.
        EngineError
            If the model gives a value that is not finite for one of these rows.
        """
        if self._waiting and (
            self._n_rows + rows.n > self._max_rows or len(self._waiting) >= self._max_requests
        ):
            what = f"{len(self._waiting)} requests of {self._n_rows} rows wait, as many as may"
            raise RefusedError.of(HTTPStatus.TOO_MANY_REQUESTS, what)
        future: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()
        self._waiting.append((rows, future))
        self._n_rows += rows.n
        if not self._is_busy:
            self._begin()
        return await future

    def _begin(self) -> None:
        """Begin to score what waits, if anything does."""
        batch = self._taken()
        self._is_busy = bool(batch)
        if batch:
            together = partial(score_together, self._score, [rows for rows, _ in batch])
            work = asyncio.get_running_loop().run_in_executor(None, together)
            work.add_done_callback(partial(self._end, batch))

    def _taken(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        n_rows = 0
        while self._waiting and (not batch or n_rows + self._waiting[0][0].n <= MAX_ROWS):
            rows, future = self._waiting.popleft()
            self._n_rows -= rows.n
            if not future.done():
                n_rows += rows.n
                batch.append((rows, future))
        return batch

    def _end(self, batch: Sequence[_Waiting], work: asyncio.Future[list[Scores | Exception]]) -> None:
        """Begin the next batch before this one's callers are told."""
        self._begin()
        self._tell(sum(rows.n for rows, _ in batch))
        for (_, future), found in zip(batch, work.result(), strict=True):
            if future.done():
                continue
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)


def score_together(score: _Score, requests: Sequence[Rows]) -> list[Scores | Exception]:
    """Return the scores of each request's rows, or why there are none: what is wrong with one is its own.

    Parameters
    ----------
    requests
        Rows by column, all of the same columns.
    """
    if len(requests) == 1:
        return [_scored(score, requests[0])]
    columns = [rows.columns for rows in requests]
    values = {name: list(chain.from_iterable(each[name] for each in columns)) for name in columns[0]}
    ends = [0, *accumulate(rows.n for rows in requests)]
    together = _scored(score, Rows(ends[-1], values))
    if isinstance(together, Exception):
        return [_scored(score, rows) for rows in requests]
    return [
        Scores(together.values[start:end], together.decisions[start:end]) for start, end in pairwise(ends)
    ]


def is_slow(bundle: Bundle) -> bool:
    """Tell whether one row of a bundle takes so long that rows which wait are better scored together.

    One quick answer of many is enough: what else the machine does makes them slower, never quicker.
    """
    if not bundle.golden.height:
        return False
    # By column, as a service scores few rows: a table would cost more than a small model.
    row = bundle.golden.head(1).to_dict(as_series=False)
    ends = perf_counter() + _PATIENCE_S
    now, tries = 0.0, 0
    while now < ends or tries < _TRIES:
        started = perf_counter()
        bundle.score_columns(1, row)
        now = perf_counter()
        tries += 1
        if now - started <= _SLOW_S:
            return False
    return True


def _scored(score: _Score, rows: Rows) -> Scores | Exception:
    try:
        return score(rows)
    except Exception as fault:  # noqa: BLE001 (handed to the one who asked)
        return fault

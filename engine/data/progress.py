"""How far the reading of a table is, told to whoever watches: rows so far, of those that there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import polars as pl

Done = TypeVar("Done")
Tell = Callable[[int, int], None]
# Often enough for an eye, seldom enough to cost nothing.
_EVERY_S = 0.1


@dataclass
class Progress:
    """Counts rows as they come, and tells of them now and then.

    Attributes
    ----------
    tell
        Is given the rows so far and those there are, which a text only foretells; called in any thread.
    n_rows
        The rows there are, as far as is known.
    """

    tell: Tell
    n_rows: int
    _n_passes: int = 1
    _n_come: int = 0
    _told_s: float = 0.0
    _is_stopped: bool = False

    def begin(self, n_passes: int = 1) -> None:
        """Begin at the first row; all rows come `n_passes` times, in some columns each time."""
        self._n_passes, self._n_come = n_passes, 0

    def came(self, n_rows: int) -> None:
        """Count rows that came."""
        self._n_come += n_rows
        now = time.monotonic()
        if now - self._told_s >= _EVERY_S:
            self._told_s = now
            n_read = self._n_come // self._n_passes
            self.tell(n_read, max(n_read, self.n_rows))

    def passed(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Count the rows of a frame, which is given back as it is."""
        if self._is_stopped:
            raise InterruptedError
        self.came(frame.height)
        return frame

    def during(self, query: Callable[[], Done]) -> Done:
        """Return what a query gives whose rows are `passed`; a signal to end is heard at once, and ends it.

        A library's own loop would hear it when it is done: it runs in another thread, and this one waits.
        """
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(query)
            try:
                while not found.done():
                    wait([found], timeout=_EVERY_S)
            except BaseException:
                self._is_stopped = True
                raise
        return found.result()

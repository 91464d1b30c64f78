"""How far the reading of a table is, told to whoever watches: rows so far, of those that there are."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

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
        self.came(frame.height)
        return frame

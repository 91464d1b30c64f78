"""Trials one after the other in this process: nothing to start, nothing to send."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.tuning.objective import Objective
from engine.tuning.search import Heard, Search
from engine.tuning.trial import Outcome


def run_here(
    search: Search,
    objective: Objective,
    *,
    heard: Heard,
    max_seconds: float | None,
    leaves: Callable[[Outcome], bool] | None = None,
) -> bool:
    """Run trials until the search is done, its time is over, or the user stops it.

    Parameters
    ----------
    leaves
        Told of each outcome: whether the rest is better done elsewhere.

    Returns
    -------
    bool
        Whether it left.
    """
    start = time.monotonic()
    try:
        while not isinstance(trial := search.next(), str):
            outcome = objective.evaluate(trial)
            search.tell(outcome)
            heard(outcome, search.n_done, search.n_total, search.best())
            if max_seconds is not None and time.monotonic() - start > max_seconds:
                search.stop()
            elif leaves is not None and leaves(outcome):
                return True
    except KeyboardInterrupt:
        if search.best() is None:
            raise
        search.stop()
        search.is_interrupted = True
    return False

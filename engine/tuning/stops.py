"""A stop by the user, heard for certain: an exception that a signal raises can be lost on its way."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from engine.tuning.search import Search


@contextmanager
def heard_by(search: Search) -> Iterator[None]:
    """Have a search stop where the user stops the program, inside the block.

    KeyboardInterrupt is raised as ever, but where it lands in a finaliser (libraries' models have them) or in
    a callback of C, Python drops it: then the search hands nothing more out, and ends all the same.

    Raises
    ------
    KeyboardInterrupt
        At the end, if the stop came before any trial had a score.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        search.stop()
        search.is_interrupted = True
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    # What is ignored, or ends the program at once, stays so.
    ours = {number: handler for number, handler in before.items() if callable(handler)}
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in ours.items():
            signal.signal(number, handler)
    if search.is_interrupted and search.best() is None:
        raise KeyboardInterrupt

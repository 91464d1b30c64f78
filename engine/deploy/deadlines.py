"""Time limits of many tasks by one timer: nearly all of them end at once, and need none of their own."""

from __future__ import annotations

import asyncio
from types import TracebackType

_STEP_S = 0.2


class Deadlines:
    """The tasks of one event loop that wait for something, and until when."""

    def __init__(self) -> None:
        self._due: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()
        self._sweeps = False

    def within(self, seconds: float) -> _Within:
        """Return a block that ends in TimeoutError where it lasts longer, up to a fifth of a second late."""
        return _Within(self, seconds)

    def enter(self, task: asyncio.Task[object], seconds: float) -> None:
        """Begin to watch a task."""
        loop = task.get_loop()
        self._due[task] = loop.time() + seconds
        if not self._sweeps:
            self._sweeps = True
            loop.call_later(min(_STEP_S, seconds), self._sweep, loop)

    def leave(self, task: asyncio.Task[object]) -> bool:
        """End watching a task, and tell whether it was cancelled for being late."""
        self._due.pop(task, None)
        if task in self._late:
            self._late.discard(task)
            return True
        return False

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task in [task for task, due in self._due.items() if due <= now]:
            del self._due[task]
            self._late.add(task)
            task.cancel()
        self._sweeps = bool(self._due)
        if self._sweeps:
            loop.call_later(_STEP_S, self._sweep, loop)


class _Within:
    __slots__ = ("_deadlines", "_n_cancelled", "_seconds", "_task")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        self._deadlines = deadlines
        self._seconds = seconds

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._n_cancelled = task.cancelling()
        self._deadlines.enter(task, self._seconds)

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if not self._deadlines.leave(self._task):
            return
        # Taken back whatever came of it; who else cancelled the task goes on being heard.
        if self._task.uncancel() <= self._n_cancelled and kind is asyncio.CancelledError:
            raise TimeoutError from None

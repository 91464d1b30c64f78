"""Time limits by one timer: what is late ends, and nothing of it is left behind."""

from __future__ import annotations

import asyncio

import pytest

from engine.deploy.deadlines import Deadlines


def test_what_is_late_ends_in_time() -> None:
    """A block that lasts too long ends in TimeoutError, and one that does not goes on."""

    async def both() -> list[object]:
        deadlines = Deadlines()

        async def wait(seconds: float) -> str:
            with deadlines.within(0.1):
                await asyncio.sleep(seconds)
            return "done"

        return await asyncio.gather(wait(5), wait(0.01), return_exceptions=True)

    late, done = asyncio.run(both())
    assert isinstance(late, TimeoutError)
    assert done == "done"


def test_another_end_takes_the_cancellation_back() -> None:
    """A block that makes an error of its own of its lateness leaves a task that is not cancelled."""

    async def own() -> tuple[int, str]:
        with pytest.raises(KeyError), Deadlines().within(0.01):
            try:
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                raise KeyError from None
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)
        return task.cancelling(), "goes on"

    assert asyncio.run(own()) == (0, "goes on")


def test_who_else_cancels_is_heard() -> None:
    """A task that is cancelled by another while it is late is cancelled, and no mere timeout."""

    async def cancelled() -> bool:
        deadlines = Deadlines()

        async def wait() -> None:
            with deadlines.within(0.01):
                try:
                    await asyncio.sleep(5)
                finally:
                    task.cancel()

        task = asyncio.create_task(wait())
        await asyncio.wait([task])
        return task.cancelled()

    assert asyncio.run(cancelled())

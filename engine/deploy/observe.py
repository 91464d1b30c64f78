"""What a door lets others see of its requests, and decide of them: protocols, kept by the room above."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from time import perf_counter, time
from typing import Any, NamedTuple, Protocol

from engine.deploy.body import reader_of
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.tasks.task import Scores

# What limits and load are to blame for, which is no fault of the bundle.
_OF_LOAD = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Asked(NamedTuple):
    """A request for predictions whose body was read whole."""

    endpoint: str
    path: str
    headers: Mapping[bytes, bytes]
    request_id: bytes
    body: bytes
    is_small: bool


class Exchange(NamedTuple):
    """A request and how it was answered: by `served`, `seconds` after its body was whole.

    `rows` and `scores` are None where it was refused or failed; `moment_s` is of the answer, since 1970.
    """

    asked: Asked
    served: Served
    moment_s: float
    seconds: float
    status: int
    rows: Rows | None
    scores: Scores | None


class Told(NamedTuple):
    """The body of an answer, its content type, and what gave it."""

    content: bytes
    kind: bytes
    served: Served


class Observer(Protocol):
    """Sees every exchange."""

    def saw(self, exchange: Exchange) -> None:
        """Take note, at once and without raising: requests wait."""

    def close(self) -> None:
        """Finish what is begun, as the service ends; called in a thread."""


class Canary(Protocol):
    """Says which requests a candidate answers."""

    def candidate_for(self, asked: Asked, champion: Served) -> Served | None:
        """Return what answers a request instead of the champion; None: the champion does."""

    def failed(self, candidate: Served, fault: Exception) -> None:
        """Hear that a candidate gave no answer to what the champion answered."""


# Scores the rows that a function reads, within the door's limits: its method `scored`.
_Score = Callable[..., Awaitable[Any]]
# Does large work within the same limits: its method `aside`.
_Aside = Callable[[Callable[[], Any], Served], Awaitable[Any]]


async def answered(
    asked: Asked, served: Served, score: _Score, aside: _Aside, *, observer: Observer, canary: Canary | None
) -> Told:
    """Return the answer to a request, which the observer sees, by the canary's candidate or by `served`.

    Raises
    ------
    RefusedError
        If the champion refuses it, or the limits keep it from being chosen for.
    """
    failure: Exception | None = None
    candidate = None
    if canary is not None:
        candidate = await _chosen(asked, served, aside, observer, canary.candidate_for)
        if candidate is not None:
            try:
                return await _answered(asked, candidate, score, observer)
            except Exception as fault:  # noqa: BLE001 (the champion answers, and the canary hears of it)
                failure = fault
    try:
        told = await _answered(asked, served, score, observer)
        is_of_load = isinstance(failure, RefusedError) and failure.status in _OF_LOAD
        if canary is not None and candidate is not None and failure is not None and not is_of_load:
            canary.failed(candidate, failure)
    finally:
        # The fault holds this frame, and this frame would hold the fault, with all that was read.
        del failure
    return told


async def _chosen(
    asked: Asked, served: Served, aside: _Aside, observer: Observer, choose: Callable[..., Served | None]
) -> Served | None:
    if asked.is_small:
        return choose(asked, served)
    began = perf_counter()
    try:
        # It reads the whole body, where a column is the key.
        found: Served | None = await aside(lambda: choose(asked, served), served)
    except Exception as fault:
        _saw_fault(asked, served, began, fault, observer)
        raise
    return found


async def _answered(asked: Asked, served: Served, score: _Score, observer: Observer) -> Told:
    began = perf_counter()
    try:
        reader = reader_of(asked.endpoint, asked.path, asked.headers, served)
        scored = await score(lambda: reader.read(asked.body), served, is_small=asked.is_small)
    except Exception as fault:
        _saw_fault(asked, served, began, fault, observer)
        raise
    seconds = perf_counter() - began
    observer.saw(Exchange(asked, served, time(), seconds, 200, scored.rows, scored.scores))
    return Told(scored.told, reader.kind, served)


def _saw_fault(asked: Asked, served: Served, began: float, fault: Exception, observer: Observer) -> None:
    status = fault.status if isinstance(fault, RefusedError) else HTTPStatus.INTERNAL_SERVER_ERROR
    observer.saw(Exchange(asked, served, time(), perf_counter() - began, int(status), None, None))

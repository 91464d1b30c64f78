"""HTTP on one connection: rid of who keeps the service waiting, and no detour for what is answered at once.

Imported only by `engine serve`, so uvicorn stands at the top.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from engine.deploy.door import Door

# Of headers that came in pieces.
_MAX_HEADERS = 64 * 1024
# How long the reader of an answer may stand still.
_UNREAD_S = 60.0
# Requests of one connection that wait for the one before them.
_MAX_PIPELINED = 4096
_CLOSE = (b"connection", b"close")

logger = logging.getLogger("engine.serve")


class Protocol(HttpToolsProtocol):
    """uvicorn's, of which it changes two things.

    It lets go of a connection that begins no request, ends no headers or does not read its answer in time.
    And a request that has arrived whole, and of which nothing waits, is answered where it was read: a task,
    an event for its body and two messages for its answer cost more than a small model's row.
    """

    _waiting: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None
    _in_headers = False
    _is_reading = False
    _begun: tuple[RequestResponseCycle, Any] | None = None
    _n_bytes = 0

    def __init__(self, config: Config, *arguments: Any, **options: Any) -> None:
        super().__init__(config, *arguments, **options)
        self._door = config.app if isinstance(config.app, Door) else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Read on, and answer what is whole."""
        self._n_bytes += len(data)
        self._is_reading = True
        super().data_received(data)
        self._is_reading = False
        if self._in_headers and self._n_bytes > _MAX_HEADERS and not self.transport.is_closing():
            # Each piece is copied together with all before it.
            self.send_400_response(f"The headers have more than {_MAX_HEADERS} bytes.")
        if len(self.pipeline) > _MAX_PIPELINED:
            self.transport.abort()
        # Most requests arrive with all their headers at once, and need no timer. What belongs to none has
        # ended uvicorn's own.
        if self._waiting is None and (self._in_headers or self.cycle is None or self.cycle.response_complete):
            self._wait()
        if self._begun is not None:
            (cycle, app), self._begun = self._begun, None
            if not self._answered(cycle):
                super()._start_asgi_task(cycle, app)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        # Called at the end of the headers; the body is often there as well, and read in the same breath.
        if self._is_reading:
            self._begun = cycle, app
        else:
            super()._start_asgi_task(cycle, app)

    def _answered(self, cycle: RequestResponseCycle) -> bool:
        """Answer a request at once; False: it may have to wait for something, and nothing was done."""
        if self._door is None or cycle.more_body or cycle.waiting_for_100_continue:
            return False
        if self.flow.write_paused or self.transport.is_closing():
            return False
        try:
            answer = self._door.at_once(cycle.scope, cycle.body)
        except Exception:
            logger.exception("a request failed beyond what the door answers for")
            self.loop.create_task(cycle.send_500_response())
            return True
        if answer is None:
            return False
        content = [STATUS_LINE[answer.status]]
        is_told = _CLOSE in answer.headers
        is_last = not cycle.keep_alive or is_told
        if _CLOSE in cycle.scope["headers"] and not is_told:
            is_last = True
            content.append(b"connection: close\r\n")
        for name, value in (*cycle.default_headers, *answer.headers):
            content += (name, b": ", value, b"\r\n")
        content += (b"\r\n", answer.body)
        cycle.response_started = cycle.response_complete = True
        self.transport.write(b"".join(content))
        if is_last:
            self.transport.close()
        self.on_response_complete()
        return True

    def on_message_begin(self) -> None:
        """Begin to count the bytes of headers."""
        self._in_headers = True
        self._n_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the wait for a request."""
        self._in_headers = False
        self._forget()
        super().on_headers_complete()

    def pause_writing(self) -> None:
        """Look from now on whether the answer is read."""
        super().pause_writing()
        self._look_again()

    def resume_writing(self) -> None:
        """End that."""
        super().resume_writing()
        self._look_no_more()

    def timeout_keep_alive_handler(self) -> None:
        """Close, and look whether what is written is read."""
        super().timeout_keep_alive_handler()
        # A transport that is closed waits for what is written to be read.
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give up all timers."""
        self._forget()
        self._look_no_more()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = self.loop.call_later(self.timeout_keep_alive, self._let_go)

    def _forget(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _let_go(self) -> None:
        self._waiting = None
        self.timeout_keep_alive_handler()

    def _look_again(self) -> None:
        """Look in a while whether any of what is unread was read meanwhile."""
        self._look_no_more()
        unread = self.transport.get_write_buffer_size()
        self._reading = self.loop.call_later(_UNREAD_S, self._look, unread)

    def _look_no_more(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            self._reading = None

    def _look(self, unread: int) -> None:
        if self.transport.get_write_buffer_size() < unread:
            self._look_again()
        else:
            self.transport.abort()

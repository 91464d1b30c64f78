"""The server of a service in one process: closed by default, rid of who keeps it waiting, ended by SIGTERM.

Imported only by `engine serve`, so uvicorn and BentoML stand at the top.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
import uvicorn

from engine.deploy.door import Begin, Door
from engine.deploy.grpc_server import GrpcServer
from engine.deploy.listen import listen, url_of
from engine.deploy.meters import meters
from engine.deploy.protocol import Protocol
from engine.deploy.service import service_of
from engine.deploy.watch import Watcher
from engine.deploy.workers import PULSE_S, Post, post, worker_socket
from engine.errors import EngineError, RecipeError
from engine.runs.bundle import Bundle

# How long a request that is at work may take to end after SIGTERM.
GRACE_S = 30
# How long new requests are answered 503 before the port closes, for a balancer to look at /readyz once more.
DRAIN_S = 1.0
_STEP_S = 0.02
# Objects that are made more than given up before Python looks for garbage; its own figure is 700.
_GARBAGE = 50_000


@dataclass(frozen=True, slots=True)
class Watch:
    """What is to be served later on: `find` gives its folder, `tell` hears of every change."""

    find: Callable[[], Path]
    tell: Callable[[str], None]


def run(
    bundle: Bundle,
    *,
    host: str,
    port: int,
    on_ready: Callable[[str], None],
    watch: Watch | None = None,
    grpc_port: int | None = None,
    begin: Begin | None = None,
) -> None:
    """Serve a bundle that may be served from this process until SIGTERM, which ends it cleanly, or SIGINT.

    Parameters
    ----------
    port
        0 lets the system choose.
    on_ready
        Called once with the URL, when requests are answered.
    watch
        None: `bundle` is served to the end.
    grpc_port
        Where the open inference protocol is spoken over gRPC as well; None: nowhere.
    begin
        Called with the door, to put beside it what sees the requests; None: nothing does.

    Raises
    ------
    RecipeError
        If the address can't be listened on, or a bundle is watched that is served inside BentoML's pipeline.
    EngineError
        If the service does not start.
    KeyboardInterrupt
        On SIGINT, after the requests at work are answered.
    """
    app = _asgi(service_of(bundle, begin=begin))
    if not isinstance(app, Door) and (watch is not None or grpc_port is not None):
        what = "a service inside BentoML's pipeline has no part in this; deploy.pipeline=front has"
        key = "--grpc-port" if watch is None else "--watch"
        raise RecipeError.of(what, file="command line", key=key)
    place = post()
    listening = listen(host, port) if place is None else worker_socket(place)
    url = url_of(listening)
    config = uvicorn.Config(
        app,
        http=Protocol,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_S,
    )
    # uvicorn raises the signal again when it is done; this handler makes of it an ordinary end.
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        server = _Server(config)
        server.door = app if isinstance(app, Door) else None
        server.watch = watch
        server.grpc_at = None if grpc_port is None else (host, grpc_port)
        server.post = place
        server.announce = lambda: on_ready(url)
        server.run(sockets=[listening])
    finally:
        signal.signal(signal.SIGTERM, previous)
        listening.close()
    if not server.started:
        raise EngineError.of("the service did not start; its log says why")


class _Server(uvicorn.Server):
    announce: Callable[[], None]
    door: Door | None = None
    watch: Watch | None = None
    grpc_at: tuple[str, int] | None = None
    post: Post | None = None
    _grpc: GrpcServer | None = None
    _watching: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # Before anything answers: a port that is taken ends the start.
        if self.grpc_at is not None and self.door is not None:
            host, port = self.grpc_at
            self._grpc = GrpcServer(self.door, host=host, port=port, is_shared=self.post is not None)
        await super().startup(sockets)
        # What was made so far stays to the end: it is never looked through again while requests wait.
        gc.freeze()
        gc.enable()
        # What waits for the log is no garbage either, and would be looked through every thirty requests.
        gc.set_threshold(_GARBAGE)
        if self.started:
            if self._grpc is not None:
                await self._grpc.start()
            if self.door is not None and self.watch is not None:
                watcher = Watcher(self.door, find=self.watch.find, tell=self.watch.tell, meters=meters())
                self._watching = asyncio.create_task(watcher.watch())
            if self.post is None:
                self.announce()
            else:
                self._beat(self.post)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Refuse what is new, end what is at work, then close the port."""
        if self._watching is not None:
            self._watching.cancel()
        if self.door is not None and not self.force_exit:
            self.door.is_draining = True
            loop = asyncio.get_running_loop()
            asked = loop.time()
            while not self.force_exit and loop.time() < asked + GRACE_S:
                if not self.door.n_open and loop.time() >= asked + DRAIN_S:
                    break
                await asyncio.sleep(_STEP_S)
        if self._grpc is not None:
            await self._grpc.stop()
        await super().shutdown(sockets)

    def _beat(self, place: Post) -> None:
        """Tell the supervisor now and then that requests are answered; without one, end."""
        try:
            place.beat()
        except BrokenPipeError:
            self.should_exit = True
        else:
            asyncio.get_running_loop().call_later(PULSE_S, self._beat, place)


def _asgi(service: bentoml.Service[Any]) -> Any:
    from bentoml._internal.context import server_context

    # What BentoML's own worker sets before it makes the app: the labels of its metrics.
    server_context.service_name = service.name
    server_context.service_type = "entry_service"
    server_context.service_routes = [method.route for method in service.apis.values()]
    server_context.bento_name = service.name
    server_context.bento_version = "not available"
    logging.getLogger("bentoml").setLevel(logging.WARNING)
    return service.to_asgi()

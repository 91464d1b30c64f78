"""Talks over a raw connection with an app behind our own protocol, in this process."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import uvicorn

from engine.deploy.protocol import Protocol

Said = TypeVar("Said")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Said]]


def talk_to(app: Any, talk: Talk[Said], *, keep_alive_s: int = 5) -> Said:
    """Return what comes of a talk with a server of an app, within ten seconds."""

    async def whole() -> Said:
        config = uvicorn.Config(
            app,
            http=Protocol,
            lifespan="off",
            log_config=None,
            timeout_keep_alive=keep_alive_s,
            timeout_graceful_shutdown=5,
        )
        served = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            serving = asyncio.create_task(served.serve(sockets=[listening]))
            reader, writer = await asyncio.open_connection(*listening.getsockname())
            try:
                return await asyncio.wait_for(talk(reader, writer), 10)
            finally:
                writer.close()
                served.should_exit = True
                await serving

    return asyncio.run(whole())

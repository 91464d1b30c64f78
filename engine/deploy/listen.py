"""The socket that a service listens on; a wrong address is told as a mistake of the command line."""

from __future__ import annotations

import errno
import socket

from engine.errors import RecipeError

_MAX_PORT = 65535


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to the first address of `host`; a port of 0 lets the system choose.

    Raises
    ------
    RecipeError
        If the port is no port, is taken or may not be used, or the host is unknown or not of this machine.
    """
    if not 0 <= port <= _MAX_PORT:
        raise _refusal(f"{port} is not a port: 0 to {_MAX_PORT}", key="--port")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise _refusal(f"the host '{host}' is not known", key="--host") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as exc:
        listening.close()
        if exc.errno == errno.EADDRNOTAVAIL:
            raise _refusal(f"'{host}' is no address of this machine", key="--host") from None
        what = "is taken" if exc.errno == errno.EADDRINUSE else f"can't be used: {exc.strerror}"
        raise _refusal(f"port {port} of {host} {what}", key="--port") from None
    return listening


def url_of(listening: socket.socket) -> str:
    """Return where a socket is asked."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _refusal(what: str, *, key: str) -> RecipeError:
    try_ = "engine serve RUN --port 0" if key == "--port" else "engine serve RUN --host 127.0.0.1"
    return RecipeError.of(what, file="command line", key=key, try_=try_)

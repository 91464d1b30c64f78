"""The address of a service: bound, or refused in words."""

from __future__ import annotations

import pytest

from engine.deploy.listen import listen
from engine.errors import RecipeError

_PORT, _HOST = "try: engine serve RUN --port 0", "try: engine serve RUN --host 127.0.0.1"


def test_port_0_is_chosen_by_the_system() -> None:
    """A free port of the host is bound, and can be listened on."""
    with listen("127.0.0.1", 0) as listening:
        listening.listen()
        host, port = listening.getsockname()
    assert host == "127.0.0.1"
    assert port > 0


@pytest.mark.parametrize(
    ("host", "port", "text"),
    [
        ("127.0.0.1", 99_999, f"--port\n  99999 is not a port: 0 to 65535\n  {_PORT}"),
        ("127.0.0.1", -1, f"--port\n  -1 is not a port: 0 to 65535\n  {_PORT}"),
        ("no host", 0, f"--host\n  the host 'no host' is not known\n  {_HOST}"),
        ("..", 0, f"--host\n  the host '..' is not known\n  {_HOST}"),
        ("192.0.2.1", 0, f"--host\n  '192.0.2.1' is no address of this machine\n  {_HOST}"),
    ],
)
def test_what_is_no_address_is_refused(host: str, port: int, text: str) -> None:
    """A port beyond the range is never wrapped into it; a host must be known and this machine's."""
    with pytest.raises(RecipeError) as caught:
        listen(host, port)
    assert str(caught.value) == f"command line: {text}"


def test_a_taken_port_is_refused() -> None:
    """A port that someone listens on is not shared."""
    with listen("127.0.0.1", 0) as first:
        first.listen()
        port = first.getsockname()[1]
        with pytest.raises(RecipeError) as caught:
            listen("127.0.0.1", port)
    assert str(caught.value) == f"command line: --port\n  port {port} of 127.0.0.1 is taken\n  {_PORT}"

"""A real service in a process of its own, and a plain client for it."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from tests.started import started

# From before its first import to its end no service unpickles anything or begins another process.
SERVE = """
import os
import sys
from pathlib import Path
FORBIDDEN = {"pickle.find_class", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork",
             "os.forkpty", "os.spawn"}
def watch(event, arguments):
    if event in FORBIDDEN:
        print("forbidden:", event, arguments, file=sys.stderr, flush=True)
        os._exit(99)
sys.addaudithook(watch)
from engine.deploy.bento import DEPLOYMENT
from engine.errors import EngineError
try:
    DEPLOYMENT.serve(Path(sys.argv[1]), host="127.0.0.1", port=0, on_ready=lambda url: print(url, flush=True))
except EngineError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""
RECORD = {"age": 40, "hours": None, "sex": "Male", "job": "clerk", "member": True, "since": "1990-05-01"}


@dataclass(frozen=True)
class Answer:
    """What the service answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> object:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def first(self) -> dict[str, object]:
        """The first of an error's messages."""
        message: dict[str, object] = json.loads(self.body)["error"]["messages"][0]
        return message


@dataclass(frozen=True)
class Server:
    """A service in a process of its own."""

    process: subprocess.Popen[str]
    port: int

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request on a connection of its own; `content_type` becomes `content-type`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=named)
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def post(self, content: object) -> Answer:
        """Post to `/predict`: bytes as they are, else as JSON."""
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return self.ask("POST", "/predict", body, content_type="application/json")

    def end(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@contextmanager
def serving(bundle: Path) -> Iterator[Server]:
    """Serve a bundle until the block is left."""
    with started([sys.executable, "-c", SERVE, str(bundle)]) as (process, port):
        yield Server(process, port)


@pytest.fixture(scope="package")
def server(bundle_folder: Path) -> Iterator[Server]:
    """Give a service of the tiny bundle that no test ends."""
    with serving(bundle_folder) as running:
        yield running


@pytest.fixture(scope="package")
def regression_server(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a service of the tiny bundle with a continuous target."""
    folder = tiny.write_tiny(tmp_path_factory.mktemp("regression") / "bundle", task="regression")
    with serving(folder) as running:
        yield running


@pytest.fixture
def serve() -> Callable[[Path], AbstractContextManager[Server]]:
    """Give the context manager that serves a bundle until it is left."""
    return serving


@pytest.fixture
def record() -> dict[str, object]:
    """Give a record that is right in every field."""
    return dict(RECORD)

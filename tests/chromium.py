"""A headless Chromium, spoken to over its DevTools protocol: as much of it as looking at a page takes."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
_SECONDS = 60


def find() -> str | None:
    """Return where Chromium is, None where it is not installed."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def axe() -> str | None:
    """Return the source of axe-core, None where the package that has it is not installed."""
    spec = find_spec("axe_core_python")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")


class Browser:
    """One page of a browser; `heard` are the events of it that came meanwhile."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = os.fdopen(read, "rb"), os.fdopen(write, "wb")
        self._numbers, self._buffer = itertools.count(1), b""
        self.heard: list[dict[str, Any]] = []
        self.session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **params: object) -> dict[str, Any]:
        """Send a command and return its answer."""
        number = next(self._numbers)
        session = {} if self.session is None else {"sessionId": self.session}
        said = {"id": number, "method": method, "params": params, **session}
        self._write.write(json.dumps(said).encode() + b"\0")
        self._write.flush()
        while (message := self._next()).get("id") != number:
            self.heard.append(message)
        assert "error" not in message, (method, message["error"])
        found: dict[str, Any] = message["result"]
        return found

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = self._read.read1(1 << 16)
            assert piece, "the browser has gone"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def open(self, page: Path, *, width: int) -> None:
        """Open a file at a width in CSS pixels, and wait until it is there."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False
        )
        self.heard.clear()
        self.ask("Page.navigate", url=page.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.heard):
            self.heard.append(self._next())

    def value(self, expression: str) -> Any:
        """Return what a piece of JavaScript comes to."""
        found = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def complaints(self) -> list[str]:
        """Return the errors and warnings of the console."""
        found = [
            event
            for event in self.heard
            if event.get("method")
            in {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        ]
        return [json.dumps(event["params"]) for event in found]

    def picture(self, to: Path) -> None:
        """Write the whole page as a PNG."""
        found = self.ask("Page.captureScreenshot", captureBeyondViewport=True)
        to.write_bytes(base64.b64decode(found["data"]))

    def printed(self, to: Path) -> None:
        """Write the page as a PDF, as its style for print has it."""
        found = self.ask("Page.printToPDF", printBackground=False, preferCSSPageSize=True)
        to.write_bytes(base64.b64decode(found["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """Give a browser of its own profile, which ends with the block."""
    program = find()
    assert program is not None
    to_read, from_browser = os.pipe()
    to_browser, to_write = os.pipe()
    # Chromium reads commands from its descriptor 3 and answers on 4. As root it runs only without a sandbox, and
    # it opens nothing here but our own files.
    script = f'exec "$0" "$@" 3<&{to_browser} 4>&{from_browser}'
    options = ["--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}"]  # fmt: skip
    process = subprocess.Popen(
        ["bash", "-c", script, program, *options],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    page = None
    try:
        page = Browser(to_read, to_write)
        yield page
    finally:
        if page is not None:
            page._read.close()
            page._write.close()
        process.terminate()
        process.wait(_SECONDS)

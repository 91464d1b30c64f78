"""Commands in processes whose libraries are imported already: forked, each time, from one that did it once.

Such a command is a process of its own, with signals, streams, folder and end as any other. What is spared are
the seconds that Python takes to import; where the start is what a test is about, `python -m engine` is started.
"""

from __future__ import annotations

import atexit
import functools
import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

_IMPORTED = ["lightgbm", "pandera.polars", "pytorch_lightning", "skl2onnx", "engine.lifecycle", "engine.plan"]


class _Stream:
    """A stream on its way to another process."""

    def __init__(self, file: int) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return _taken, (DupFd(self.file),)


def _taken(sent: Any) -> _Stream:
    return _Stream(sent.detach())


@dataclass
class Command:
    """A command that was started; as a `subprocess.Popen`, as far as tests need one."""

    process: ForkServerProcess
    _out: IO[str]
    _err: IO[str]

    def __del__(self) -> None:
        for file in (self._out, self._err):
            file.close()

    @property
    def pid(self) -> int:
        """The number of its process."""
        assert self.process.pid is not None
        return self.process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal; None while it goes on."""
        return self.process.exitcode

    def wait(self, timeout: float = 60) -> int:
        """Wait for its end and return the exit code."""
        self.process.join(timeout)
        code = self.process.exitcode
        assert code is not None, "it goes on"
        return code

    def communicate(self, timeout: float = 60) -> tuple[str, str]:
        """Wait for its end, and return what it wrote to stdout and to stderr."""
        self.wait(timeout)
        said = []
        for file in (self._out, self._err):
            file.seek(0)
            said.append(file.read())
        return said[0], said[1]

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def start(
    *arguments: object,
    cwd: Path | None = None,
    out: int | None = None,
    environment: Mapping[str, str] | None = None,
    own_session: bool = False,
) -> Command:
    """Start `engine` with some arguments.

    Parameters
    ----------
    out
        The file that stdout goes to; None: where `communicate` finds it.
    environment
        None: that of this process.
    own_session
        Whether signals to this process's group pass it by.
    """
    files = [tempfile.TemporaryFile("w+", encoding="utf-8") for _ in range(2)]  # noqa: SIM115 (closed with it)
    streams = [_Stream(files[0].fileno() if out is None else out), _Stream(files[1].fileno())]
    words = list(map(str, arguments))
    given = (words, str(cwd or Path.cwd()), dict(environment or os.environ), streams, own_session)
    process = _context().Process(target=_call, args=given)
    process.start()
    return Command(process, *files)


@functools.cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_IMPORTED)
    return context


def _call(
    arguments: list[str], cwd: str, environment: dict[str, str], streams: Sequence[_Stream], own_session: bool
) -> None:
    if own_session:
        os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream.file, number)
        os.close(stream.file)
    # Whoever started these tests may ignore Ctrl-C, as a shell does of what runs in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["engine", *arguments]
    from engine.cli import main

    try:
        sys.exit(main())
    finally:
        atexit._run_exitfuncs()

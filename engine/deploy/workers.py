"""Several processes that answer on one socket: one that dies or hangs is replaced while the others go on.

The socket is the supervisor's, so that a connection which no worker has taken waits for another. Whoever
supervises loads neither the model nor BentoML. What BentoML's own supervisor does not see, a process that is
there and answers nothing, is seen by its pulse: a byte a second from its event loop.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

PULSE_S = 1.0
# Without a pulse for so long a worker hangs. A large body that is decoded keeps the loop from its turn, too.
HUNG_S = 10.0
# How long a worker may take to begin, and to end once it was told: longer than it gives its last requests.
_START_S, _END_S = 120.0, 40.0
_LOOK_S = 0.2
# So many starts in a row that come to nothing are enough, where nobody answers.
_MAX_FAILED = 3
_LONGEST_PAUSE_S = 30.0
_VARIABLE = "ENGINE_WORKER"


@dataclass(frozen=True, slots=True)
class Post:
    """What a worker has from its supervisor: the socket, the pipe of its pulse, a folder for all workers."""

    listening: int
    pulse: int
    home: str

    def beat(self) -> None:
        """Say that this worker is alive, the first time: that it answers.

        Raises
        ------
        BrokenPipeError
            If there is no supervisor any more.
        """
        try:
            os.write(self.pulse, b".")
        except BlockingIOError:
            # The supervisor stands still: it has enough to read when it goes on.
            return


@cache
def post() -> Post | None:
    """Return this process's place among the workers; None where it serves alone."""
    given = os.environ.pop(_VARIABLE, None)
    if given is None:
        return None
    listening, pulse, home = given.split(",", 2)
    os.set_blocking(int(pulse), False)
    return Post(int(listening), int(pulse), home)


@contextmanager
def home() -> Iterator[str]:
    """Give the folder in which the processes of one service meet, which is gone when they are."""
    mine = post()
    if mine is not None:
        yield mine.home
        return
    with tempfile.TemporaryDirectory(prefix="engine-serve-") as made:
        yield made


@dataclass(slots=True)
class _Worker:
    """A worker process; `heard` is when its pulse was felt last, `began` at first."""

    process: subprocess.Popen[bytes]
    pulse: int
    began: float
    heard: float
    answers: bool = False

    def why_lost(self, now: float) -> str:
        """Return why it is no worker any more, or nothing; one that hangs is killed."""
        code = self.process.poll()
        if code is None:
            if self.answers and now > self.heard + HUNG_S:
                self.process.kill()
                return f"hangs: no sign of it for {HUNG_S:g} s"
            if not self.answers and now > self.began + _START_S:
                self.process.kill()
                return f"did not begin to answer within {_START_S:g} s"
            return ""
        return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


@dataclass
class Supervisor:
    """Keeps a number of workers.

    Parameters
    ----------
    command
        What begins a worker, which finds its place by `post`.
    listening
        Bound, and the supervisor's to close.
    tell
        Hears of every worker that answers, and of every one that was lost.
    """

    command: Sequence[str]
    listening: socket.socket
    n_workers: int
    tell: Callable[[str], None]
    _workers: list[_Worker] = field(default_factory=list)
    _selector: selectors.DefaultSelector = field(default_factory=selectors.DefaultSelector)
    _n_failed: int = 0
    _next_start: float = 0.0
    _is_ending: bool = False

    def run(self, on_ready: Callable[[], None]) -> int:
        """Keep the workers until SIGTERM, or until none can begin; return the exit code.

        Raises
        ------
        KeyboardInterrupt
            On SIGINT, after the requests at work are answered.
        """
        previous = signal.signal(signal.SIGTERM, self._stop)
        try:
            with tempfile.TemporaryDirectory(prefix="engine-serve-") as folder:
                try:
                    code = self._keep(folder, on_ready)
                finally:
                    n_broken = self._end()
                return code or min(1, n_broken)
        finally:
            signal.signal(signal.SIGTERM, previous)
            self._selector.close()

    def _stop(self, *_: object) -> None:
        self._is_ending = True

    def _keep(self, folder: str, on_ready: Callable[[], None]) -> int:
        was_ready = False
        while not self._is_ending:
            now = time.monotonic()
            # Until the first answers, one is enough: what is wrong with the bundle is then said once.
            wanted = self.n_workers if was_ready else 1
            if len(self._workers) < wanted and now >= self._next_start:
                self._start(folder)
            self._feel()
            if not was_ready and any(worker.answers for worker in self._workers):
                was_ready = True
                on_ready()
            code = self._replace(was_ready=was_ready)
            if code is not None:
                return code
        return 0

    def _start(self, folder: str) -> None:
        mine, theirs = os.pipe()
        place = f"{self.listening.fileno()},{theirs},{folder}"
        try:
            process = subprocess.Popen(  # noqa: S603 (our own command, said again)
                self.command,
                env=os.environ | {_VARIABLE: place},
                stdin=subprocess.DEVNULL,
                pass_fds=(self.listening.fileno(), theirs),
                # A Ctrl-C is for the supervisor, which lets the workers end as they should.
                process_group=0,
            )
        finally:
            os.close(theirs)
        now = time.monotonic()
        worker = _Worker(process, mine, began=now, heard=now)
        self._workers.append(worker)
        self._selector.register(mine, selectors.EVENT_READ, worker)

    def _feel(self) -> None:
        """Wait a moment for pulses."""
        for key, _ in self._selector.select(_LOOK_S):
            worker: _Worker = key.data
            if not os.read(worker.pulse, 4096):
                # It is ending: nothing more will come.
                self._selector.unregister(worker.pulse)
                continue
            worker.heard = time.monotonic()
            if not worker.answers:
                worker.answers = True
                self._n_failed = 0
                self.tell(f"worker {worker.process.pid} answers")

    def _replace(self, *, was_ready: bool) -> int | None:
        """Take out the workers that are lost; return the exit code where it is of no use to begin others."""
        now = time.monotonic()
        lost = {id(worker): why for worker in self._workers if (why := worker.why_lost(now))}
        for worker in [worker for worker in self._workers if id(worker) in lost]:
            code = worker.process.wait()
            self._workers.remove(worker)
            self._close(worker)
            if not worker.answers:
                self._n_failed += 1
                pause = min(2.0**self._n_failed, _LONGEST_PAUSE_S)
                self._next_start = now + pause
            if not was_ready or (self._n_failed >= _MAX_FAILED and not self._workers):
                return code if code > 0 else 1
            self.tell(f"worker {worker.process.pid} {lost[id(worker)]}; another takes its place")
        return None

    def _close(self, worker: _Worker) -> None:
        if worker.pulse in self._selector.get_map():
            self._selector.unregister(worker.pulse)
        os.close(worker.pulse)

    def _end(self) -> int:
        """Let every worker end as it should; return how many did not."""
        # The port is closed when the last worker closes it.
        self.listening.close()
        n_broken = 0
        for worker in self._workers:
            worker.process.terminate()
        ends = time.monotonic() + _END_S
        for worker in self._workers:
            try:
                code = worker.process.wait(max(0.0, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                code = worker.process.wait()
            # One that had not begun to answer has nothing to end in order.
            n_broken += bool(code) and worker.answers
            self._close(worker)
        self._workers.clear()
        return n_broken


def worker_socket(place: Post) -> socket.socket:
    """Return the socket that a worker answers on."""
    return socket.socket(fileno=place.listening)

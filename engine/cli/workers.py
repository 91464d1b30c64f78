"""Runs side by side, each in a process of its own that does one after another.

A worker that dies, by whatever hand, costs the run it was at and no other. Workers end with the command,
however that ends, and leave an interrupted run behind, never one that looks whole.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.cli.stop import is_stop
from engine.errors import EngineError, own_fault
from engine.recipe.spec import Spec
from engine.runs.steps import TIMED, Listener

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnContext, SpawnProcess

    from engine.tuning.trial import Outcome, Trial

# A worker that is asked to stop puts its own temporary files away; one inside of a long call is killed.
_GRACE_S = 3.0
# <linux/prctl.h>: the signal that this process gets when its parent dies.
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Job:
    """One run to do; `number` is how the caller knows it again."""

    number: int
    spec: Spec


@dataclass(frozen=True, slots=True)
class Started:
    """A step begins."""

    step: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far the step is."""

    done: int
    total: int
    score: float | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A step has ended."""

    step: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Noted:
    """Something a person should know."""

    words: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A run has ended: the folder of a finished one, else the error and its traceback; wall seconds."""

    folder: Path | None
    error: EngineError | None
    trace: str
    seconds: float


Heard = Started | Progressed | Finished | Noted
Event = Heard | Ended


def tell(listener: Listener, event: Heard) -> None:
    """Tell a listener here what another one heard elsewhere."""
    match event:
        case Started(step):
            listener.started(step)
        case Progressed(done, total, score):
            listener.progressed(done, total, score)
        case Finished(step, seconds):
            listener.finished(step, seconds)
        case Noted(words):
            listener.noted(words)


def run_one(spec: Spec, listener: Listener) -> Ended:
    """Run one recipe, and return also a failure: one run of several does not stop the others.

    Raises
    ------
    KeyboardInterrupt
        If the user stops it.
    """
    from engine.lifecycle import run

    start = time.perf_counter()
    try:
        folder = run(spec, listener=listener).path
    except Exception as fault:  # noqa: BLE001 (a fault of ours in one run does not stop the others)
        if is_stop(fault):
            raise KeyboardInterrupt from None
        return Ended(None, _told(fault), traceback.format_exc(), time.perf_counter() - start)
    return Ended(folder, None, "", time.perf_counter() - start)


def work(jobs: Sequence[Job], *, n_workers: int, with_progress: bool) -> Generator[tuple[int, Event]]:
    """Do the jobs in their order, `n_workers` at a time, and yield what happens with the job's number.

    Each job ends with one `Ended`. Leaving the iterator early (close it) stops every worker.

    Parameters
    ----------
    with_progress
        Whether `Progressed` is wanted, of which a run may send thousands.
    """
    import multiprocessing
    from multiprocessing import resource_tracker
    from multiprocessing.connection import wait

    context = multiprocessing.get_context("spawn")
    # Started with the first worker it would let Ctrl-C through to that one (see `_hire`).
    resource_tracker.ensure_running()
    waiting = list(reversed(jobs))
    workers: list[_Worker] = []
    stage = _Stage(workers)
    try:
        while waiting or workers:
            while waiting and len(workers) < n_workers and stage.timed is None:
                workers.append(_hire(context, waiting.pop(), with_progress=with_progress))
            ready = wait([worker.connection for worker in stage.hears()])
            for worker in [worker for worker in workers if worker.connection in ready]:
                if worker not in stage.hears():
                    continue
                number, event = worker.job.number, worker.hear()
                stage.heard(worker, event)
                if isinstance(event, Ended) and not (waiting and worker.give(waiting[-1])):
                    workers.remove(worker)
                    worker.dismiss()
                elif isinstance(event, Ended):
                    waiting.pop()
                yield number, event
    finally:
        _stop(workers)


@dataclass(eq=False)
class _Worker:
    """A process and the job it is at."""

    process: SpawnProcess
    connection: Connection
    job: Job
    given_at: float

    def give(self, job: Job) -> bool:
        """Hand over the next job; False if the process is there no more."""
        try:
            self.connection.send(job.spec)
        except OSError:
            return False
        self.job, self.given_at = job, time.perf_counter()
        return True

    def hear(self) -> Event:
        """Wait for the next event; the death of the process is the end of its job."""
        try:
            return cast("Event", self.connection.recv())
        except (EOFError, OSError):
            self.process.join()
        return Ended(None, _death(self.process.exitcode), "", time.perf_counter() - self.given_at)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if the process is still there."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(cast("int", self.process.pid), number)

    def dismiss(self) -> None:
        """Let the process end: it has no more to do."""
        self.connection.close()
        self.signal(signal.SIGCONT)
        self.process.join(_GRACE_S)
        self.process.kill()
        self.process.join()


@dataclass
class _Stage:
    """The place where one run at a time is timed, while the kernel keeps every other worker still."""

    workers: Sequence[_Worker]
    timed: _Worker | None = None

    def hears(self) -> Sequence[_Worker]:
        """Return the workers to listen to: one that was stopped may be in the middle of a word."""
        return list(self.workers) if self.timed is None else [self.timed]

    def heard(self, worker: _Worker, event: Event) -> None:
        """Begin or end a worker's turn."""
        if event == Started(TIMED):
            self.timed = worker
            self._signal_others(signal.SIGSTOP)
            # If the process is gone already the next `hear` says so.
            with contextlib.suppress(OSError):
                worker.connection.send(TIMED)
        elif self.timed is worker and (
            isinstance(event, Ended) or (isinstance(event, Finished) and event.step == TIMED)
        ):
            self.timed = None
            self._signal_others(signal.SIGCONT)

    def _signal_others(self, number: signal.Signals) -> None:
        for other in self.workers:
            if other is not self.timed:
                other.signal(number)


def _hire(context: SpawnContext, job: Job, *, with_progress: bool) -> _Worker:
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, with_progress), name=f"run {job.number}")
    # Ctrl-C reaches every process of the terminal, and the parent alone answers it: a worker is born with
    # the signal held back, and held back it stays.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    theirs.close()
    worker = _Worker(process, ours, job, time.perf_counter())
    # If the process is gone already the next `hear` says so.
    worker.give(job)
    return worker


def _stop(workers: Sequence[_Worker]) -> None:
    """Ask every worker to end, and kill those that don't within the grace."""
    try:
        for worker in workers:
            worker.process.terminate()
            worker.signal(signal.SIGCONT)
        until = time.monotonic() + _GRACE_S
        for worker in workers:
            worker.process.join(max(0.0, until - time.monotonic()))
    finally:
        # Also where the user, out of patience, interrupts the wait.
        for worker in workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()


def _serve(connection: Connection, with_progress: bool) -> None:
    """Be a worker: do the runs that come until none comes any more."""
    signal.signal(signal.SIGTERM, _interrupt)
    # Threads of several runs that spin while they wait would take the cores from each other; how they wait
    # changes no sum.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    # What a library prints must not stand in the command's own result.
    os.dup2(2, 1)
    relay = _Relay(connection, with_progress=with_progress)
    with contextlib.suppress(KeyboardInterrupt, EOFError, BrokenPipeError):
        _end_with_parent()
        while True:
            connection.send(run_one(connection.recv(), relay))


class _Relay:
    """A listener that sends what it hears to the parent."""

    def __init__(self, connection: Connection, *, with_progress: bool) -> None:
        self._connection = connection
        self._with_progress = with_progress

    def started(self, step: str) -> None:
        """Send the step that begins; the one that is timed waits until every other run is still."""
        self._connection.send(Started(step))
        if step == TIMED:
            self._connection.recv()

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Send how far it is, if anyone looks."""
        if self._with_progress:
            self._connection.send(Progressed(done, total, score))

    def tried(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Send nothing: a run beside others has one line."""

    def finished(self, step: str, seconds: float) -> None:
        """Send the step that has ended."""
        self._connection.send(Finished(step, seconds))

    def noted(self, words: str) -> None:
        """Send a note."""
        self._connection.send(Noted(words))


def _end_with_parent() -> None:
    """Have the kernel kill this process when the command is gone, also where that was killed itself.

    Raises
    ------
    KeyboardInterrupt
        If it is gone already.
    """
    import ctypes
    import multiprocessing

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    parent = multiprocessing.parent_process()
    if parent is None or parent.pid != os.getppid():
        raise KeyboardInterrupt


def _interrupt(_signal: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _told(fault: Exception) -> EngineError:
    if isinstance(fault, EngineError):
        return fault
    if isinstance(fault, OSError) and fault.strerror:
        place = f"{os.fsdecode(fault.filename)}: " if fault.filename is not None else "the system refused: "
        return EngineError.of(f"{place}{fault.strerror}")
    return own_fault(fault)


def _death(exit_code: int | None) -> EngineError:
    """Say how a worker ended that should not have."""
    if exit_code is not None and exit_code < 0:
        name = signal.Signals(-exit_code).name
        why = " (the system does so when memory runs out)" if -exit_code == signal.SIGKILL else ""
        what = f"the run's process was ended by {name}{why}"
    else:
        what = f"the run's process ended by itself, with exit code {exit_code}"
    return EngineError.of(what, try_="engine runs, then engine run --resume RUN; fewer compute.parallel_runs")

"""The steps of a run as they happen: named, timed, and told to whoever watches."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.tuning.trial import Outcome, Trial

# The step whose own clock a gate may bound: who has other work going on beside it keeps that still meanwhile.
TIMED = "time one row"
# The step that is a search: its progress is of trials, its score the best so far.
SEARCH = "tune"
# The first step; its progress is of rows.
READING = "read and check"
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Listener(Protocol):
    """Who watches a run: the command line's progress bar, or nobody."""

    def started(self, step: str) -> None:
        """Hear that a step begins."""

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Hear how far the current step is; `score` is the validation score so far."""

    def tried(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Hear of a trial that has ended, and whether it is the best so far."""

    def finished(self, step: str, seconds: float) -> None:
        """Hear that a step has ended."""

    def noted(self, words: str) -> None:
        """Hear something a person should know, in one sentence."""


class Silence:
    """A listener that says nothing."""

    def started(self, step: str) -> None:
        """Say nothing."""

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Say nothing."""

    def tried(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Say nothing."""

    def finished(self, step: str, seconds: float) -> None:
        """Say nothing."""

    def noted(self, words: str) -> None:
        """Say nothing."""


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step: wall seconds, and the process's peak resident memory during it in MiB."""

    name: str
    seconds: float
    peak_mib: float

    def to_json(self) -> dict[str, object]:
        """Return the form kept in `facts.json`."""
        return {"name": self.name, "seconds": round(self.seconds, 3), "peak_mib": round(self.peak_mib, 1)}


@dataclass
class Steps:
    """Runs steps one after the other and keeps what they took."""

    listener: Listener
    done: list[Step] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time what happens inside the `with` block."""
        self.listener.started(name)
        _reset_peak()
        start = time.perf_counter()
        yield
        seconds = time.perf_counter() - start
        self.done.append(Step(name, seconds, _peak_mib()))
        self.listener.finished(name, seconds)

    def take(self, notes: Iterable[str]) -> None:
        """Keep and tell several notes."""
        for words in notes:
            self.note(words)

    def read(self, n_rows: int, n_all: int) -> None:
        """Tell how many rows of a table have been read."""
        self.listener.progressed(n_rows, n_all, None)

    def note(self, words: str) -> None:
        """Keep one sentence for the report and tell it."""
        self.notes.append(words)
        self.listener.noted(words)


def _reset_peak() -> None:
    """Start the kernel's high-water mark anew, where the kernel lets us."""
    try:
        _CLEAR_REFS.write_text("5")
    except OSError:
        return


def _peak_mib() -> float:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))

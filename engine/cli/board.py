"""The progress of runs side by side, on stderr: one live line a run on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.cli.output import is_terminal, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from engine.tuning.trial import Outcome, Trial


@dataclass
class Board:
    """Lines of the runs at work, and below them how many are done."""

    n_runs: int
    quiet: bool
    _live: Progress | None = field(default=None, init=False)
    _all: TaskID | None = field(default=None, init=False)

    @property
    def is_live(self) -> bool:
        """Whether lines move: on a terminal, unless told to be quiet."""
        return not self.quiet and is_terminal(sys.stderr)

    def open(self) -> None:
        """Show that nothing is done yet."""
        if not self.is_live:
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[score]}", markup=False),
        )
        self._live = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._all = self._live.add_task("runs", total=self.n_runs, score=f"0/{self.n_runs}")
        self._live.start()

    def line(self, number: int, label: str) -> Line:
        """Show that a run begins, and return its line."""
        mark = f"[{number}/{self.n_runs}]"
        if self._live is None and not self.quiet:
            say(f"{mark} {label}")
        task = None if self._live is None else self._live.add_task(f"{mark} {label}", total=None, score="")
        return Line(mark, label, self.quiet, self._live, task)

    def ended(self, line: Line, n_done: int, words: str) -> None:
        """Take a run's line away and leave what it came to."""
        if self._live is not None and line.task is not None and self._all is not None:
            self._live.remove_task(line.task)
            self._live.update(self._all, completed=n_done, score=f"{n_done}/{self.n_runs}")
        if not self.quiet:
            say(f"{line.mark} {line.label}: {words}")

    def close(self) -> None:
        """Take the lines away, also after an error."""
        if self._live is not None:
            self._live.stop()
            self._live = None


@dataclass(frozen=True)
class Line:
    """One run's line; a listener of it."""

    mark: str
    label: str
    quiet: bool
    live: Progress | None
    task: TaskID | None

    def started(self, step: str) -> None:
        """Show the step that begins."""
        if self.live is not None and self.task is not None:
            self.live.reset(self.task, total=None, description=f"{self.mark} {self.label}: {step}", score="")

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Move the bar."""
        if self.live is not None and self.task is not None:
            words = f"{done}/{total}" + ("" if score is None else f"  validation {score:.5g}")
            self.live.update(self.task, completed=done, total=total, score=words)

    def tried(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Show nothing: a run beside others has one line."""

    def finished(self, step: str, seconds: float) -> None:
        """Leave one line, where lines don't move."""
        if self.live is None and not self.quiet:
            say(f"{self.mark} {step:<28} {seconds:8.2f} s")

    def noted(self, words: str) -> None:
        """Print a note."""
        if not self.quiet:
            say(f"{self.mark} note: {words}")

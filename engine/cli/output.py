"""Printing: results to stdout, progress and errors to stderr; tables and the live progress bar.

Whoever reads may go before all is said (`engine runs | head -1`): the rest is then said to nobody, and the
command ends as it would have. A stream that can't take what is written for another reason is an error.
"""

from __future__ import annotations

import contextlib
import json as json_library
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, TextIO

from engine.errors import EngineError, report, visible
from engine.redaction import redact
from engine.runs.steps import READING, SEARCH

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from engine.cli.search_table import SearchTable
    from engine.tuning.trial import Outcome, Trial

_PIPED_WIDTH = 140
_TELL_EVERY_S = 10.0
# What separates the columns of a table, and its two edges.
_BETWEEN, _EDGES = 3, 1
_FACT = 9
# What a terminal is told of the words that follow (ECMA-48, SGR).
_BOLD, _GREEN, _BOLD_RED = "1", "32", "1;31"


class OutputError(EngineError):
    """What the command had to say can't be written."""


def print_json(document: object) -> None:
    """Print one JSON document on stdout; what it says of errors is without secrets."""
    _write(sys.stdout, json_library.dumps(_redacted(document), indent=2, ensure_ascii=False) + "\n")


def print_text(text: str) -> None:
    """Print a result on stdout."""
    _write(sys.stdout, _seen(text) + "\n")


def print_fact(name: str, words: str) -> None:
    """Print what is known under a short name, on a terminal with its later lines below the first.

    Elsewhere it stays one line, for whoever searches what was printed.
    """
    print_prose(words, begin=f"{name:<{_FACT}}")


def print_prose(words: str, *, begin: str = "") -> None:
    """Print a sentence, on a terminal folded between words, its lines below each other after `begin`."""
    lines = [words]
    if is_terminal(sys.stdout):
        room = max(line_width() - len(begin), _FACT)
        lines = textwrap.wrap(words, room, break_long_words=False, break_on_hyphens=False)
    print_text(begin + f"\n{'':<{len(begin)}}".join(lines))


def print_error(error: EngineError, *, json: bool) -> None:
    """Print an error: on stderr for people, on stdout as the one document for programs.

    Where stdout can't take the document stderr has the words; where neither can, the exit code must do.
    """
    words = report(error.messages) + "\n"
    with contextlib.suppress(OutputError):
        if json and not isinstance(error, OutputError):
            print_json(error.to_json())
            return
    with contextlib.suppress(OutputError):
        _write(sys.stderr, words)


def say(words: str) -> None:
    """Print a line on stderr; words that can't be shown are no reason to stop the work."""
    with contextlib.suppress(OutputError):
        _write(sys.stderr, _seen(words) + "\n")


def print_trace(trace: str) -> None:
    """Print a traceback on stderr, for --debug."""
    with contextlib.suppress(OutputError):
        _write(sys.stderr, trace)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    whole: str = "",
    spare: Sequence[str] = (),
) -> None:
    """Print a table on stdout; numbers, which begin with a digit or a sign, stand on the right.

    Cells are folded between words. The column `whole` is never folded: what stands in it is copied into the
    next command. Where not every word has room, columns that are `spare` are left out, the first one first.
    """
    from engine.cli.layout import draw, lay_out, spared, styled

    width = line_width()
    rows = [[_seen(cell) for cell in row] for row in rows]
    (names, *left) = spared([columns, *rows], spare=spare, room=width - _EDGES, between=_BETWEEN)
    kept = names.index(whole) if whole else None
    laid = lay_out([names, *left], room=width - _EDGES - _BETWEEN * len(names), kept=kept)
    is_colored = is_terminal(sys.stdout) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    styles = [[_style(cell) if is_colored else "" for cell in row] for row in left]
    header = _BOLD if is_colored else ""
    drawn = draw(
        laid,
        right=[_are_numbers([row[index] for row in left]) for index in range(len(names))],
        styles=[[header] * len(names), *styles],
    )
    _write(sys.stdout, f"{styled(title, header)}\n{drawn}" if title else drawn)


def _are_numbers(cells: Sequence[str]) -> bool:
    given = [cell for cell in cells if cell]
    return bool(given) and all(cell[0].isdigit() or cell[0] in "-+" for cell in given)


def _seen(words: str) -> str:
    """Return words whose lines hold nothing that a terminal would obey: names may be a stranger's."""
    return words if words.isprintable() else "\n".join(map(visible, words.split("\n")))


def line_width() -> int:
    """Return how many cells a line on stdout has; what no terminal shows has as many wherever it is run."""
    return shutil.get_terminal_size().columns if is_terminal(sys.stdout) else _PIPED_WIDTH


def _write(stream: TextIO | None, words: str) -> None:
    """Write and flush; a stream that the caller has closed (`>&-`) is None, and takes nothing.

    Raises
    ------
    OutputError
        If the stream takes no more, as on a full disk.
    """
    if stream is None:
        return
    try:
        # What goes wrong is told in words of the system and of libraries, which know of no secrets.
        stream.write(redact(words) if stream is sys.stderr else words)
        stream.flush()
    except BrokenPipeError:
        _close(stream)
    except OSError as error:
        _close(stream)
        name = "stdout" if stream is sys.stdout else "stderr"
        raise OutputError.of(f"{name} can't be written: {error.strerror}") from error


def _redacted(document: object, *, in_error: bool = False) -> object:
    if isinstance(document, dict):
        return {key: _redacted(inner, in_error=in_error or key == "error") for key, inner in document.items()}
    if isinstance(document, list | tuple):
        return [_redacted(inner, in_error=in_error) for inner in document]
    return redact(document) if in_error and isinstance(document, str) else document


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether a person sees what is written to a stream as it is written."""
    return stream is not None and stream.isatty()


def _close(stream: TextIO) -> None:
    """Send what is still buffered, and all that follows, nowhere: Python itself flushes as it ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, stream.fileno())
        finally:
            os.close(nowhere)


def _style(cell: str) -> str:
    return {"passed": _GREEN, "missed": _BOLD_RED, "failed": _BOLD_RED}.get(cell, "")


class Watcher:
    """Tells a run's progress on stderr: a bar on a terminal, one line a step elsewhere, of a long one a few.

    Of a search a terminal shows the trials too.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._table: SearchTable | None = None
        self._task: TaskID | None = None
        self._step, self._told_s = "", 0.0
        self._first: tuple[float, int] | None = None
        self._done = 0

    def started(self, step: str) -> None:
        """Show the step that begins."""
        self._step, self._told_s, self._first = step, time.monotonic(), None
        if self._quiet or not is_terminal(sys.stderr):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[score]}"),
        )
        console = Console(stderr=True)
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console, transient=True)
        self._task = self._bar.add_task(step, total=None, score="")
        if step == SEARCH:
            from engine.cli.search_table import SearchTable

            self._table = SearchTable(self._bar, console)
            self._table.start()
        else:
            self._bar.start()

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Move the bar; of a search tell the best and the time left, without a bar now and then."""
        name = "best" if self._step == SEARCH else "validation"
        words = f"{done:,} of {total:,} rows" if self._step == READING else f"{done}/{total}"
        words += "" if score is None else f"  {name} {score:.5g}"
        is_long = self._step in {SEARCH, READING}
        if is_long:
            words += self._left(done, total)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total, score=words)
        elif not self._quiet and time.monotonic() - self._told_s >= _TELL_EVERY_S:
            self._told_s = time.monotonic()
            say(f"{self._step}: {words}")

    def tried(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Show a trial that has ended, where a table is shown."""
        if self._table is not None:
            self._table.tried(trial, outcome, is_best=is_best)

    def _left(self, done: int, total: int) -> str:
        """Say how long the rest may take at the pace so far; what stood there before a resume has none."""
        now = time.monotonic()
        # What is read again, the slower way, begins anew.
        if self._first is None or done < self._done:
            self._first = now, done
        self._done = done
        since_s, before = self._first
        if done <= before or done >= total:
            return ""
        left = round((now - since_s) / (done - before) * (total - done))
        minutes, seconds = divmod(left, 60)
        return f"  {minutes // 60}:{minutes % 60:02}:{seconds:02} left"

    def finished(self, step: str, seconds: float) -> None:
        """Take the bar away and leave one line."""
        self.close()
        if not self._quiet:
            say(f"{step:<28} {seconds:8.2f} s")

    def noted(self, words: str) -> None:
        """Print a note."""
        if not self._quiet:
            say(f"note: {words}")

    def close(self) -> None:
        """Take the bar away, also after an error."""
        shown = self._table or self._bar
        self._table = self._bar = None
        if shown is not None:
            shown.stop()

"""Printing: results to stdout, progress and errors to stderr; tables and the live progress bar."""

from __future__ import annotations

import json as json_library
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import EngineError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PIPED_WIDTH = 140


def print_json(document: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(json_library.dumps(document, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_text(text: str) -> None:
    """Print a result on stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_error(error: EngineError, *, json: bool) -> None:
    """Print an error: on stderr for people, on stdout as the one document for programs."""
    if json:
        print_json(error.to_json())
    else:
        sys.stderr.write("\n\n".join(str(message) for message in error.messages) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; numbers, which begin with a digit or a sign, stand on the right."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold")
    for index, column in enumerate(columns):
        numbers = [row[index] for row in rows if row[index]]
        right = bool(numbers) and all(cell[0].isdigit() or cell[0] in "-+" for cell in numbers)
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    width = None if sys.stdout.isatty() else _PIPED_WIDTH
    Console(file=sys.stdout, width=width, highlight=False, soft_wrap=False).print(table)


def _style(cell: str) -> str:
    return {"passed": "green", "missed": "bold red", "failed": "bold red"}.get(cell, "")


class Watcher:
    """Tells a run's progress on stderr: a bar on a terminal, one line a step elsewhere."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def started(self, step: str) -> None:
        """Show the step that begins."""
        if self._quiet or not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[score]}"),
        )
        self._bar = Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True)
        self._task = self._bar.add_task(step, total=None, score="")
        self._bar.start()

    def progressed(self, done: int, total: int, score: float | None) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            words = f"{done}/{total}" + ("" if score is None else f"  validation {score:.5g}")
            self._bar.update(self._task, completed=done, total=total, score=words)

    def finished(self, step: str, seconds: float) -> None:
        """Take the bar away and leave one line."""
        self.close()
        if not self._quiet:
            sys.stderr.write(f"{step:<28} {seconds:8.2f} s\n")

    def noted(self, words: str) -> None:
        """Print a note."""
        if not self._quiet:
            sys.stderr.write(f"note: {words}\n")

    def close(self) -> None:
        """Take the bar away, also after an error."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

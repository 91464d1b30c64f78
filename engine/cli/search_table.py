"""A search as it goes on, on a terminal: its bar, the best trial so far, and the latest few.

A thread of Rich's own draws it a few times a second; a trial that ends only leaves a row here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import visible

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.progress import Progress
    from rich.table import Table

    from engine.tuning.trial import Outcome, Trial

_SHOWN = 6
_PER_SECOND = 4
_STATES = {"done": "", "stopped": "stopped early", "failed": "failed"}
_BEST = "best"
Row = tuple[str, str, str, str]


class SearchTable:
    """The table, and above it the bar that whoever watches moves."""

    def __init__(self, bar: Progress, console: Console) -> None:
        from rich.live import Live

        self._bar = bar
        # Replaced whole, never changed: the drawing thread may look at any moment.
        self._latest: tuple[Row, ...] = ()
        self._best: Row | None = None
        self._live = Live(
            console=console, get_renderable=self._draw, refresh_per_second=_PER_SECOND, transient=True
        )

    def start(self) -> None:
        """Show it."""
        self._live.start()

    def stop(self) -> None:
        """Take it away."""
        self._live.stop()

    def tried(self, trial: Trial, outcome: Outcome, *, is_best: bool) -> None:
        """Add a trial that has ended."""
        row = row_of(trial, outcome)
        if is_best:
            self._best = row
        self._latest = (*self._latest, row)[-_SHOWN:]

    def _draw(self) -> Group:
        from rich.console import Group

        return Group(self._bar.get_renderable(), self._table())

    def _table(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
        table.add_column("trial", justify="right", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
        table.add_column("state", no_wrap=True)
        table.add_column("params", no_wrap=True, overflow="ellipsis", ratio=1)
        if self._best is not None:
            number, score, _, params = self._best
            table.add_row(*(Text(cell, style="green") for cell in (number, score, _BEST, params)))
        for row in reversed(self._latest):
            table.add_row(*map(Text, row))
        return table


def row_of(trial: Trial, outcome: Outcome) -> Row:
    """Return what is told of a trial: its number, score, what came of it, and what it tried."""
    score = "" if outcome.score is None else f"{outcome.score:.5g}"
    state = f"misses {', '.join(outcome.missed)}" if outcome.missed else _STATES[outcome.state]
    params = " ".join(f"{name}={_short(value)}" for name, value in trial.params.items())
    again = f"trial {trial.repeats} with seed {trial.seed}: " if trial.repeats is not None else ""
    return (
        str(trial.index),
        score,
        visible(state),
        visible(f"{trial.model}  {again}{params or 'as it stands'}"),
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value).replace(" ", "")

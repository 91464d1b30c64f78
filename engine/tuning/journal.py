"""The journal of a search: each trial is written down before it begins, each outcome when it comes.

Each entry is on the disk before the next thing happens. Who resumes replays them in order: a trial with an
outcome never runs again, one without runs with the very params it had.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from engine.durable import append_journal, mend_journal, read_journal
from engine.errors import EngineError
from engine.tuning.trial import Outcome, Trial

_TRIAL, _OUTCOME = "trial", "outcome"


class Journal:
    """The trials and outcomes of one search, in memory as on the disk.

    Attributes
    ----------
    trials
        All that were begun, by index.
    outcomes
        Of those that have ended, by index.
    n_replayed
        How many outcomes stood in the journal when it was opened.

    Raises
    ------
    EngineError
        If what stands in the file is no journal of a search.
    """

    def __init__(self, path: Path) -> None:
        mend_journal(path)
        self._path = path
        self.trials: dict[int, Trial] = {}
        self.outcomes: dict[int, Outcome] = {}
        try:
            for entry in read_journal(path):
                self._replay(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise EngineError.of(f"{path} is not the journal of a search: {error}") from error
        self.n_replayed = len(self.outcomes)

    def begin(self, trial: Trial) -> None:
        """Write a trial down, before it begins."""
        append_journal(self._path, {_TRIAL: trial.to_json()})
        self.trials[trial.index] = trial

    def end(self, outcome: Outcome) -> None:
        """Write an outcome down; the first of a trial counts."""
        if outcome.index in self.outcomes:
            return
        append_journal(self._path, {_OUTCOME: outcome.to_json()})
        self.outcomes[outcome.index] = outcome

    def _replay(self, entry: dict[str, object]) -> None:
        if _TRIAL in entry:
            trial = Trial.from_json(cast("dict[str, object]", entry[_TRIAL]))
            self.trials[trial.index] = trial
        else:
            outcome = Outcome.from_json(cast("dict[str, object]", entry[_OUTCOME]))
            self.outcomes[outcome.index] = outcome

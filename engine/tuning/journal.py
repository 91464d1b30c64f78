"""The journal of a search: each trial is written down before it begins, each outcome when it comes.

Each entry is on the disk before the next thing happens. Who resumes replays them in order: a trial with an
outcome never runs again, one without runs with the very params it had.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

from engine.durable import append_journal, mend_journal
from engine.errors import EngineError
from engine.tuning.trial import Outcome, Trial

_TRIAL, _OUTCOME = "trial", "outcome"
_CURE = "cut the journal off before that line, and resume: what stood there and after it is done again"


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
        As `replay`.
    """

    def __init__(self, path: Path) -> None:
        mend_journal(path)
        self._path = path
        self.trials, self.outcomes = replay(path)
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

    def settle(self) -> list[Outcome]:
        """Take in what stands on the disk and not here, as after a stop between the two; return outcomes."""
        trials, outcomes = replay(self._path)
        new = [outcome for index, outcome in outcomes.items() if index not in self.outcomes]
        self.trials, self.outcomes = trials, outcomes
        return new


def replay(path: Path) -> tuple[dict[int, Trial], dict[int, Outcome]]:
    """Return the trials and the outcomes of a journal by index; a last line that a kill has cut is left out.

    Raises
    ------
    EngineError
        If a whole line is no entry of a search.
    """
    trials: dict[int, Trial] = {}
    outcomes: dict[int, Outcome] = {}
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
            if _TRIAL in entry:
                trial = Trial.from_json(cast("dict[str, object]", entry[_TRIAL]))
                trials[trial.index] = trial
            else:
                outcome = Outcome.from_json(cast("dict[str, object]", entry[_OUTCOME]))
                outcomes[outcome.index] = outcome
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            why = "it is no JSON" if isinstance(error, ValueError) else "it holds neither trial nor outcome"
            what = f"line {number} of the search's journal is damaged: {why}"
            raise EngineError.of(what, file=f"{path}:{number}", try_=_CURE) from error
    return trials, outcomes

"""What fits in stages have come to, as files: a missing one costs time, and changes nothing.

A trial says by itself all that it is, so these files are found by what they hold, and may be removed at any
moment. A worker on a machine that does not see the run's folder keeps none, and trains each stage again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine import durable
from engine.tuning.trial import Trial


@dataclass(frozen=True)
class States:
    """The folder of them, made when the first is kept."""

    folder: Path

    def load(self, trial: Trial, n_stages: int) -> bytes | None:
        """Return what a trial had come to after its first stages, None where that is not kept."""
        try:
            return self._file(_after(trial, n_stages)).read_bytes()
        except OSError:
            return None

    def save(self, trial: Trial, content: bytes) -> None:
        """Keep what a trial has come to, for those that go on from it."""
        if self.folder.parent.is_dir() and trial.repeats is None:
            self.folder.mkdir(exist_ok=True)
            durable.write_bytes(self._file(trial), content)

    def forget(self, trials: Iterable[Trial], *, but: Iterable[Trial]) -> None:
        """Remove what trials came to that no other goes on from."""
        kept = {self._file(trial) for trial in but}
        for file in {self._file(trial) for trial in trials} - kept:
            file.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all of them."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _file(self, trial: Trial) -> Path:
        said = json.dumps([trial.model, list(map(dict, trial.stages)), trial.seed], sort_keys=True)
        return self.folder / f"{hashlib.sha256(said.encode()).hexdigest()[:32]}.npz"


def _after(trial: Trial, n_stages: int) -> Trial:
    return replace(trial, past=trial.stages[: n_stages - 1], params=trial.stages[n_stages - 1])

"""A run's folder while it is made: one owner, written aside, and published by one rename.

`<runs>/<name>/<id>.partial` is a run at work or an interrupted one (the kernel's lock tells which);
`<runs>/<name>/<id>` is a whole run and is never modified.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from engine import durable
from engine.errors import EngineError, RecipeError

PARTIAL = ".partial"
RECIPE = "recipe.yaml"
TRIALS = "trials.jsonl"
# The journals of the searches inside the folds.
NESTED = "nested"
# What fits in stages have come to, while a search goes on.
STATES = "states"
# Who was made the champion of a name, beside its runs.
CHAMPIONS = "champions.jsonl"
# Why a search came to nothing; its folder stays, for its trials.
FAILED = "failed.json"
State = Literal["interrupted", "failed", "at work"]
_STAMP = "%Y%m%d-%H%M%S"
_STAMPED = re.compile(r"\d{8}-\d{6}(?=-)")


@dataclass(frozen=True, slots=True)
class Draft:
    """A run folder under construction."""

    run: str
    folder: Path
    final: Path


@contextmanager
def draft(root: Path, *, name: str, digest: str, resume: str | None = None) -> Iterator[Draft]:
    """Open a run folder, and publish it when the block ends well.

    An interruption leaves the folder as `<id>.partial`, to be resumed; an error removes it, but for a search:
    trials that have ended are never thrown away.

    Parameters
    ----------
    digest
        SHA-256, in hex, of what decides the run; its first eight digits end the run's id.
    resume
        The id of an interrupted run to do again under the same id.
    """
    parent = root / name
    parent.mkdir(parents=True, exist_ok=True)
    with _reopened(parent, resume, digest) if resume else _created(parent, digest) as made:
        try:
            yield made
            durable.publish_folder(made.folder, made.final)
        except Exception:
            if not (made.folder / TRIALS).exists():
                durable.remove_folder(made.folder)
            raise


@contextmanager
def failing(made: Draft, fault: type[EngineError]) -> Iterator[None]:
    """Mark the folder where the block ends in a fault that would come again: there is nothing to resume."""
    try:
        yield
    except fault as error:
        durable.write_json(made.folder / FAILED, {"error": error.messages[0].what})
        raise


def state_of(folder: Path) -> State:
    """Tell what a partial folder is."""
    if durable.is_locked(_lock_of(folder)):
        return "at work"
    return "interrupted" if failure(folder) is None else "failed"


def failure(folder: Path) -> str | None:
    """Return why a run has failed for good, None where it has not."""
    try:
        return str(json.loads((folder / FAILED).read_bytes())["error"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def is_interrupted(folder: Path) -> bool:
    """Tell whether a partial folder has no living owner, and may be finished."""
    return folder.name.endswith(PARTIAL) and state_of(folder) == "interrupted"


def _lock_of(folder: Path) -> Path:
    """Return the lock of a partial folder: beside it, so that it outlives the folder's last rename."""
    return folder.with_name(f".{folder.name.removesuffix(PARTIAL)}.lock")


@contextmanager
def _owned(made: Draft) -> Iterator[Draft]:
    lock = _lock_of(made.folder)
    with durable.locked(lock):
        try:
            yield made
        finally:
            lock.unlink()


@contextmanager
def _created(parent: Path, digest: str) -> Iterator[Draft]:
    """Make a folder whose id is later than every other, so that ids sort as the runs began."""
    while True:
        moment = _next_moment(parent)
        run = f"{moment:{_STAMP}}-{digest[:8]}"
        made = Draft(run, parent / (run + PARTIAL), parent / run)
        try:
            made.folder.mkdir()
        except FileExistsError:
            # Another process has begun the same run in the same second.
            continue
        if made.final.exists():
            made.folder.rmdir()
            continue
        with _owned(made):
            yield made
        return


def _next_moment(parent: Path) -> datetime:
    now = datetime.now(UTC).replace(microsecond=0)
    begun = [match[0] for entry in parent.iterdir() if (match := _STAMPED.match(entry.name))]
    latest = max(begun, default="")
    if latest < f"{now:{_STAMP}}":
        return now
    return datetime.strptime(latest, _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)


@contextmanager
def _reopened(parent: Path, run: str, digest: str) -> Iterator[Draft]:
    """Take an interrupted run over: own it first, then empty it of what was half made."""
    made = Draft(run, parent / (run + PARTIAL), parent / run)
    if not run.endswith(digest[:8]):
        what = f"recipe, data, code or versions have changed since run {run} was interrupted"
        raise RecipeError.of(what, file=str(made.folder / RECIPE), try_="engine run RECIPE for a new run")
    with _owned(made):
        if not made.folder.is_dir():
            state = "is finished" if made.final.is_dir() else f"is not in {parent}"
            raise RecipeError.of(f"run {run} {state}", try_="engine runs")
        for entry in made.folder.iterdir():
            # The recipe stays: a second interruption must leave the run resumable. So do finished trials.
            if entry.name not in (RECIPE, TRIALS, STATES, NESTED):
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        yield made

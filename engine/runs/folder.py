"""A run's folder while it is made: one owner, written aside, and published by one rename.

`<runs>/<name>/<id>.partial` is a run at work or an interrupted one (the kernel's lock tells which);
`<runs>/<name>/<id>` is a whole run and is never modified.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine import durable
from engine.errors import EngineError, RecipeError

PARTIAL = ".partial"
LOCK = ".lock"
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

    An interruption leaves the folder as `<id>.partial`, to be resumed; an error removes it.

    Parameters
    ----------
    digest
        SHA-256, in hex, of what decides the run; its first eight digits end the run's id.
    resume
        The id of an interrupted run to do again under the same id.
    """
    parent = root / name
    parent.mkdir(parents=True, exist_ok=True)
    made = _reopen(parent, resume, digest) if resume else _create(parent, digest)
    with durable.locked(made.folder / LOCK):
        try:
            yield made
            (made.folder / LOCK).unlink()
            durable.publish_folder(made.folder, made.final)
        except Exception:
            durable.remove_folder(made.folder)
            raise


def is_interrupted(folder: Path) -> bool:
    """Tell whether a partial folder has no living owner."""
    return folder.name.endswith(PARTIAL) and not durable.is_locked(folder / LOCK)


def _create(parent: Path, digest: str) -> Draft:
    """Make a folder whose id is later than every other, so that ids sort as the runs began."""
    while True:
        moment = _next_moment(parent)
        run = f"{moment:{_STAMP}}-{digest[:8]}"
        folder, final = parent / (run + PARTIAL), parent / run
        try:
            folder.mkdir()
        except FileExistsError:
            # Another process has begun the same run in the same second.
            continue
        if final.exists():
            folder.rmdir()
            continue
        return Draft(run, folder, final)


def _next_moment(parent: Path) -> datetime:
    now = datetime.now(UTC).replace(microsecond=0)
    begun = [match[0] for entry in parent.iterdir() if (match := _STAMPED.match(entry.name))]
    latest = max(begun, default="")
    if latest < f"{now:{_STAMP}}":
        return now
    return datetime.strptime(latest, _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)


def _reopen(parent: Path, run: str, digest: str) -> Draft:
    folder, final = parent / (run + PARTIAL), parent / run
    if not folder.is_dir():
        what = (
            f"run {run} is finished" if final.is_dir() else f"there is no interrupted run {run} in {parent}"
        )
        raise RecipeError.of(what, try_="engine runs")
    if durable.is_locked(folder / LOCK):
        raise EngineError.of(f"run {run} is at work in another process")
    if not run.endswith(digest[:8]):
        what = f"recipe, data, code or versions have changed since run {run} was interrupted"
        raise RecipeError.of(what, file=str(folder / "recipe.yaml"), try_="engine run RECIPE for a new run")
    for entry in folder.iterdir():
        # The recipe stays: a second interruption must leave the run resumable.
        if entry.name not in (LOCK, "recipe.yaml"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return Draft(run, folder, final)

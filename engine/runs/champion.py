"""The champion of a name: the run that serves now, by a journal that says who made it that, and why.

The journal is all there is: its last whole line names the champion, so a promotion is one fsynced line, done
or not done. What a run must be to be promoted is judged here; what is done with it is not known.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine import durable
from engine.errors import EngineError, RecipeError
from engine.runs.folder import CHAMPIONS
from engine.runs.run import Run, find_champion


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the journal: `run` took the place of `before`, which is None for the first."""

    run: str
    before: str | None
    who: str
    why: str
    when: str
    is_back: bool


def promote(run: Run, *, why: str) -> Promotion:
    """Make a run the champion of its name.

    Raises
    ------
    GateError
        If its gates were missed.
    BundleError
        If a file of its bundle is not what the manifest says, or a golden row is not predicted as stored.
    RecipeError
        If it is the champion already.
    EngineError
        If another process is promoting at this moment.
    """
    return _promote(run.path.parent, run.id, why=why, is_back=False)


def back(folder: Path, *, why: str) -> Promotion:
    """Make the champion before this one the champion of a name again, judged as any other.

    Parameters
    ----------
    folder
        Of the name's runs; that of the champion of now may be gone from it.

    Raises
    ------
    RecipeError
        If there is none, or its folder is gone.
    GateError, BundleError, EngineError
        As `promote`.
    """
    promotions = read_promotions(folder)
    before = _before(promotions)
    if before is None:
        what = f"there is no champion of '{folder.name}' before this one" if promotions else _none(folder)
        raise RecipeError.of(what, try_="engine promote RUN --why TEXT")
    if not (folder / before / "facts.json").is_file():
        raise RecipeError.of(f"the champion before, {before}, is no longer there", file=str(folder / before))
    return _promote(folder, before, why=why, is_back=True)


def read_promotions(folder: Path) -> list[Promotion]:
    """Return the promotions of a name, oldest first; `folder` holds its runs.

    Raises
    ------
    EngineError
        If a line is damaged, or is no promotion.
    """
    path = folder / CHAMPIONS
    try:
        return [
            Promotion(
                run=str(entry["run"]),
                before=None if entry["before"] is None else str(entry["before"]),
                who=str(entry["who"]),
                why=str(entry["why"]),
                when=str(entry["when"]),
                is_back=bool(entry["back"]),
            )
            for entry in durable.read_journal(path)
        ]
    except KeyError as missing:
        raise EngineError.of(f"a line has no {missing}, and is no promotion", file=str(path)) from None


def _promote(folder: Path, run: str, *, why: str, is_back: bool) -> Promotion:
    from engine.runs.bundle import load_deployable

    load_deployable(folder / run / "bundle")
    with durable.locked(folder / ".champions.lock"):
        before = find_champion(folder)
        if before == run:
            raise RecipeError.of(f"{run} is the champion of '{folder.name}' already")
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        made = Promotion(run, before, _user(), why, moment, is_back)
        durable.mend_journal(folder / CHAMPIONS)
        entry = {"run": run, "before": before, "who": made.who, "why": why, "when": moment, "back": is_back}
        durable.append_journal(folder / CHAMPIONS, entry)
    return made


def _user() -> str:
    """Return the name of the user, or the number where the machine has no name for it, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _before(promotions: Sequence[Promotion]) -> str | None:
    """Return the champion before the one of now: steps back are undone, not counted as steps on."""
    line: list[str] = []
    for promotion in promotions:
        if promotion.is_back:
            line = line[:-1]
        else:
            line.append(promotion.run)
    return line[-2] if len(line) > 1 else None


def _none(folder: Path) -> str:
    return f"no run of '{folder.name}' was promoted yet"

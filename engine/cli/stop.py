"""A stop by the user: told from a fault, also where a library made another exception of it, and answered."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from engine.errors import EngineError
from engine.runs.folder import PARTIAL, RECIPE, is_interrupted

STOPPED = 130


class StoppedError(EngineError):
    """The user has stopped a run that is kept as far as it came."""

    exit_code: ClassVar[int] = STOPPED


def is_stop(fault: BaseException) -> bool:
    """Tell whether a stop by the user is an exception's cause.

    OmegaConf, for one, raises errors of its own from whatever interrupts it.
    """
    seen: set[int] = set()
    ahead: list[BaseException | None] = [fault]
    while ahead:
        cause = ahead.pop()
        if cause is None or id(cause) in seen:
            continue
        if isinstance(cause, KeyboardInterrupt):
            return True
        seen.add(id(cause))
        ahead += [cause.__context__, cause.__cause__]
    return False


@contextmanager
def resumable(
    places: Iterable[tuple[Path, str]],
    *,
    again: Path | None = None,
    roots: Sequence[str] = (),
    is_multirun: bool = False,
) -> Iterator[None]:
    """Say of a stop inside the block which runs it has interrupted, and what finishes them.

    Parameters
    ----------
    places
        The folder of runs and the name under which each run of the block is begun.
    again
        The interrupted run that the block goes on with.
    roots
        What the command line said that recipes may read from; a resumed run needs it too.

    Raises
    ------
    StoppedError
        If it was stopped, and there is something to resume.
    """
    known = list(dict.fromkeys(places))
    before = {folder for root, name in known for folder in _interrupted(root / name)} - {again}
    try:
        yield
    except (Exception, KeyboardInterrupt) as fault:
        begun = [
            folder for root, name in known for folder in _interrupted(root / name) if folder not in before
        ]
        if not begun or not is_stop(fault):
            raise
        raise _stopped(begun, roots, is_multirun=is_multirun) from None


def _interrupted(parent: Path) -> list[Path]:
    folders = sorted(parent.glob(f"*{PARTIAL}"))
    return [folder for folder in folders if (folder / RECIPE).is_file() and is_interrupted(folder)]


def _stopped(begun: Sequence[Path], roots: Sequence[str], *, is_multirun: bool) -> StoppedError:
    runs = [folder.name.removesuffix(PARTIAL) for folder in begun]
    parent, rest = begun[-1].parent, ""
    if len(runs) == 1:
        what = f"stopped by the user; run {runs[0]} is kept as far as it came"
        which = which_run(f"{parent.name}@latest", parent.parent, roots)
    else:
        what = f"stopped by the user; {len(runs)} runs are kept as far as they came: {', '.join(runs)}"
        which = which_run("RUN", parent.parent, roots)
    if is_multirun:
        rest = ", then the same command with --skip-finished"
    return StoppedError.of(what, try_=f"engine run --resume {which}{rest}")


def which_run(run: str, place: Path, roots: Sequence[str]) -> str:
    """Return a run as the command line names it, with the folder of runs and the roots that it needs."""
    given = shlex.quote(run)
    if place.resolve() != Path("runs").resolve():
        given += f" --runs {shlex.quote(str(place))}"
    return given + "".join(f" --root {shlex.quote(root)}" for root in roots)

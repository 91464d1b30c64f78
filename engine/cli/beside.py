"""What `engine serve` takes of what goes on beside the service: a log, a shadow, a canary."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.arguments import Options, Parser, run_name, runs_folder
from engine.cli.output import say
from engine.errors import RecipeError
from engine.runs.run import Run, find_run

if TYPE_CHECKING:
    from engine.deploy.door import Begin
    from engine.runs.bundle import Bundle

_SHARE = 0.05
_WHERE = "command line"


def add_beside(parser: Parser) -> None:
    """Declare these options."""
    parser.add_argument(
        "--log",
        metavar="DIR",
        help="write answered requests there as Parquet: inputs that are neither sensitive nor personal, "
        "answers, seconds (default: as deploy.log says)",
    )
    parser.add_argument(
        "--shadow",
        type=run_name,
        metavar="RUN",
        help="a candidate that is asked the same, off the response path; engine shadow report compares",
    )
    parser.add_argument(
        "--canary",
        type=run_name,
        metavar="RUN",
        help="a candidate that answers a share of the requests over HTTP, none over gRPC, until it fails",
    )
    parser.add_argument(
        "--share", type=share, help=f"of --canary: the share of requests (default: {_SHARE:g})"
    )
    parser.add_argument(
        "--key",
        metavar="COLUMN",
        help="of --canary: requests with one value of this column have one answerer "
        "(default: requests of one id)",
    )


def share(given: str) -> float:
    """Take a share.

    Raises
    ------
    RecipeError
        If it is no number above 0 and at most 1.
    """
    try:
        found = float(given)
    except ValueError:
        found = math.nan
    if not 0 < found <= 1:
        what = f"'{given}' is not a share: a number above 0 and at most 1"
        raise RecipeError.of(what, file=_WHERE, key="--share", try_="--share 0.05")
    return found


def beside_of(options: Options, champion: Run) -> Callable[[Bundle], Begin]:
    """Return what puts beside the champion's door what the command line asks for.

    Raises
    ------
    RecipeError
        If the words don't fit together, a run is not there, or a folder can't be written to.
    """
    from engine.operate.canary import Share
    from engine.operate.files import writable
    from engine.operate.life import Life, canary_of, logging_of, shadow_of

    if options.canary is None and (options.share is not None or options.key is not None):
        key = "--key" if options.share is None else "--share"
        raise RecipeError.of(
            "this says which requests a canary answers, and there is none",
            file=_WHERE,
            key=key,
            try_="engine serve RUN --canary RUN --share 0.05",
        )
    if options.log == "":
        raise RecipeError.of("this names no folder", file=_WHERE, key="--log", try_="--log DIR")
    root = runs_folder(options)
    shadow, canary = (
        None if given is None else find_run(given, root=root).path / "bundle"
        for given in (options.shadow, options.canary)
    )
    chosen = Share(_SHARE if options.share is None else options.share, options.key)

    def begin(bundle: Bundle) -> Begin:
        # Folders last: what is refused leaves none behind.
        shown = None if shadow is None else shadow_of(shadow, bundle)
        tried = None if canary is None else canary_of(canary, bundle, chosen)
        logging = logging_of(bundle, None if options.log is None else Path(options.log))
        if logging is not None:
            writable(logging.folder, key="deploy.log.folder" if options.log is None else "--log")
        where = None
        if shown is not None:
            where = writable(champion.path.parent if logging is None else logging.folder, key="--shadow")
        return Life(
            tell=say,
            log=logging,
            shadow=shown,
            shadow_folder=where,
            canary=tried,
            share=chosen,
        ).begin

    return begin

"""`engine promote RUN --why TEXT`: make a run the champion of its name, or go back to the one before."""

from __future__ import annotations

from dataclasses import asdict

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import print_json, print_text
from engine.errors import RecipeError
from engine.runs.folder import CHAMPIONS
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine promote` takes."""
    add_run(parser)
    parser.add_argument("--why", metavar="TEXT", help="the reason, for the journal")
    parser.add_argument(
        "--back", action="store_true", help="make the champion before this one the champion again"
    )
    add_common(parser)


def call(options: Options) -> int:
    """Promote; refused where a gate was missed or a file is not what the manifest says."""
    from engine.runs.champion import back, promote

    if not (options.why or "").strip():
        raise RecipeError.of(
            "a promotion needs a reason",
            file="command line",
            key="--why",
            try_=f"engine promote {options.run} --why TEXT",
        )
    run = find_run(options.run, root=runs_folder(options))
    made = (back if options.back else promote)(run, why=str(options.why))
    if options.json:
        print_json({"name": run.name, **asdict(made)})
    else:
        instead = f" in place of {made.before}" if made.before else ""
        print_text(f"champion  {run.name}: {made.run}{instead}\njournal   {run.path.parent / CHAMPIONS}")
    return 0

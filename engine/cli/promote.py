"""`engine promote RUN --why TEXT`: make a run the champion of its name, or go back to the one before."""

from __future__ import annotations

from dataclasses import asdict

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import print_json, print_text
from engine.errors import RecipeError
from engine.runs.folder import CHAMPIONS
from engine.runs.run import find_champion, find_run


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
            try_=f"engine promote {options.run}{' --back' if options.back else ''} --why TEXT",
        )
    root, why = runs_folder(options), str(options.why)
    name, _, word = options.run.partition("@")
    if options.back and word == "champion" and find_champion(root / name) is not None:
        # Its own folder may be gone, which is a reason to go back.
        folder = root / name
        made = back(folder, why=why)
    else:
        run = find_run(options.run, root=root)
        folder = run.path.parent
        made = back(folder, why=why) if options.back else promote(run, why=why)
    if options.json:
        print_json({"name": folder.name, **asdict(made)})
    else:
        instead = f" in place of {made.before}" if made.before else ""
        print_text(f"champion  {folder.name}: {made.run}{instead}\njournal   {folder / CHAMPIONS}")
    return 0

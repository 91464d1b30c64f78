"""`engine shadow report WHERE`: how a shadow's answers differ from the champion's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.arguments import Options, Parser, add_common, add_runs_folder, run_name, runs_folder
from engine.cli.output import print_fact, print_json, print_table, print_text
from engine.errors import RecipeError, nearest

if TYPE_CHECKING:
    from engine.operate.report import Comparison


def add_arguments(parser: Parser) -> None:
    """Declare what `engine shadow` takes."""
    parser.add_argument("action", choices=["report"], help="compare the answers that were kept")
    what = "the name whose champion was served with --shadow, or the folder that --log gave"
    parser.add_argument("run", type=run_name, metavar="WHERE", help=what)
    add_runs_folder(parser)
    add_common(parser)


def call(options: Options) -> int:
    """Print a comparison for each champion and candidate, the latest last."""
    from engine.operate.report import compare

    found = compare(_place(options))
    if options.json:
        print_json([comparison.to_json() for comparison in found])
        return 0
    for place, comparison in enumerate(found):
        if place:
            print_text("")
        _print(comparison)
    return 0


def _place(options: Options) -> Path:
    """Return the folder that holds the answers of a name, or that was given."""
    root = runs_folder(options)
    own, given = root / options.run.removesuffix("@champion"), Path(options.run)
    if own.is_dir() or given.is_dir():
        # Of a name only what was kept beside its runs: they hold tables of their own.
        return own / "shadow" if own.is_dir() else given
    names = [folder.name for folder in root.iterdir() if folder.is_dir()] if root.is_dir() else []
    raise RecipeError.of(
        f"'{options.run}' is no folder, and no name in {root}",
        file="command line",
        suggestion=nearest(options.run, names),
        try_="engine shadow report NAME",
    )


def _print(found: Comparison) -> None:
    print_fact("champion", found.champion)
    print_fact("shadow", found.candidate)
    print_fact("requests", f"{found.n_requests:,}, from {found.first[:19]} to {found.last[:19]} UTC")
    if found.n_rows:
        share = found.n_other / found.n_rows
        print_fact("answers", f"{found.n_other:,} of {found.n_rows:,} rows have another ({share:.2%})")
    else:
        print_fact("answers", "no row was answered by both")
    sides = [found.sides["champion"], found.sides["candidate"]]
    steps = list(sides[0].seconds)
    rows = [
        ["refused", *(f"{side.refused:,}" for side in sides)],
        ["failed", *(f"{side.failed:,}" for side in sides)],
        ["answered by it alone", f"{found.only_champion:,}", f"{found.only_candidate:,}"],
        *([f"{step} ms", *(_milliseconds(side.seconds[step]) for side in sides)] for step in steps),
    ]
    title = (
        "requests, and the time from the whole body to the answer; the champion's with its waits for others"
    )
    print_table(title, ["", "champion", "candidate"], rows)
    if found.flips:
        flips = [
            [one, other, f"{n:,}", f"{n / found.n_rows:.2%}"] for one, other, n in map(astuple, found.flips)
        ]
        print_table("other decisions", ["champion", "candidate", "rows", "share"], flips)
    if found.n_rows:
        _print_differences(found)
    if found.faults:
        faults = [[fault.what, f"{fault.requests:,}"] for fault in found.faults]
        print_table("why the candidate did not answer what the champion did", ["", "requests"], faults)


def _print_differences(found: Comparison) -> None:
    told: Sequence[tuple[str, str]] = [
        (name.replace("_", " "), f"{value:+.5g}" if name == "mean" else f"{value:.5g}")
        for name, value in found.differences.items()
    ]
    title = "candidate less champion: the mean, and of the size of the difference"
    print_table(title, [name for name, _ in told], [[value for _, value in told]])


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.3f}"

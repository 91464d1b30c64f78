"""`engine diff RUN RUN`: what changed between two runs."""

from __future__ import annotations

from engine.cli.arguments import Options, Parser, add_common, add_run, run_name, runs_folder
from engine.cli.output import print_json, print_table, print_text
from engine.runs.compare import compare
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine diff` takes."""
    add_run(parser)
    parser.add_argument("other", type=run_name, metavar="RUN", help="the run to compare with")
    add_common(parser)


def call(options: Options) -> int:
    """Print the differences; equal runs have none."""
    root = runs_folder(options)
    first, second = find_run(options.run, root=root), find_run(options.other, root=root)
    differences = compare(first, second)
    if options.json:
        print_json([difference.to_json() for difference in differences])
    elif differences:
        rows = [[item.about, item.key, item.first, item.second] for item in differences]
        print_table("", ["", "key", first.id, second.id], rows)
    else:
        print_text("no difference in data, code, recipe, versions or metrics")
    return 0

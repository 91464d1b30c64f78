"""`engine techdoc RUN [-o FILE]`: technical documentation after the EU AI Act's Annex IV, gaps and all."""

from __future__ import annotations

import json
from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import print_fact, print_json, print_text
from engine.errors import RecipeError
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine techdoc` takes."""
    add_run(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="where to write: .md, .html or .json (default: Markdown on stdout)",
    )
    add_common(parser)


def call(options: Options) -> int:
    """Write the documentation of a run, and say how many answers are missing."""
    from engine import durable
    from engine.report import record, written
    from engine.report.document import NOTICE, missing
    from engine.report.techdoc import GAPS, techdoc

    form = Path(options.output).suffix.removeprefix(".") if options.output else "md"
    if form not in written.WRITERS:
        what = f"'{options.output}' ends in none of the forms of this document"
        allowed = tuple(f".{known}" for known in written.WRITERS)
        raise RecipeError.of(what, file="command line", key="-o", allowed=allowed)
    run = find_run(options.run, root=runs_folder(options))
    document = techdoc(record.read(run.path))
    write = written.WRITERS[form]
    if options.output:
        durable.write_text(Path(options.output), write(document))
    n_missing = sum(1 for gap in missing(document) if gap.section != GAPS)
    if options.json:
        print_json(
            {"run": run.id, "file": options.output, "n_missing": n_missing}
            | json.loads(written.as_json(document))
        )
    elif options.output:
        print_fact("written", options.output)
        print_fact("missing", f"{n_missing} answers, listed first in it")
        print_fact("note", NOTICE)
    else:
        print_text(write(document).rstrip())
    return 0

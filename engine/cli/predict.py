"""`engine predict RUN DATA -o FILE`: batch scoring, streaming, in bounded memory."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import Watcher, print_json, print_text
from engine.errors import RecipeError
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine predict` takes."""
    add_run(parser)
    parser.add_argument(
        "data", metavar="DATA", help="a CSV or Parquet file with the schema's feature columns"
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write: .csv or .parquet")
    add_common(parser)


def call(options: Options) -> int:
    """Score the file."""
    from engine.deploy.batch import predict

    if options.output is None:
        raise RecipeError.of("-o FILE is needed", file="command line", try_="engine predict RUN DATA -o FILE")
    output = Path(options.output)
    if output.is_dir():
        what = f"{output} is a folder, and predictions are one file"
        raise RecipeError.of(what, file="command line", key="-o", try_="engine predict RUN DATA -o FILE")
    run = find_run(options.run, root=runs_folder(options))
    watcher = Watcher(quiet=options.quiet)
    bundle = run.bundle()
    watcher.started("predict")
    try:
        n_rows = predict(bundle, data=Path(options.data), output=output)
    finally:
        watcher.close()
    if options.json:
        print_json({"run": run.id, "rows": n_rows, "path": options.output})
    else:
        print_text(f"{n_rows} rows scored by {run.id} → {options.output}")
    return 0

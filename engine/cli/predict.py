"""`engine predict RUN DATA [KEY=VALUE …] -o FILE`: batch scoring, streaming, in bounded memory."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common, add_run, runs_folder
from engine.cli.output import Watcher, print_json, print_text, say
from engine.errors import DataError, Message, RecipeError
from engine.runs.run import find_run

# What a message of the data room says of a key that mends it, and of its value.
_CURE = re.compile(r"(data\.(?:delimiter|decimal|encoding|null_values|format))(?:: (\S+))?")
_WORD = re.compile(r"[A-Za-z0-9-]+")


def add_arguments(parser: Parser) -> None:
    """Declare what `engine predict` takes."""
    add_run(parser)
    parser.add_argument(
        "data", metavar="DATA", help="a table with the schema's feature columns: a path, or a URL of one"
    )
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY=VALUE",
        help="how this file is read where it is written otherwise than the training data: data.delimiter, "
        "data.decimal, data.encoding, data.null_values, data.format, data.table; schema.extra=ignore leaves "
        "columns out that the schema does not name; compute=ray has workers of Ray score, those of a cluster "
        "with compute.address",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write: .csv, .parquet or .delta")
    parser.add_argument(
        "--quarantine",
        metavar="FILE",
        help="set rows that break the contract aside, with reasons, .csv or .parquet, and score all others",
    )
    add_common(parser)


def call(options: Options) -> int:
    """Score the file."""
    from engine.data.header import columns_of
    from engine.data.violation import counted
    from engine.deploy.batch import predict, reading_for

    if options.output is None:
        raise RecipeError.of("-o FILE is needed", file="command line", try_="engine predict RUN DATA -o FILE")
    output = Path(options.output)
    if output.is_dir():
        what = f"{output} is a folder, and predictions are one file"
        raise RecipeError.of(what, file="command line", key="-o", try_="engine predict RUN DATA -o FILE")
    run = find_run(options.run, root=runs_folder(options))
    watcher = Watcher(quiet=options.quiet)
    bundle = run.bundle()
    reading = reading_for(bundle, options.overrides)
    if not run.passed:
        say(f"note: run {run.id} missed its gates; engine show {run.id} tells which")
    n_left_out = 0
    aside = None if options.quarantine is None else Path(options.quarantine)
    watcher.started("predict")
    try:
        counts = predict(bundle, data=options.data, output=output, reading=reading, quarantine=aside)
        if reading.leaves_out:
            declared = {column.name for column in bundle.schema.columns}
            n_left_out = len(set(columns_of(options.data, reading.data)) - declared)
    except DataError as error:
        raise DataError([_with_cure(message) for message in error.messages]) from error.__cause__
    finally:
        watcher.close()
    if n_left_out:
        say(f"left out: {counted(n_left_out, 'column')} that the schema does not name (schema.extra=ignore)")
    if counts.n_found:
        say(f"gone on: {counted(counts.n_found, 'row')} had been scored by a call that was ended")
    if options.json:
        told = {"rows": counts.n_rows, "rows_set_aside": counts.n_set_aside, "path": options.output}
        print_json({"run": run.id, **told, "columns_left_out": n_left_out})
        return 0
    print_text(f"{counts.n_rows} rows scored by {run.id} → {options.output}")
    if aside is not None:
        print_text(f"{counts.n_set_aside} rows set aside → {aside}")
    return 0


def _with_cure(message: Message) -> Message:
    """Add how a key that a message names is set here, where no recipe can be changed."""
    told = f"{message.key}: {message.suggestion}" if message.key.startswith("data.") else message.what
    found = _CURE.search(told)
    if found is None or message.try_:
        return message
    key, value = found.groups()
    return replace(message, try_=f"engine predict RUN DATA {_as_typed(key, value)}")


def _as_typed(key: str, value: str | None) -> str:
    """Return an override as a shell takes it; a text that is no word stands in quotes for it and for Hydra.

    Examples
    --------
    >>> print(_as_typed("data.delimiter", ";"), _as_typed("data.encoding", "cp1252"))
    'data.delimiter=";"' data.encoding=cp1252
    """
    if not value:
        return f"{key}=VALUE"
    bare = value.strip("'")
    if _WORD.fullmatch(bare):
        return f"{key}={bare}"
    # A tab is written by its escape, which a shell reads between these quotes alone.
    return f"{'$' * bare.startswith(chr(92))}'{key}=\"{bare}\"'"

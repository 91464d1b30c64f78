"""`engine verify RUN`: run it again from its folder, and compare bit for bit."""

from __future__ import annotations

from engine.cli.arguments import Options, Parser, add_common, add_roots, add_run, runs_folder
from engine.cli.output import Watcher, print_json, print_text
from engine.errors import EngineError
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine verify` takes."""
    add_run(parser)
    add_roots(parser)
    add_common(parser)


def call(options: Options) -> int:
    """Run again and return 0 if everything is the same, else 1."""
    from engine.again import verify

    run = find_run(options.run, root=runs_folder(options))
    watcher = Watcher(quiet=options.quiet)
    try:
        same = verify(run, listener=watcher, roots=options.root)
    finally:
        watcher.close()
    if options.json:
        print_json({"run": run.id, "verified": all(same.values()), "same": same})
    else:
        for file, is_same in same.items():
            print_text(f"{file:<24} {'the same, bit for bit' if is_same else 'DIFFERENT'}")
        if run.stopped_by is not None:
            print_text("its search was stopped: the trials that had ended were done again, and no others")
        print_text(f"run {run.id} {'verified' if all(same.values()) else 'is not reproduced'}")
    return 0 if all(same.values()) else EngineError.exit_code

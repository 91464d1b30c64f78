"""`engine serve RUN`: the bundle behind HTTP, on loopback unless told otherwise."""

from __future__ import annotations

from engine.cli.arguments import Options, Parser, add_common, add_run, port, runs_folder
from engine.cli.output import print_text
from engine.cli.package import deployment_of
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine serve` takes."""
    add_run(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=3000, help="port to listen on (default: 3000)")
    add_common(parser)


def call(options: Options) -> int:
    """Serve until stopped; refused where a gate was missed."""
    run = find_run(options.run, root=runs_folder(options))
    deployment_of(run).serve(run.path / "bundle", host=options.host, port=options.port, on_ready=print_text)
    return 0

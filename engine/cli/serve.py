"""`engine serve RUN`: the bundle behind HTTP, on loopback unless told otherwise."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common, add_run, port, runs_folder
from engine.cli.output import print_text, say
from engine.cli.package import deployment_of
from engine.errors import RecipeError
from engine.runs.run import find_run


def add_arguments(parser: Parser) -> None:
    """Declare what `engine serve` takes."""
    add_run(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=port, default=3000, help="port to listen on (default: 3000)")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="follow NAME@champion: what is promoted next takes over without a request lost, or is refused",
    )
    parser.add_argument(
        "--grpc-port",
        type=port,
        help="speak the open inference protocol over gRPC there as well (extra: grpc)",
    )
    add_common(parser)


def call(options: Options) -> int:
    """Serve until stopped; refused where a gate was missed."""
    root = runs_folder(options)
    if options.watch and "@" not in options.run:
        raise RecipeError.of(
            f"'{options.run}' is one run, which stays as it is",
            file="command line",
            key="--watch",
            try_="engine serve --watch NAME@champion",
        )

    def find() -> Path:
        return find_run(options.run, root=root).path / "bundle"

    run = find_run(options.run, root=root)
    deployment_of(run).serve(
        run.path / "bundle",
        host=options.host,
        port=options.port,
        on_ready=print_text,
        find=find if options.watch else None,
        tell=say,
        grpc_port=options.grpc_port,
    )
    return 0

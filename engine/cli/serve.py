"""`engine serve RUN`: the bundle behind HTTP, on loopback unless told otherwise."""

from __future__ import annotations

import sys
from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common, add_run, port, runs_folder
from engine.cli.beside import add_beside, beside_of
from engine.cli.deployments import deployment_of
from engine.cli.output import print_text, say
from engine.deploy.listen import listen, url_of
from engine.deploy.workers import Supervisor, post
from engine.errors import RecipeError
from engine.runs.run import find_run

_MAX_WORKERS = 256


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
    parser.add_argument(
        "--workers",
        type=workers,
        default=1,
        help="processes that answer; one that dies or hangs is replaced (default: 1, and nobody replaces it)",
    )
    add_beside(parser)
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
    if options.workers > 1 and post() is None:
        return _supervise(options)
    deployment_of(run).serve(
        run.path / "bundle",
        host=options.host,
        port=options.port,
        on_ready=print_text,
        find=find if options.watch else None,
        tell=say,
        grpc_port=options.grpc_port,
        beside=beside_of(options, run),
    )
    return 0


def workers(given: str) -> int:
    """Take a number of processes.

    Raises
    ------
    RecipeError
        If it is none, or more than any machine has a use for.
    """
    if not given.isdecimal() or not 1 <= int(given) <= _MAX_WORKERS:
        what = f"'{given}' is not a number of processes: a whole number from 1 to {_MAX_WORKERS}"
        raise RecipeError.of(what, file="command line", key="--workers")
    return int(given)


def _supervise(options: Options) -> int:
    """Serve by several processes, each of which is this command over again."""
    if options.grpc_port == 0:
        what = "each process would choose a port of its own"
        raise RecipeError.of(what, file="command line", key="--grpc-port", try_="--grpc-port 3001")
    with listen(options.host, options.port) as listening:
        url = url_of(listening)
        supervisor = Supervisor(
            # Without -P the working directory, whose files may be anyone's, would be imported from first.
            [sys.executable, "-P", "-m", "engine", *options.arguments],
            listening=listening,
            n_workers=options.workers,
            tell=say,
        )
        return supervisor.run(lambda: print_text(url))

"""Arguments that verbs share, and a parser whose errors are ours."""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path
from typing import Literal, NoReturn

from engine.cli.output import print_text
from engine.errors import RecipeError

# A run's folder, id or NAME@latest: no name of a file holds more bytes, no pattern is one.
_MAX_NAME = 255
_PATTERN = re.compile(r"[*?\[\]\0]")
_SHOWN = 60
_LAST_PORT = 65535


class Options(argparse.Namespace):
    """What the command line said, word by word in `arguments`; each verb declares which others it takes."""

    arguments: list[str]
    recipe: str | None
    overrides: list[str]
    multirun: bool
    resume: str | None
    skip_finished: bool
    run: str
    other: str
    name: str | None
    data: str
    output: str | None
    target: str
    table: str | None
    task: str | None
    force: bool
    host: str
    port: int
    what: str | None
    rows: int
    schema_of: str
    origins: bool
    check_data: bool
    hashes: bool
    grpc_port: int | None
    to: str
    quarantine: str | None
    why: str | None
    back: bool
    watch: bool
    workers: int
    log: str | None
    shadow: str | None
    canary: str | None
    share: float | None
    key: str | None
    action: str
    method: Literal["exact", "sampled", "lime"] | None
    runs: str | None
    limit: int | None
    root: list[str]
    json: bool
    quiet: bool
    debug: bool


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `RecipeError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line; an override takes no dashes."""
        override = re.fullmatch(r"unrecognized arguments: --?([A-Za-z_][\w.]*=\S*)", message)
        if override:
            what = f"'--{override[1]}' is not an option of {self.prog}"
            try_ = f"{self.prog} --help"
            raise RecipeError.of(what, file="command line", suggestion=override[1], try_=try_)
        raise RecipeError.of(message, file="command line", try_=f"{self.prog} --help")

    def print_help(self, file: object = None) -> None:
        """Print help as every result is printed."""
        print_text(self.format_help().rstrip())


def add_common(parser: Parser) -> None:
    """Add what every verb takes."""
    parser.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")


def add_recipe(parser: Parser) -> None:
    """Add RECIPE and its overrides."""
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a YAML path, or a name in ./recipes")
    parser.add_argument(
        "overrides", nargs="*", metavar="OVERRIDE", help="Hydra's grammar: key=value, +key=value, ~key"
    )


def add_roots(parser: Parser) -> None:
    """Add where tables may lie besides the recipe's folder and the working directory."""
    parser.add_argument(
        "--root",
        metavar="DIR",
        action="append",
        default=[],
        help="a folder that a recipe may read from, besides its own and the working directory; repeatable",
    )


def add_run(parser: Parser) -> None:
    """Add RUN and where runs lie."""
    what = "a run folder, a run id, NAME@latest (the latest finished run of that name), or NAME@champion"
    parser.add_argument("run", type=run_name, metavar="RUN", help=what)
    add_runs_folder(parser)


def run_name(given: str) -> str:
    """Take the RUN of a command line.

    Raises
    ------
    RecipeError
        If it can be no run, whatever runs there are.
    """
    parts = given.split("/")
    is_name = (
        given not in ("", "@latest", "@champion")
        and max(len(os.fsencode(part)) for part in parts) <= _MAX_NAME
    )
    if not is_name or (_PATTERN.search(given) and not Path(given).is_dir()):
        shown = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}…"
        what = f"'{shown}' is not a run folder, a run id, NAME@latest or NAME@champion"
        raise RecipeError.of(what, file="command line", try_="engine runs")
    return given


def port(given: str) -> int:
    """Take a port.

    Raises
    ------
    RecipeError
        If it is no number of a port.
    """
    if not re.fullmatch(r"[0-9]{1,5}", given) or int(given) > _LAST_PORT:
        what = f"'{given}' is not a port: a whole number from 0 to {_LAST_PORT}"
        raise RecipeError.of(what, file="command line", key="--port")
    return int(given)


def add_runs_folder(parser: Parser) -> None:
    """Add where runs lie."""
    parser.add_argument("--runs", metavar="DIR", help="where runs lie (default: ./runs)")


def runs_folder(options: Options) -> Path:
    """Return where runs lie."""
    return Path(options.runs or "runs")

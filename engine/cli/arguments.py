"""Arguments that verbs share, and a parser whose errors are ours."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NoReturn

from engine.errors import RecipeError


class Options(argparse.Namespace):
    """What the command line said; each verb declares which of these it takes."""

    recipe: str | None
    overrides: list[str]
    multirun: bool
    resume: str | None
    run: str
    other: str
    name: str | None
    data: str
    output: str | None
    host: str
    port: int
    what: str | None
    origins: bool
    check_data: bool
    runs: str | None
    json: bool
    quiet: bool
    debug: bool


class Parser(argparse.ArgumentParser):
    """An argument parser that raises `RecipeError` instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line."""
        raise RecipeError.of(message, file="command line", try_=f"{self.prog} --help")


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


def add_run(parser: Parser) -> None:
    """Add RUN and where runs lie."""
    parser.add_argument("run", metavar="RUN", help="a run folder, a run id, or NAME@latest")
    add_runs_folder(parser)


def add_runs_folder(parser: Parser) -> None:
    """Add where runs lie."""
    parser.add_argument("--runs", metavar="DIR", help="where runs lie (default: ./runs)")


def runs_folder(options: Options) -> Path:
    """Return where runs lie."""
    return Path(options.runs or "runs")

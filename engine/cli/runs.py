"""`engine runs`: every run, finished, at work or interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from engine.cli.arguments import Options, Parser, add_common, add_runs_folder, runs_folder
from engine.cli.output import print_json, print_table, print_text
from engine.cli.summary import interval
from engine.errors import EngineError
from engine.runs.folder import PARTIAL, is_interrupted
from engine.runs.run import Run, list_runs


def add_arguments(parser: Parser) -> None:
    """Declare what `engine runs` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="runs of this recipe name only")
    add_runs_folder(parser)
    add_common(parser)


def call(options: Options) -> int:
    """List the runs, oldest first."""
    told = [_tell(folder) for folder in list_runs(runs_folder(options), name=options.name)]
    if options.json:
        print_json(told)
    elif told:
        columns = ["name", "run", "state", "model", "metric", "test"]
        print_table("", columns, [[str(run[column] or "") for column in columns] for run in told])
    else:
        print_text(f"no runs in {runs_folder(options)}")
    return 0


def _tell(folder: Path) -> dict[str, object]:
    run = folder.name.removesuffix(PARTIAL)
    told: dict[str, object] = {"name": folder.parent.name, "run": run, "path": str(folder)}
    if folder.name.endswith(PARTIAL):
        state = "interrupted" if is_interrupted(folder) else "at work"
        return {"state": state, "model": None, "metric": None, "test": None}
    try:
        return {**told, **_finished(Run(folder))}
    except (EngineError, KeyError):
        return {**told, "state": "damaged", "model": None, "metric": None, "test": None}


def _finished(done: Run) -> dict[str, object]:
    recipe = done.read("recipe.json")
    metric = str(cast("dict[str, object]", recipe["goal"])["metric"])
    test = cast("dict[str, dict[str, float | None]]", done.metrics["test"])
    state = "passed" if done.passed else "missed"
    model = cast("dict[str, object]", done.facts["model"])["family"]
    return {"state": state, "model": model, "metric": metric, "test": interval(test.get(metric))}

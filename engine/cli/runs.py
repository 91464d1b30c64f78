"""`engine runs`: every run, finished, at work or interrupted."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import cast

from engine.cli.arguments import Options, Parser, add_common, add_runs_folder, runs_folder
from engine.cli.output import print_json, print_table, print_text
from engine.cli.summary import interval
from engine.errors import EngineError
from engine.runs.compare import set_apart
from engine.runs.folder import PARTIAL, is_interrupted
from engine.runs.run import Run, list_runs

_MAX_KEYS = 3


def add_arguments(parser: Parser) -> None:
    """Declare what `engine runs` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="runs of this recipe name only")
    add_runs_folder(parser)
    add_common(parser)


def call(options: Options) -> int:
    """List the runs, oldest first."""
    told = [_tell(folder) for folder in list_runs(runs_folder(options), name=options.name)]
    for name in {run["name"] for run in told}:
        _set_apart([run for run in told if run["name"] == name])
    if options.json:
        print_json(told)
    elif told:
        columns = ["name", "run", "state", "model", "metric", "test"]
        rows = [[*(str(run[column] or "") for column in columns), _differs(run)] for run in told]
        print_table("", [*columns, "differs in"], rows, whole="run")
    else:
        print_text(f"no runs in {runs_folder(options)}")
    return 0


def _tell(folder: Path) -> dict[str, object]:
    run = folder.name.removesuffix(PARTIAL)
    told: dict[str, object] = {"name": folder.parent.name, "run": run, "path": str(folder)}
    told |= {"state": "damaged", "model": None, "metric": None, "test": None, "differs": {}}
    if folder.name.endswith(PARTIAL):
        return told | {"state": "interrupted" if is_interrupted(folder) else "at work"}
    try:
        return told | _finished(Run(folder))
    except (EngineError, KeyError):
        return told


def _set_apart(told: list[dict[str, object]]) -> None:
    """Say of each finished run of one name in which keys its recipe differs from the others'."""
    known, recipes = [], []
    for run in told:
        # A damaged run is listed, and compared with none; one at work has no recipe to compare yet.
        with contextlib.suppress(EngineError):
            recipes.append(Run(Path(str(run["path"]))).read("recipe.json"))
            known.append(run)
    for run, differs in zip(known, set_apart(recipes), strict=True):
        run["differs"] = differs


def _differs(run: dict[str, object]) -> str:
    keys = cast("dict[str, str]", run["differs"])
    words = [f"{key}={value}" for key, value in list(keys.items())[:_MAX_KEYS]]
    rest = len(keys) - len(words)
    return " ".join(words) + (f" and {rest} more" if rest > 0 else "")


def _finished(done: Run) -> dict[str, object]:
    recipe = done.read("recipe.json")
    metric = str(cast("dict[str, object]", recipe["goal"])["metric"])
    test = cast("dict[str, dict[str, float | None]]", done.metrics["test"])
    state = "passed" if done.passed else "missed"
    model = cast("dict[str, object]", done.facts["model"])["family"]
    return {"state": state, "model": model, "metric": metric, "test": interval(test.get(metric))}

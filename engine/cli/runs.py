"""`engine runs`: every run, finished, at work or interrupted."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import cast

from engine.cli.arguments import Options, Parser, add_common, add_runs_folder, runs_folder
from engine.cli.output import line_width, print_json, print_table, print_text
from engine.cli.summary import interval, plural
from engine.errors import EngineError, RecipeError
from engine.evaluation.gates import labelled
from engine.recipe.spec_value import Value
from engine.runs.compare import set_apart, short_keys
from engine.runs.folder import PARTIAL, state_of
from engine.runs.run import Run, list_runs

# How many keys are told of a run, on a narrow terminal and elsewhere.
_NARROW, _FEW_KEYS, _MAX_KEYS = 100, 2, 3
_SHOWN = 20
_LIMIT = re.compile(r"[1-9][0-9]{0,8}")


def add_arguments(parser: Parser) -> None:
    """Declare what `engine runs` takes."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="runs of this recipe name only")
    parser.add_argument(
        "--limit",
        type=_limit,
        metavar="N",
        help=f"the latest N runs (default: {_SHOWN}; with --json all, the oldest first)",
    )
    add_runs_folder(parser)
    add_common(parser)


def call(options: Options) -> int:
    """List the runs, the newest first; for programs the oldest first."""
    folders = list_runs(runs_folder(options), name=options.name)
    told = [_tell(folder) for folder in folders]
    for name in {run["name"] for run in told}:
        _set_apart([run for run in told if run["name"] == name])
    if options.json:
        latest = {str(run["path"]) for run in _newest(told)[: options.limit]}
        print_json([run for run in told if run["path"] in latest])
    elif told:
        _print(_newest(told), limit=options.limit or _SHOWN)
    else:
        print_text(f"no runs in {runs_folder(options)}")
    return 0


def _limit(given: str) -> int:
    if not _LIMIT.fullmatch(given):
        what = f"'{given}' is not a number of runs: a whole number from 1"
        raise RecipeError.of(what, file="command line", key="--limit")
    return int(given)


def _newest(told: list[dict[str, object]]) -> list[dict[str, object]]:
    return sorted(told, key=lambda run: str(run["run"]), reverse=True)


def _print(told: list[dict[str, object]], *, limit: int) -> None:
    shown = told[:limit]
    recipes = [_recipe(run) for run in shown if run["metric"]]
    short = short_keys(recipes)
    names = {str(run["name"]) for run in shown}
    metrics = {_metric(recipe) for recipe in recipes}
    # What is the same in every row is said once, above.
    score = f"test {next(iter(metrics))}" if len(metrics) == 1 else "test"
    columns = [*(["name"] if len(names) > 1 else []), "run", "state", "model", score, "differs in"]
    rows = [
        [
            *([str(run["name"])] if len(names) > 1 else []),
            str(run["run"]),
            _state(run),
            str(run["estimator"] or run["model"] or ""),
            _score(run, is_named=len(metrics) > 1),
            _differs(run, short),
        ]
        for run in shown
    ]
    whose = f"{next(iter(names))}: " if len(names) == 1 else ""
    rest = len(told) - len(shown)
    count = f"the latest {len(shown)} of {plural(len(told), 'run')}" if rest else plural(len(told), "run")
    print_table(f"{whose}{count}, newest first", columns, rows, whole="run")
    if rest:
        print_text(f"{rest} more: --limit {len(told)} shows all")
    if any(run["state"] == "interrupted" for run in shown):
        print_text("engine run --resume NAME@latest finishes the latest interrupted run of a name")
    if any(run["stopped"] for run in shown):
        print_text("engine run --resume RUN goes on, in a new run, with one whose search was stopped")


def _state(run: dict[str, object]) -> str:
    """Return a run's state, with who or what ended its search early."""
    by = {"user": ", stopped by the user", "time": ", stopped by time"}
    return str(run["state"]) + by.get(str(run["stopped"]), "")


def _tell(folder: Path) -> dict[str, object]:
    run = folder.name.removesuffix(PARTIAL)
    told: dict[str, object] = {"name": folder.parent.name, "run": run, "path": str(folder)}
    told |= dict.fromkeys(("model", "estimator", "metric", "test", "stopped")) | {
        "state": "damaged",
        "differs": {},
    }
    if folder.name.endswith(PARTIAL):
        return told | {"state": state_of(folder)}
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
            recipes.append(_recipe(run))
            known.append(run)
    for run, differs in zip(known, set_apart(recipes), strict=True):
        run["differs"] = differs


def _differs(run: dict[str, object], short: dict[str, str]) -> str:
    """Return what sets a run apart; what it leaves unsaid is seen in the runs that say it."""
    keys = cast("dict[str, str]", run["differs"])
    # How it was computed tells least.
    ordered = sorted(keys, key=lambda key: key.startswith("compute."))
    words = [f"{short.get(key, key)}={keys[key]}" for key in ordered if keys[key] != "null"]
    most = _FEW_KEYS if line_width() < _NARROW else _MAX_KEYS
    rest = len(words) - most
    return " ".join(words[:most]) + (f" and {rest} more" if rest > 0 else "")


def _score(run: dict[str, object], *, is_named: bool) -> str:
    """Return a run's score on the test rows without its interval, which `engine show` has."""
    value = str(run["test"] or "").partition(" ")[0]
    return f"{_metric(_recipe(run))} {value}" if is_named and value else value


def _recipe(run: dict[str, object]) -> dict[str, object]:
    return Run(Path(str(run["path"]))).read("recipe.json")


def _metric(recipe: dict[str, object]) -> str:
    goal = cast("dict[str, object]", recipe["goal"])
    worth = goal.get("value")
    return labelled(str(goal["metric"]), Value.model_validate(worth) if worth else None)


def _finished(done: Run) -> dict[str, object]:
    recipe = done.read("recipe.json")
    metric = str(cast("dict[str, object]", recipe["goal"])["metric"])
    test = cast("dict[str, dict[str, float | None]]", done.metrics["test"])
    model = cast("dict[str, object]", done.facts["model"])
    return {
        "state": "passed" if done.passed else "missed",
        "model": model["family"],
        "estimator": model.get("estimator"),
        "metric": metric,
        "test": interval(test.get(metric)),
        "stopped": done.stopped_by,
    }

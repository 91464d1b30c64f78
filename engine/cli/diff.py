"""`engine diff RUN RUN`: what changed between two runs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from engine.cli.arguments import Options, Parser, add_common, add_run, run_name, runs_folder
from engine.cli.output import print_fact, print_json, print_table, print_text
from engine.cli.summary import interval
from engine.evaluation.gates import labelled
from engine.evaluation.paired import Difference as Rivalry
from engine.recipe.spec_value import Value
from engine.report.rivals import compare_runs
from engine.runs.compare import Difference, compare
from engine.runs.run import Run, find_run

# What came out, then what was written to make it so, then what it was made with.
_ORDER = ("metrics", "gates", "recipe", "data", "drift", "code", "versions")
_MODEL = ("model.family", "model.estimator")
_PARAMS, _SPACE = "model.params", "model.space"
# A SHA-256, or a commit of git; as many of its digits as tell two apart.
_HASH = re.compile(r"[0-9a-f]{40,64}")
_DIGITS = 12


def add_arguments(parser: Parser) -> None:
    """Declare what `engine diff` takes."""
    add_run(parser)
    parser.add_argument("other", type=run_name, metavar="RUN", help="the run to compare with")
    add_common(parser)


def call(options: Options) -> int:
    """Print the differences; equal runs have none."""
    root = runs_folder(options)
    first, second = find_run(options.run, root=root), find_run(options.other, root=root)
    differences = compare(first, second)
    has_other_scores = any(item.about == "metrics" for item in differences)
    rivals = compare_runs(first.path, second.path) if has_other_scores else {}
    if options.json:
        print_json([*(difference.to_json() for difference in differences), *_rivals_json(rivals)])
    elif differences:
        rows = [
            [item.about, item.key, _short(item.first), _short(item.second)] for item in _told(differences)
        ]
        print_table("", ["", "key", first.id, second.id], rows)
        _print_rivals(rivals, second.id, _worth(second))
    else:
        print_text("no difference in data, code, recipe, versions or metrics")
    return 0


def _rivals_json(rivals: Mapping[str, Rivalry] | str) -> list[dict[str, object]]:
    """Return what `_print_rivals` says: a metric an entry, or one with the reason why there is none."""
    if isinstance(rivals, str):
        return [{"about": "paired", "key": "test", "not_tested": rivals}]
    return [{"about": "paired", "key": f"test {name}", **one.to_json()} for name, one in rivals.items()]


def _worth(run: Run) -> Value | None:
    """Return what each outcome was worth to a run, None where it had no price."""
    goal = cast("Mapping[str, object]", run.read("recipe.json")["goal"])
    value = goal.get("value")
    return None if value is None else Value.model_validate(value)


def _print_rivals(rivals: Mapping[str, Rivalry] | str, name: str, worth: Value | None) -> None:
    """Print whether the second run is better on the same test rows, or why that can't be said."""
    if isinstance(rivals, str):
        print_fact("note", f"which run is better is not tested: {rivals}")
    elif rivals:
        rows = [
            [labelled(metric, worth), interval(one.interval.to_json()), one.verdict]
            for metric, one in rivals.items()
        ]
        title = f"{name} less the first, on the same test rows"
        print_table(title, ["metric", "difference", f"{name} is"], rows)


def _told(differences: Sequence[Difference]) -> list[Difference]:
    """Put what came out first; what another model brings with it is one row, its search space none."""
    is_other_model = any(item.key in _MODEL for item in differences)
    told: list[Difference] = []
    for about in _ORDER:
        found = [item for item in differences if item.about == about]
        if about == "recipe" and is_other_model:
            found = [item for item in found if not _is_under(item, _SPACE)]
            params = [item for item in found if _is_under(item, _PARAMS)]
            found = [item for item in found if item not in params]
            found.sort(key=lambda item: item.key not in _MODEL)
            found += [_together(params)] if params else []
        told += found
    return told


def _is_under(item: Difference, key: str) -> bool:
    return item.key == key or item.key.startswith(f"{key}.")


def _together(params: Iterable[Difference]) -> Difference:
    """Write the params of two models as one row, each as `name=value`."""
    sides: tuple[list[str], list[str]] = ([], [])
    for item in params:
        name = item.key.removeprefix(f"{_PARAMS}.")
        for side, value in zip(sides, (item.first, item.second), strict=True):
            if value:
                side.append(f"{name}={value}")
    first, second = (", ".join(side) for side in sides)
    return Difference("recipe", _PARAMS, first, second)


def _short(value: str) -> str:
    return f"{value[:_DIGITS]}…" if _HASH.fullmatch(value) else value

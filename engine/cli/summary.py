"""A run in a few lines: scores beside the baselines, gates, where to look next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.cli.output import print_fact, print_table, print_text
from engine.evaluation.gates import labelled
from engine.recipe.spec_value import Value
from engine.runs.run import Run

if TYPE_CHECKING:
    from engine.report.record import Record

Scored = Mapping[str, Mapping[str, float | None]]


def run_to_json(run: Run) -> dict[str, object]:
    """Return the documented JSON form of a run."""
    return {
        "run": run.id,
        "path": str(run.path),
        "metrics": run.metrics,
        "gates": run.gates,
        "search": run.facts.get("search"),
    }


def print_run(run: Run) -> None:
    """Print a run's scores, gates and files on stdout, and whether a baseline is better."""
    from engine.report import mitigation, record, scores
    from engine.report.undefined import undefined

    recorded = record.read(run.path)
    worth = scores.worth(recorded)
    metrics = run.metrics
    test = cast("Scored", metrics["test"])
    validation = cast("Scored", metrics.get("validation") or {})
    baselines = cast("Mapping[str, Mapping[str, Scored]]", metrics.get("baselines") or {})
    rows = [
        [
            labelled(name, worth),
            interval(scored),
            number(validation.get(name, {}).get("value")),
            *(number(parts["test"].get(name, {}).get("value")) for parts in baselines.values()),
        ]
        for name, scored in test.items()
    ]
    columns = ["metric", "test", "validation", *(f"{name} (test)" for name in baselines)]
    print_table(f"{run.name} {run.id}", columns, rows)
    _print_standing(recorded)
    if behind := scores.worse(recorded):
        print_fact("note", behind)
    for why in undefined(recorded):
        print_fact("note", why)
    print_gates(run, worth)
    threshold = cast("float | None", run.facts.get("threshold"))
    if threshold is not None:
        rule = cast("dict[str, object]", run.read("recipe.json")["task"]).get("threshold")
        chosen = ", on validation rows" if isinstance(rule, str) else ""
        words = f"at a probability of {threshold:.4g} (task.threshold: {rule}{chosen})"
        if own := mitigation.thresholds(recorded)[:-1]:
            by = ", ".join(map(str, cast("Mapping[str, list[str]]", run.facts["thresholds"])["by"]))
            words += f"; by {by}: {'; '.join(f'{group} at {at}' for group, at in own)}"
        print_fact("decides", words)
    _print_search(recorded)
    folder = _shown(run.path)
    print_fact("run", folder)
    print_fact("report", f"{folder}/report.html")


def _print_standing(recorded: Record) -> None:
    """Print in what the goal is about how the model stands to each baseline, where that was tested."""
    from engine.report import scores

    goal = scores.headline(recorded)
    _print_champion(recorded)
    if goal is None or not goal.differences:
        return
    told = []
    for kind, found in goal.differences.items():
        one = found.score
        around = f" [{number(one.low)}, {number(one.high)}]" if one.low is not None else ""
        told.append(f"{kind}: {found.verdict} ({number(one.value)}{around})")
    print_fact("against", f"{', '.join(told)}; the difference in {goal.name} on the same rows")


def _print_champion(recorded: Record) -> None:
    """Print how the run stands to the champion of its name, where there was one."""
    from engine.report import section_champion
    from engine.report.record import text

    name, why = (text(recorded.champion, key) for key in ("champion", "not_tested"))
    if name is not None:
        said = f"not tested: {why}" if why is not None else section_champion.said(recorded)
        print_fact("champion", f"{name}: {said}")


def _print_search(recorded: Record) -> None:
    """Print what a search tried and found, where there was one."""
    from engine.report import scores, search

    found = search.read(recorded)
    if found is None:
        return
    print_fact("search", f"{found.strategy}: {found.scope}{found.losses}")
    print_fact("winner", found.verdict)
    params = " ".join(f"{name}={search.value_words(value)}" for name, value in found.changed.items())
    print_fact("params", params or "as they stand in the recipe")
    if found.chose != "by validation":
        print_fact("note", found.caution)
    if found.behind and not scores.worse(recorded):
        print_fact("note", found.behind)


def print_gates(run: Run, worth: Value | None) -> None:
    """Print the gates, or that there are none; `worth` is the goal's value."""
    gates = cast("list[Mapping[str, object]]", run.gates["gates"])
    if not gates:
        print_text("no gates declared")
        return
    rows = [
        [
            labelled(str(gate["name"]), worth),
            bound(cast("Mapping[str, float]", gate["bound"])),
            number(cast("float | None", gate["value"])),
            "passed" if gate["passed"] else "missed",
        ]
        for gate in gates
    ]
    print_table("", ["gate", "bound", "value", "verdict"], rows)


def interval(scored: Mapping[str, float | None] | None) -> str:
    """Return `value [low, high]`, or the value alone where there is no interval."""
    if not scored:
        return ""
    low, high = scored.get("low"), scored.get("high")
    words = number(scored.get("value"))
    return words if low is None or high is None else f"{words} [{number(low)}, {number(high)}]"


def number(value: float | None) -> str:
    """Return a number with five significant digits."""
    return "" if value is None else f"{value:.5g}"


def plural(n: int, noun: str) -> str:
    """Return a count with its noun.

    Examples
    --------
    >>> plural(1, "run"), plural(20, "run")
    ('1 run', '20 runs')
    """
    return f"{n} {noun}" + ("" if n == 1 else "s")


def bound(limits: Mapping[str, float]) -> str:
    """Return a gate's bound as a person writes it."""
    words = {"min": "at least", "max": "at most"}
    return ", ".join(f"{words[name]} {value:g}" for name, value in limits.items() if value is not None)


def _shown(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)

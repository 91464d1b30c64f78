"""`engine plan -m`: what every combination of a multirun would take, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass

from engine.cli.arguments import Options
from engine.cli.comparison import grouped, labels
from engine.cli.output import Watcher, print_fact, print_json, print_table, say
from engine.cli.plan import memory_of, time_of
from engine.cli.summary import plural
from engine.errors import EngineError
from engine.plan import Plan, load_checked, make_plan


@dataclass(frozen=True, slots=True)
class Planned:
    """One combination's plan, or what is wrong with it."""

    overrides: tuple[str, ...]
    label: str
    plan: Plan | None
    error: EngineError | None

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        told = self.plan.to_json() if self.plan is not None else {}
        wrong = self.error.to_json() if self.error is not None else {}
        return {"overrides": list(self.overrides), **told, **wrong}


def plan_many(options: Options, watcher: Watcher) -> int:
    """Plan every combination; return the first error's code."""
    from engine.recipe.searched import expand_searched

    assert options.recipe is not None
    given = tuple(dict.fromkeys(expand_searched(options.recipe, options.overrides)))
    planned = [
        _plan(overrides, label, options) for overrides, label in zip(given, labels(given), strict=True)
    ]
    del watcher
    errors = [one.error for one in planned if one.error is not None]
    if errors and len(errors) == len(planned) and len({error.messages for error in errors}) == 1:
        raise errors[0]
    if options.json:
        print_json([one.to_json() for one in planned])
    else:
        failures = [(one.label, one.error) for one in planned if one.error is not None]
        for words in grouped(failures, n_all=len(planned), how="wrong"):
            say(words)
        _print(planned)
    return errors[0].exit_code if errors else 0


def _plan(overrides: tuple[str, ...], label: str, options: Options) -> Planned:
    assert options.recipe is not None
    try:
        spec = load_checked(options.recipe, overrides, roots=options.root, runs=options.runs)
        return Planned(overrides, label, make_plan(spec, check_data=options.check_data), None)
    except EngineError as error:
        return Planned(overrides, label, None, error)


def _print(planned: list[Planned]) -> None:
    rows = []
    for one in planned:
        if one.plan is None:
            rows.append([one.label, "", "wrong", "", ""])
            continue
        found = one.plan.estimate
        done = next((run.run for run in one.plan.earlier if run.same_code and run.same_data), "")
        rows.append(
            [one.label, str(one.plan.n_fits), time_of(found.seconds), memory_of(found.peak_mib), done]
        )
    columns = ["run", "fits", "time", "memory", "already run as"]
    print_table("what each run would take, about", columns, rows, whole=columns[-1])
    plans = [one.plan for one in planned if one.plan is not None]
    seconds = [plan.estimate.seconds for plan in plans]
    known = sum(taken for taken in seconds if taken is not None)
    lacking = sum(taken is None for taken in seconds)
    more = f", and {lacking} of which there is no measure" if lacking else ""
    count = f"{plural(len(plans), 'run')}, {plural(sum(plan.n_fits for plan in plans), 'fit')}"
    print_fact("in all", f"{count}, about {time_of(known)} one after another{more}")
    for basis in dict.fromkeys(plan.estimate.basis for plan in plans):
        print_fact("basis", basis)

"""`engine run -m`: one run for each combination, one table; a failed combination does not stop the others."""

from __future__ import annotations

import time
from dataclasses import dataclass

from engine.cli.arguments import Options
from engine.cli.output import Watcher, print_error, print_json, print_table, print_text
from engine.cli.stop import is_stop
from engine.cli.summary import interval, run_to_json
from engine.errors import EngineError, GateError, own_fault
from engine.recipe.spec import Spec
from engine.runs.run import Run


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one combination came to."""

    overrides: tuple[str, ...]
    run: Run | None
    error: EngineError | None
    metric: str
    seconds: float

    @property
    def exit_code(self) -> int:
        """The code this combination alone would have ended with."""
        if self.error is not None:
            return self.error.exit_code
        return 0 if self.run is not None and self.run.passed else GateError.exit_code

    def to_json(self) -> dict[str, object]:
        """Return the combination and its run, or its error."""
        told = run_to_json(self.run) if self.run is not None else {}
        failed = self.error.to_json() if self.error is not None else {}
        return {"overrides": list(self.overrides), **told, **failed}


def run_many(options: Options, watcher: Watcher) -> int:
    """Run every combination and compare them; return the first error's code, else 4 if a gate was missed."""
    from engine.recipe.compose import expand_overrides

    assert options.recipe is not None
    combinations = expand_overrides(options.recipe, options.overrides)
    outcomes = []
    for index, overrides in enumerate(combinations, start=1):
        watcher.noted(f"run {index} of {len(combinations)}: {' '.join(overrides) or 'as it is'}")
        outcome = _run_one(options.recipe, overrides, options, watcher)
        if outcome.error is not None and not options.json:
            print_error(outcome.error, json=False)
        outcomes.append(outcome)
    if options.json:
        print_json([outcome.to_json() for outcome in outcomes])
    else:
        _print_comparison(outcomes)
    codes = [outcome.exit_code for outcome in outcomes if outcome.exit_code]
    failures = [code for code in codes if code != GateError.exit_code]
    return next(iter(failures + codes), 0)


def _run_one(recipe: str, overrides: tuple[str, ...], options: Options, watcher: Watcher) -> Outcome:
    from engine import load
    from engine.lifecycle import run

    start = time.perf_counter()
    metric = ""
    try:
        spec = elsewhere(load(recipe, overrides, listener=watcher), options)
        metric = spec.goal.metric
        done = run(spec, listener=watcher)
    except Exception as error:  # noqa: BLE001 (a fault of ours in one combination does not stop the others)
        watcher.close()
        if is_stop(error):
            raise KeyboardInterrupt from None
        told = error if isinstance(error, EngineError) else own_fault(error)
        return Outcome(overrides, None, told, metric, time.perf_counter() - start)
    return Outcome(overrides, done, None, metric, time.perf_counter() - start)


def elsewhere(spec: Spec, options: Options) -> Spec:
    """Return the spec with its runs where `--runs` says, if it says so."""
    return spec if options.runs is None else spec.model_copy(update={"runs": options.runs})


def _print_comparison(outcomes: list[Outcome]) -> None:
    common = (
        set.intersection(*(set(outcome.overrides) for outcome in outcomes)) if len(outcomes) > 1 else set()
    )
    # Combinations of one table may have several goal metrics: each then has its own column.
    metrics = list(dict.fromkeys(outcome.metric for outcome in outcomes if outcome.metric))
    rows = []
    for outcome in outcomes:
        label = " ".join(word for word in outcome.overrides if word not in common) or "as it is"
        if outcome.run is None:
            rows.append([label, *("" for _ in metrics), "failed", f"{outcome.seconds:.1f}", ""])
            continue
        test = outcome.run.metrics["test"]
        assert isinstance(test, dict)
        verdict = ("passed" if outcome.run.passed else "missed") if outcome.run.gates["gates"] else "none"
        scores = [interval(test.get(metric)) for metric in metrics]
        rows.append([label, *scores, verdict, f"{outcome.seconds:.1f}", outcome.run.id])
    print_table("", ["run", *(f"test {metric}" for metric in metrics), "gates", "seconds", "id"], rows)
    if common:
        print_text(f"all with {' '.join(sorted(common))}")

"""The end of a multirun: one table of its runs, the best first, and in one line each why others failed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from engine.cli.output import print_table, print_text
from engine.cli.summary import interval, number, run_to_json
from engine.errors import EngineError, GateError
from engine.recipe.spec import Spec
from engine.runs.run import Run
from engine.tasks.task import TargetKind, Task

_MAX_REASON = 100
_PARTS = ("validation", "test")
Scored = Mapping[str, Mapping[str, float | None]]


@dataclass(frozen=True, slots=True)
class Combination:
    """One combination of a multirun: its overrides, what sets it apart, and what the check said of it."""

    overrides: tuple[str, ...]
    label: str
    spec: Spec | None
    error: EngineError | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one combination came to; `seconds` is None where nothing was run."""

    combination: Combination
    run: Run | None
    error: EngineError | None
    seconds: float | None

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
        return {"overrides": list(self.combination.overrides), **told, **failed}


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return the first failure's code, else 4 if a gate was missed, else 0."""
    codes = [outcome.exit_code for outcome in outcomes if outcome.exit_code]
    failures = [code for code in codes if code != GateError.exit_code]
    return next(iter(failures + codes), 0)


def labels(combinations: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the overrides that set each combination apart, as one text."""
    common = set.intersection(*map(set, combinations)) if len(combinations) > 1 else set()
    return [
        " ".join(word for word in overrides if word not in common) or "as it is" for overrides in combinations
    ]


def print_comparison(outcomes: Sequence[Outcome]) -> None:
    """Print the runs, ranked on validation rows: chosen by its test score, a model's test score flatters."""
    done = [outcome for outcome in outcomes if outcome.run is not None]
    failed = [outcome for outcome in outcomes if outcome.run is None]
    metrics = list(dict.fromkeys(_metric(outcome) for outcome in done or failed if outcome.combination.spec))
    part = "validation" if all(_value(outcome, "validation") is not None for outcome in done) else "test"
    ranked = sorted(done, key=lambda outcome: _rank(outcome, metrics=metrics, part=part))
    # The runs of one table may have several goal metrics: each row then names its own, and has its order.
    many = len(metrics) > 1
    scores = ["metric", "validation", "test"] if many else [f"{part} {metrics[0]}" for part in _PARTS]
    rows = [
        [
            outcome.combination.label,
            *(_scores(outcome) if many else _scores(outcome)[1:]),
            _verdict(outcome),
            "" if outcome.seconds is None else f"{outcome.seconds:.1f}",
            "" if outcome.run is None else outcome.run.id,
        ]
        for outcome in ranked + failed
    ]
    print_table("", ["run", *scores, "gates", "seconds", "id"], rows, whole="id")
    for outcome in failed:
        print_text(f"failed {outcome.combination.label}: {_reason(outcome)}")
    everywhere = _common(outcomes)
    if everywhere:
        print_text(f"all with {' '.join(everywhere)}")
    if len(done) > 1:
        print_text(f"best first by {' and '.join(f'{part} {_arrow(metric, done)}' for metric in metrics)}")


def _common(outcomes: Sequence[Outcome]) -> list[str]:
    if len(outcomes) < 2:  # noqa: PLR2004 (one combination shares its overrides with none)
        return []
    shared = set.intersection(*(set(outcome.combination.overrides) for outcome in outcomes))
    return [word for word in outcomes[0].combination.overrides if word in shared]


def _metric(outcome: Outcome) -> str:
    assert outcome.combination.spec is not None
    return outcome.combination.spec.goal.metric


def _scored(outcome: Outcome, part: str) -> Mapping[str, float | None] | None:
    assert outcome.run is not None
    return cast("Scored", outcome.run.metrics.get(part) or {}).get(_metric(outcome))


def _value(outcome: Outcome, part: str) -> float | None:
    return (_scored(outcome, part) or {}).get("value")


def _scores(outcome: Outcome) -> list[str]:
    """Return a run's metric and its scores on validation and test rows, empty where it failed."""
    if outcome.run is None:
        return ["", "", ""]
    value, scored = _value(outcome, "validation"), _scored(outcome, "test")
    return [_metric(outcome), number(value), interval(scored)]


def _is_better_greater(outcome: Outcome) -> bool:
    """Tell which way a run's goal metric points."""
    from engine.names import TASKS

    spec, run = outcome.combination.spec, outcome.run
    assert spec is not None
    assert run is not None
    task = cast("Task", TASKS.load(spec.task.kind))
    kind = cast("TargetKind", cast("Mapping[str, object]", run.facts["target"])["kind"])
    known = task.metrics(kind).get(spec.goal.metric)
    # What is no metric of a task is money, of which more is better.
    return True if known is None else known.greater_is_better


def _rank(outcome: Outcome, *, metrics: Sequence[str], part: str) -> tuple[int, float]:
    value = _value(outcome, part)
    if value is None or math.isnan(value):
        return metrics.index(_metric(outcome)), math.inf
    return metrics.index(_metric(outcome)), -value if _is_better_greater(outcome) else value


def _arrow(metric: str, outcomes: Sequence[Outcome]) -> str:
    first = next(outcome for outcome in outcomes if _metric(outcome) == metric)
    return f"{metric} ({'higher' if _is_better_greater(first) else 'lower'} is better)"


def _verdict(outcome: Outcome) -> str:
    if outcome.run is None:
        return "failed"
    return ("passed" if outcome.run.passed else "missed") if outcome.run.gates["gates"] else "none"


def _reason(outcome: Outcome) -> str:
    assert outcome.error is not None
    first = outcome.error.messages[0]
    words = f"{first.key}: {first.what}" if first.key else first.what
    line = " ".join(words.split())
    more = len(outcome.error.messages) - 1
    short = line if len(line) <= _MAX_REASON else f"{line[:_MAX_REASON]}…"
    return short + (f" (and {more} more)" if more else "")

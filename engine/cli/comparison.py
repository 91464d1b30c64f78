"""The end of a multirun: one table of its runs, those that passed first, and once each why others failed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from engine.cli.output import print_prose, print_table
from engine.cli.summary import interval, number, run_to_json
from engine.errors import EngineError, GateError, Message
from engine.evaluation.gates import labelled
from engine.recipe.spec import Spec
from engine.runs.run import Run
from engine.tasks.task import TargetKind, Task

_MAX_LABELS = 3
PARTS = ("validation", "test")
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


def grouped(failures: Iterable[tuple[str, EngineError]], *, n_all: int, how: str) -> Iterator[str]:
    """Write every mistake once and whole, with the labels of those that have it.

    Parameters
    ----------
    failures
        A label and what is wrong with it.
    n_all
        How many there are, also those with which nothing is wrong.
    how
        What befell them, such as `wrong`.
    """
    found: dict[Message, list[str]] = {}
    for label, error in failures:
        for message in dict.fromkeys(error.messages):
            found.setdefault(message, []).append(label)
    groups: dict[tuple[str, ...], list[Message]] = {}
    for message, having in found.items():
        groups.setdefault(tuple(having), []).append(message)
    for names, messages in groups.items():
        shown = "; ".join(names[:_MAX_LABELS]) + ("; …" if len(names) > _MAX_LABELS else "")
        who = "every combination" if len(names) == n_all else f"{len(names)} of {n_all}: {shown}"
        yield "\n\n".join([f"{how} in {who}", *map(str, messages)])


def print_comparison(outcomes: Sequence[Outcome]) -> None:
    """Print the runs, ranked on validation rows: chosen by its test score, a model's test score flatters."""
    done = [outcome for outcome in outcomes if outcome.run is not None]
    failed = [outcome for outcome in outcomes if outcome.run is None]
    metrics = goal_metrics(outcomes)
    part = ranking_part(outcomes)
    ranked = sorted(done, key=lambda outcome: _rank(outcome, metrics=metrics, part=part))
    # The runs of one table may have several goal metrics: each row then names its own, and has its order.
    many = len(metrics) > 1
    scores = ["metric", *PARTS] if many else [f"{part} {metrics[0]}" for part in PARTS]
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
    columns = ["run", *scores, "gates", "seconds", "id"]
    print_table("", columns, rows, whole="id", spare=["seconds"])
    everywhere = common(outcomes)
    if everywhere:
        print_prose(f"all with {' '.join(everywhere)}")
    if len(done) > 1:
        last = {outcome.run is not None and outcome.run.passed for outcome in done} == {True, False}
        order = " and ".join(f"{part} {_arrow(metric, done)}" for metric in metrics)
        print_prose(f"best first by {order}" + ("; runs that missed a gate stand last" if last else ""))


def goal_metrics(outcomes: Sequence[Outcome]) -> list[str]:
    """Return what the goals of the runs are about, for people; of runs that failed only if all did."""
    done = [outcome for outcome in outcomes if outcome.run is not None]
    return list(dict.fromkeys(metric_of(outcome) for outcome in done or outcomes if outcome.combination.spec))


def ranking_part(outcomes: Sequence[Outcome]) -> str:
    """Return the part of the rows by which runs are ranked: one that each of them was scored on."""
    done = [outcome for outcome in outcomes if outcome.run is not None]
    return "validation" if all(value_of(outcome, "validation") is not None for outcome in done) else "test"


def common(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the overrides that all combinations of several have."""
    if len(outcomes) < 2:  # noqa: PLR2004 (one combination shares its overrides with none)
        return []
    shared = set.intersection(*(set(outcome.combination.overrides) for outcome in outcomes))
    return [word for word in outcomes[0].combination.overrides if word in shared]


def metric_of(outcome: Outcome) -> str:
    """Return a run's goal metric, for people."""
    assert outcome.combination.spec is not None
    goal = outcome.combination.spec.goal
    return labelled(goal.metric, goal.value)


def _scored(outcome: Outcome, part: str) -> Mapping[str, float | None] | None:
    assert outcome.run is not None
    assert outcome.combination.spec is not None
    metric = outcome.combination.spec.goal.metric
    return cast("Scored", outcome.run.metrics.get(part) or {}).get(metric)


def value_of(outcome: Outcome, part: str) -> float | None:
    """Return a finished run's goal metric on one part, None where it has none."""
    return (_scored(outcome, part) or {}).get("value")


def _scores(outcome: Outcome) -> list[str]:
    """Return a run's metric and its scores on validation and test rows, empty where it failed."""
    if outcome.run is None:
        return ["", "", ""]
    value, scored = value_of(outcome, "validation"), _scored(outcome, "test")
    return [metric_of(outcome), number(value), interval(scored)]


def is_better_greater(outcome: Outcome) -> bool:
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


def _rank(outcome: Outcome, *, metrics: Sequence[str], part: str) -> tuple[bool, int, float]:
    """Put what passed before what missed a gate: that can't be packaged, however well it scores."""
    assert outcome.run is not None
    value = value_of(outcome, part)
    place = not outcome.run.passed, metrics.index(metric_of(outcome))
    if value is None or math.isnan(value):
        return *place, math.inf
    return *place, -value if is_better_greater(outcome) else value


def _arrow(metric: str, outcomes: Sequence[Outcome]) -> str:
    first = next(outcome for outcome in outcomes if metric_of(outcome) == metric)
    return f"{metric} ({'higher' if is_better_greater(first) else 'lower'} is better)"


def _verdict(outcome: Outcome) -> str:
    if outcome.run is None:
        return "failed"
    return ("passed" if outcome.run.passed else "missed") if outcome.run.gates["gates"] else "none"

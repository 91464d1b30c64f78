"""What a search asks of a model: the goal's metric and what the gates bound, on one part of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.evaluation.evaluate import PartScores, metrics_for
from engine.evaluation.fairness import audit
from engine.evaluation.gates import MEASURED_ON_BUNDLE, gate_name
from engine.evaluation.score import score
from engine.recipe.spec import Gate, Spec
from engine.tasks.task import Metric, Target, Task


@dataclass(frozen=True)
class Wanted:
    """What is measured of each model of a search.

    Attributes
    ----------
    metrics
        By name; the goal's metric is the first.
    groupings
        The columns by which a gate compares groups.
    on_bundle
        The gates that bound what only a written graph has: its size, the time it takes.
    """

    goal: Metric
    metrics: Mapping[str, Metric]
    groupings: tuple[tuple[str, ...], ...]
    on_bundle: tuple[str, ...]

    @property
    def uses_decisions(self) -> bool:
        """Whether a threshold must be chosen before anything can be measured."""
        return bool(self.groupings) or any(metric.uses_decisions for metric in self.metrics.values())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that `PartScores.frame` needs."""
        return tuple(dict.fromkeys(name for by in self.groupings for name in by))

    def measure(self, part: PartScores) -> dict[str, float]:
        """Return what was measured by name, groups under `gate_name`."""
        found = score(
            part.y,
            part.scores,
            part.weights,
            metrics=self.metrics,
            confidence=0.5,  # of no intervals
            n_bootstrap=0,
            seed=0,
        )
        values = {name: interval.value for name, interval in found.items()}
        for by in self.groupings:
            groups = audit(
                part.frame,
                by=by,
                y=part.y,
                decisions=part.scores.decisions,
                weights=part.weights,
                probabilities=part.scores.values[:, 1],
            )
            values |= {gate_name(name, by): value for name, value in groups.measures.items()}
        return values


def wanted(spec: Spec, *, task: Task, target: Target) -> Wanted:
    """Return what a recipe's goal and gates ask for.

    Raises
    ------
    RecipeError
        As `metrics_for`.
    """
    known = metrics_for(spec, task=task, target=target)
    gates: Mapping[str, Gate] = spec.goal.gates or {}
    names = dict.fromkeys([spec.goal.metric, *(name for name in gates if name in known)])
    return Wanted(
        goal=known[spec.goal.metric],
        metrics={name: known[name] for name in names},
        groupings=tuple(dict.fromkeys(tuple(gate.by) for gate in gates.values() if gate.by)),
        on_bundle=tuple(name for name in gates if name in MEASURED_ON_BUNDLE),
    )

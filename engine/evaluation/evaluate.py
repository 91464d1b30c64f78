"""The judgement of one model: every metric on every part, intervals and fairness on the test part.

Latency and size are measured on the bundle, later; gates are judged when all is measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from engine.data.quality.finding import DATA_MEANINGS
from engine.errors import RecipeError, nearest
from engine.evaluation.fairness import MEASURES, Audit, audit
from engine.evaluation.gates import MEASURED_ON_BUNDLE, Grouping, gate_name
from engine.evaluation.robustness import FALLS
from engine.evaluation.score import Interval, score
from engine.evaluation.slices import Slicing, is_sensitive, score_slices, slice_columns
from engine.recipe.spec import Spec
from engine.tasks.task import Array, Metric, Scores, Target, Task
from engine.tasks.value import value_metrics

JUDGED_PART = "test"


@dataclass(frozen=True, slots=True)
class PartScores:
    """What is known of one part's n rows: truth, scores, weights or None, and the columns an audit needs.

    `frame` has n rows and the columns of `audit_columns`; where there are none it may be empty.
    """

    y: Array
    scores: Scores
    weights: Array | None
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Metrics by part and name, one audit a grouping of the test rows, and the slices of these rows."""

    metrics: Mapping[str, Mapping[str, Interval]]
    fairness: tuple[Audit, ...]
    slices: tuple[Slicing, ...] = ()

    def to_json(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return the content of `metrics.json`."""
        return {
            part: {name: interval.to_json() for name, interval in intervals.items()}
            for part, intervals in self.metrics.items()
        }

    def measured(self) -> dict[str, float]:
        """Return what gates can be held against: test metrics, and fairness under `gate_name`."""
        values = {name: interval.value for name, interval in self.metrics.get(JUDGED_PART, {}).items()}
        for groups in self.fairness:
            values |= {gate_name(name, groups.by): value for name, value in groups.measures.items()}
        return values


def metrics_for(spec: Spec, *, task: Task, target: Target) -> dict[str, Metric]:
    """Return the metrics of this recipe on this target, `profit` among them where an outcome has a value.

    Raises
    ------
    RecipeError
        If the data's number of classes rules out `goal.metric`, `goal.value` or a gate.
    """
    metrics = dict(task.metrics(target.kind))
    found = f"'{target.name}' has {len(target.classes)} classes"
    if spec.goal.value is not None:
        if target.kind != "binary":
            what = f"'value' prices decisions between two classes, and {found}"
            raise RecipeError.of(what, key="goal.value")
        metrics |= {metric.name: metric for metric in value_metrics(spec.goal.value)}
    fairness = MEASURES if target.kind == "binary" else ()
    wanted = {"goal.metric": spec.goal.metric}
    wanted |= {f"goal.gates.{name}": name for name in spec.goal.gates or {}}
    for key, name in wanted.items():
        beyond = () if key == "goal.metric" else (*fairness, *MEASURED_ON_BUNDLE, *DATA_MEANINGS, *FALLS)
        allowed = (*metrics, *beyond)
        if name not in allowed:
            what = (
                f"'{name}' is not a metric here: {found}"
                if target.classes
                else f"'{name}' is not a metric here"
            )
            raise RecipeError.of(what, key=key, suggestion=nearest(name, allowed), allowed=allowed)
    return metrics


def audit_columns(spec: Spec) -> tuple[str, ...]:
    """Return the columns that `PartScores.frame` needs, in the recipe's order of first mention."""
    grouping = (name for by in _groupings(spec) for name in by)
    return tuple(dict.fromkeys([*grouping, *slice_columns(spec)]))


def evaluate(
    parts: Mapping[str, PartScores], *, spec: Spec, task: Task, target: Target, seed: int
) -> Evaluation:
    """Measure every metric on every part; give the test part intervals, the audit of its groups, its slices.

    Parameters
    ----------
    parts
        By name: `train`, `validation`, `test`, any of them.
    spec
        A checked recipe; `evaluation.bootstrap` and `evaluation.confidence` shape the intervals.
    task, target
        What is predicted.
    seed
        Decides the resamples.

    Raises
    ------
    RecipeError
        As `metrics_for`.
    """
    metrics = metrics_for(spec, task=task, target=target)
    by_part = {
        name: score(
            part.y,
            part.scores,
            part.weights,
            metrics=metrics,
            confidence=spec.evaluation.confidence,
            n_bootstrap=spec.evaluation.bootstrap if name == JUDGED_PART else 0,
            seed=seed,
        )
        for name, part in parts.items()
    }
    fairness: tuple[Audit, ...] = ()
    if target.kind == "binary" and JUDGED_PART in parts:
        fairness = tuple(_audit(parts[JUDGED_PART], by=by, spec=spec, seed=seed) for by in _groupings(spec))
    slices: tuple[Slicing, ...] = ()
    if JUDGED_PART in parts:
        slices = _slices(parts[JUDGED_PART], metrics=metrics, spec=spec, target=target, seed=seed)
    return Evaluation(metrics=by_part, fairness=fairness, slices=slices)


def _slices(
    part: PartScores, *, metrics: Mapping[str, Metric], spec: Spec, target: Target, seed: int
) -> tuple[Slicing, ...]:
    return tuple(
        score_slices(
            part.frame,
            by=by,
            y=part.y,
            scores=part.scores,
            weights=part.weights,
            metrics=metrics,
            target=target,
            sensitive=is_sensitive(spec, by),
            confidence=spec.evaluation.confidence,
            n_bootstrap=spec.evaluation.bootstrap,
            seed=seed,
        )
        for by in spec.evaluation.slices
    )


def _audit(part: PartScores, *, by: tuple[str, ...], spec: Spec, seed: int) -> Audit:
    found = audit(
        part.frame,
        by=by,
        y=part.y,
        decisions=np.asarray(part.scores.decisions),
        weights=part.weights,
        probabilities=part.scores.values[:, 1],
        confidence=spec.evaluation.confidence,
        n_bootstrap=spec.evaluation.bootstrap,
        seed=seed,
    )
    if not any(spec.schema_.columns[name].pii for name in by):
        return found
    # Their values tell who a person is: they are compared all the same, and counted instead of named.
    counted = (replace(group, name=f"group {at + 1}") for at, group in enumerate(found.groups))
    return replace(found, groups=tuple(counted))


def _groupings(spec: Spec) -> tuple[tuple[str, ...], ...]:
    """Return each sensitive column alone, then what gates compare by and mitigation weighs by, each once."""
    sensitive = [(name,) for name in Grouping().columns(spec) if spec.schema_.columns[name].sensitive]
    gated = [gate.by for gate in (spec.goal.gates or {}).values() if gate.by]
    mitigated = [spec.model.fairness.by] if spec.model.fairness else []
    return tuple(dict.fromkeys([*sensitive, *gated, *mitigated]))

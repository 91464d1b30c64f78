"""A gate for a first recipe: half the way from a constant to what has been reached; measured, not wished.

The recipe's own split, model and baselines are fitted once, so that the first run passes the gate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import cast

from engine.data.schema import Schema
from engine.evaluation.evaluate import PartScores, audit_columns, evaluate
from engine.evaluation.score import Interval
from engine.models.decide import decide_values
from engine.recipe.spec import Spec
from engine.tasks.task import Task
from engine.training.baselines import score_baselines
from engine.training.fit import fit_candidate
from engine.training.parts import Divided

# A bound needs no more rows than these to be near what all rows would give.
_MAX_TRAIN_ROWS = 20_000
_MIN_TEST_ROWS = 20
_HALF = 0.5
# Below it a tenth is no longer told from nothing.
_LEAST_UNIT = 1e-300


@dataclass(frozen=True, slots=True)
class Measured:
    """Scores of the test rows by the recipe's metric: a constant, a linear model, and the recipe's own.

    `without` are the features that none of them was given.
    """

    metric: str
    greater_is_better: bool
    constant: float
    linear: float
    model: Interval
    n_test: int
    without: tuple[str, ...] = ()

    def gains(self, value: float) -> float:
        """Return how much better than the constant a score is."""
        return value - self.constant if self.greater_is_better else self.constant - value


@dataclass(frozen=True, slots=True)
class Bound:
    """A gate, or why there is none."""

    min: float | None
    max: float | None
    why: str


def measure(
    divided: Divided,
    *,
    schema: Schema,
    task: Task,
    spec: Spec,
    progress: Callable[[int, int, float | None], None],
    without: Collection[str] = (),
) -> Measured:
    """Fit the recipe's model and the baselines, on at most 20,000 rows, and score the test rows with each.

    Parameters
    ----------
    without
        Features to leave out, unless no other is left: a gate that is measured with what gives the target
        away is missed by every model that is built without it.
    """
    schema, left_out = _without(schema, without)
    train = divided.train.sample(_MAX_TRAIN_ROWS, seed=spec.seed)
    validation, test, target = divided.validation, divided.test, divided.target
    baselines = score_baselines(divided, model=None, schema=schema, task=task, spec=spec)
    candidate = fit_candidate(
        spec.model,
        train=train,
        validation=validation,
        schema=schema,
        target=target,
        spec=spec,
        progress=progress,
    )
    scores = decide_values(candidate.predict(test.frame), task=task, target=target, threshold=None)
    part = PartScores(test.y, scores.priced(test.worth), test.weights, test.frame.select(audit_columns(spec)))
    # What gates are judged by is the test part, and that part alone has intervals.
    found = evaluate({"test": part}, spec=spec, task=task, target=target, seed=spec.seed)
    metric = spec.goal.metric
    return Measured(
        metric=metric,
        greater_is_better=task.metrics(target.kind)[metric].greater_is_better,
        constant=_score(baselines["constant"], metric),
        linear=_score(baselines["linear"], metric),
        model=found.metrics["test"][metric],
        n_test=test.n_rows,
        without=left_out,
    )


def _without(schema: Schema, names: Collection[str]) -> tuple[Schema, tuple[str, ...]]:
    """Return the contract without some features, and those that were taken out of it."""
    found = tuple(column.name for column in schema.features if column.name in names)
    if len(found) == len(schema.features):
        return schema, ()
    columns = tuple(
        replace(column, role="ignore") if column.name in found else column for column in schema.columns
    )
    return replace(schema, columns=columns), found


def bound(measured: Measured) -> Bound:
    """Return the gate that a useful model meets, and the recipe's own does.

    It lies half the way from the constant's score to the lesser of the linear model's and the recipe's own.
    There is none where the recipe's model is not better than the constant beyond doubt, or the test rows are
    too few to tell.
    """
    said = (
        f"constant {measured.constant:.4g}, linear {measured.linear:.4g}, "
        f"this model, quickly fitted, {measured.model.value:.4g}, on {measured.n_test} test rows"
    )
    if measured.without:
        names = ", ".join(f"'{name}'" for name in measured.without)
        said += f", all without {names}, which may give the target away"
    if measured.n_test < _MIN_TEST_ROWS:
        return Bound(None, None, f"{said}: too few to hold a model to")
    surest = measured.model.low if measured.greater_is_better else measured.model.high
    if surest is None or not math.isfinite(surest) or not measured.gains(surest) > 0:
        return Bound(None, None, f"{said}: too near a constant to hold a model to")
    gains = [measured.gains(value) for value in (measured.linear, measured.model.value)]
    way = _HALF * min(gain for gain in gains if gain > 0)
    sign = 1 if measured.greater_is_better else -1
    limit = _lenient(measured.constant + sign * way, towards=measured.constant, step=way)
    why = f"half the way from a constant to the lesser of the others: {said}"
    return Bound(limit, None, why) if measured.greater_is_better else Bound(None, limit, why)


def _lenient(value: float, *, towards: float, step: float) -> float:
    """Round towards the constant's score, to a tenth of the step or finer.

    Examples
    --------
    >>> _lenient(0.70734, towards=0.5, step=0.20734), _lenient(2213.7, towards=3989.4, step=1775.7)
    (0.7, 2300.0)
    """
    unit = 10.0 ** math.floor(math.log10(max(step / 4, _LEAST_UNIT)))
    rounded = math.floor(value / unit) if value > towards else math.ceil(value / unit)
    digits = max(0, -round(math.log10(unit)))
    return round(rounded * unit, digits)


def _score(baseline: object, metric: str) -> float:
    scores = cast("dict[str, dict[str, dict[str, float | None]]]", baseline)["test"]
    value = scores[metric]["value"]
    return math.nan if value is None else value

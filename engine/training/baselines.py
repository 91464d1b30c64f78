"""The two models that any model must beat: a constant, and a linear one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import polars as pl

from engine.data.parts import PartData
from engine.data.schema import Schema
from engine.evaluation.evaluate import PartScores, audit_columns, evaluate, metrics_for
from engine.evaluation.paired import compare_models
from engine.models.decide import decide_values
from engine.models.family import Array
from engine.recipe.load import load_model
from engine.recipe.spec import Spec
from engine.tasks.task import Scores, Target, Task
from engine.training.fit import Candidate, fit_candidate
from engine.training.parts import Divided

# A linear model has seen enough by then, and a baseline must not cost more than the model.
_MAX_TRAIN_ROWS = 20_000


def score_baselines(
    divided: Divided, *, model: Scores | None, schema: Schema, task: Task, spec: Spec
) -> dict[str, Mapping[str, object]]:
    """Fit both baselines on training rows, score them on the test rows, and hold the model against them.

    Parameters
    ----------
    model
        What the model says of the test rows; None where there is no model to hold against them.

    Returns
    -------
    dict
        By name, `constant` and `linear`: a `description`; `test` scores in the form of `metrics.json`; and as
        `difference`, where there is a model, its metrics less theirs, each with `value low high verdict` (a
        paired bootstrap of the test rows).
    """
    train, validation, test, target = divided.train, divided.validation, divided.test, divided.target
    constant = np.repeat(_constant(train, target), test.n_rows, axis=0)
    linear = "logistic" if target.classes else "ridge"
    described = f"{linear} with its default params"
    if train.n_rows > _MAX_TRAIN_ROWS:
        described += f", on {_MAX_TRAIN_ROWS} training rows drawn at random"
    sample = train.sample(_MAX_TRAIN_ROWS, seed=spec.seed)
    candidate = fit_candidate(
        load_model(linear), train=sample, validation=validation, schema=schema, target=target, spec=spec
    )
    threshold = of_constant = None
    if validation.n_rows:
        values = candidate.predict(validation.frame)
        choose = partial(
            task.choose_threshold, validation.y, weights=validation.weights, spec=spec, worth=validation.worth
        )
        threshold = choose(values)
        # Where outcomes are priced, acting on all or on none is what anybody gets, whichever earns more.
        if spec.goal.value is not None:
            of_constant = choose(np.repeat(constant[:1], validation.n_rows, axis=0))

    decided = [
        decide_values(constant, task=task, target=target, threshold=of_constant),
        decide_values(candidate.predict(test.frame), task=task, target=target, threshold=threshold),
    ]
    rivals = [scores.priced(test.worth) for scores in decided]
    differences = _differences(model, rivals, test, task=task, target=target, spec=spec) if model else []
    shares = "class shares" if target.classes else "mean"
    if of_constant is not None:
        shares += f", {'all' if rivals[0].decisions.any() else 'none'} decided positive"
    names = {"constant": f"the training rows' {shares}", "linear": described}
    return {
        name: {
            "description": description,
            "test": _scored(rival, test, task=task, target=target, spec=spec),
            **({"difference": differences[place]} if differences else {}),
        }
        for place, ((name, description), rival) in enumerate(zip(names.items(), rivals, strict=True))
    }


def score_unmitigated(
    divided: Divided, *, model: Scores, fitted: Candidate, schema: Schema, task: Task, spec: Spec
) -> dict[str, object] | None:
    """Fit the same model without what `model.fairness` does, and hold both against each other.

    Parameters
    ----------
    model
        What the model with it says of the test rows.
    fitted
        That model, which without thresholds of groups is the same.

    Returns
    -------
    dict or None
        `kind` and `by`; the `test` scores and `fairness` of the model without, as in `metrics.json`; and as
        `difference` the scores with it less those without. None where the recipe asks for no mitigation.
    """
    mitigated = spec.model.fairness
    if mitigated is None:
        return None
    train, validation, test, target = divided.train, divided.validation, divided.test, divided.target
    candidate = fitted
    if mitigated.kind != "thresholds":
        candidate = fit_candidate(
            spec.model.model_copy(update={"fairness": None}),
            train=train,
            validation=validation,
            schema=schema,
            target=target,
            spec=spec,
        )
    threshold = None
    if validation.n_rows:
        values = candidate.predict(validation.frame)
        threshold = task.choose_threshold(
            validation.y, values, validation.weights, spec=spec, worth=validation.worth
        )
    scores = decide_values(candidate.predict(test.frame), task=task, target=target, threshold=threshold)
    scores = scores.priced(test.worth)
    part = PartScores(test.y, scores, test.weights, test.frame.select(audit_columns(spec)))
    found = evaluate({"test": part}, spec=spec, task=task, target=target, seed=spec.seed)
    (difference,) = _differences(model, [scores], test, task=task, target=target, spec=spec)
    return {
        "kind": mitigated.kind,
        "by": list(mitigated.by),
        "test": found.to_json()["test"],
        "fairness": {", ".join(audit.by): audit.to_json() for audit in found.fairness},
        "difference": difference,
    }


def _differences(
    model: Scores, rivals: list[Scores], test: PartData, *, task: Task, target: Target, spec: Spec
) -> list[dict[str, object]]:
    found = compare_models(
        test.y,
        model,
        rivals,
        test.weights,
        metrics=metrics_for(spec, task=task, target=target),
        confidence=spec.evaluation.confidence,
        n_bootstrap=spec.evaluation.bootstrap,
        seed=spec.seed,
    )
    return [{name: one.to_json() for name, one in of_rival.items()} for of_rival in found]


def _scored(scores: Scores, test: PartData, *, task: Task, target: Target, spec: Spec) -> object:
    # Groups are audited for the model alone, so no column travels with a baseline's scores.
    part = PartScores(test.y, scores, test.weights, pl.DataFrame())
    found = evaluate({"baseline": part}, spec=spec, task=task, target=target, seed=spec.seed)
    return found.to_json()["baseline"]


def _constant(train: PartData, target: Target) -> Array:
    """Return shape (1, n_classes) of class shares, or (1,) of the mean."""
    if target.classes:
        counts = np.bincount(train.y, weights=train.weights, minlength=target.n_outputs)
        return np.atleast_2d(counts / counts.sum())
    return np.atleast_1d(np.average(train.y, weights=train.weights))

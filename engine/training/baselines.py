"""The two models that any model must beat: a constant, and a linear one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from engine.data.parts import PartData
from engine.data.schema import Schema
from engine.evaluation.evaluate import PartScores, evaluate
from engine.models.decide import decide_values
from engine.models.family import Array
from engine.recipe.load import load_model
from engine.recipe.spec import Spec
from engine.tasks.task import Target, Task
from engine.training.fit import fit_candidate
from engine.training.parts import Divided

# A linear model has seen enough by then, and a baseline must not cost more than the model.
_MAX_TRAIN_ROWS = 20_000


def score_baselines(
    divided: Divided, *, schema: Schema, task: Task, spec: Spec
) -> dict[str, Mapping[str, object]]:
    """Fit both baselines on training rows and score them on the test rows, as the model is scored.

    Returns
    -------
    dict
        By name, `constant` and `linear`: a `description`, and `test` scores in the form of `metrics.json`.
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
    threshold = None
    if validation.n_rows:
        values = candidate.predict(validation.frame)
        threshold = task.choose_threshold(validation.y, values, validation.weights, spec=spec)

    def scored(values: Array, threshold: float | None) -> object:
        scores = decide_values(values, task=task, target=target, threshold=threshold)
        # Groups are audited for the model alone, so no column travels with a baseline's scores.
        part = PartScores(test.y, scores, test.weights, pl.DataFrame())
        found = evaluate({"baseline": part}, spec=spec, task=task, target=target, seed=spec.seed)
        return found.to_json()["baseline"]

    shares = "class shares" if target.classes else "mean"
    return {
        "constant": {"description": f"the training rows' {shares}", "test": scored(constant, None)},
        "linear": {"description": described, "test": scored(candidate.predict(test.frame), threshold)},
    }


def _constant(train: PartData, target: Target) -> Array:
    """Return shape (1, n_classes) of class shares, or (1,) of the mean."""
    if target.classes:
        counts = np.bincount(train.y, weights=train.weights, minlength=target.n_outputs)
        return np.atleast_2d(counts / counts.sum())
    return np.atleast_1d(np.average(train.y, weights=train.weights))

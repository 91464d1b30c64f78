"""Fits one candidate: prepare on training rows alone, fit, write the graph, choose the threshold.

The test rows are not passed in here, so nothing can be fitted on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import polars as pl

from engine.data.parts import PartData
from engine.data.schema import Schema
from engine.errors import EngineError
from engine.features.prepare import Preparation, prepare_training
from engine.features.targets import Outcome
from engine.machine import n_threads
from engine.models.assemble import Artifact, assemble
from engine.models.calibration import Calibrated, calibrate
from engine.models.family import (
    Additive,
    Array,
    Continuing,
    Course,
    Family,
    Fitted,
    ParamValue,
    Problem,
    Progress,
    Rows,
)
from engine.models.margin_file import StoredMargin, write_margin
from engine.models.scorer import Parity, Scorer, parity
from engine.models.thresholds import GroupThresholds
from engine.names import FAMILIES
from engine.recipe.spec import Spec
from engine.recipe.spec_model import FairnessSpec, ModelSpec
from engine.tasks.task import Target, Task
from engine.training.balance import balance
from engine.training.mitigation import fit_fairly, mitigate
from engine.training.mitigation_thresholds import choose_groups

# Enough rows to meet a tree's every leaf; more would only repeat what is seen.
_PARITY_ROWS = 5000


@dataclass(frozen=True)
class Candidate:
    """A fitted model with its preparation, before it is a graph."""

    fitted: Fitted
    preparation: Preparation
    family: Family

    def predict(self, frame: pl.DataFrame) -> Array:
        """Return the library's own answer for raw rows."""
        return self.fitted.predict(self.preparation.transform(frame))

    @property
    def tolerance(self) -> float:
        """How far the graph may be from the library's own answer."""
        steepness = self.fitted.steepness if isinstance(self.fitted, Calibrated) else 1.0
        return self.family.tolerance * steepness


@dataclass(frozen=True)
class Model:
    """A candidate as it is deployed: the graph, what runs it, and how near it is to the library.

    `threshold` is that of all rows; `groups` has those of groups that have their own, if any.
    """

    candidate: Candidate
    artifact: Artifact
    scorer: Scorer
    threshold: float | None
    parity: Parity
    groups: GroupThresholds | None = None


@dataclass(frozen=True)
class Prepared:
    """Training and validation rows, if any, as the models of one family take them."""

    preparation: Preparation
    train: Rows
    validation: Rows | None


def prepare_rows(
    model: ModelSpec, *, train: PartData, validation: PartData, schema: Schema, target: Target, seed: int
) -> Prepared:
    """Fit what a model's family needs on training rows, prepare both parts by it, even training out if asked.

    Parameters
    ----------
    seed
        Decides the folds of columns that are encoded by the target, and which rows are drawn to even classes
        or groups out.
    """
    family = cast("Family", FAMILIES.load(model.family))
    outcome = Outcome(train.y, target.n_outputs, seed)
    preparation, x = prepare_training(train.frame, schema=schema, needs=family.needs(model), outcome=outcome)
    rows = Rows(x, train.y, train.weights)
    held = None
    if validation.n_rows and (validation.weights is None or validation.weights.any()):
        held = Rows(preparation.transform(validation.frame), validation.y, validation.weights)
    if model.fairness is not None:
        groups = [part.frame.select(model.fairness.by) for part in (train, validation)]
        rows, held = mitigate(rows, held, pl.concat(groups), how=model.fairness, seed=seed)
    if model.balance is not None:
        rows = balance(rows, model.balance, seed=seed)
    return Prepared(preparation, rows, held)


def fit_prepared(
    model: ModelSpec,
    prepared: Prepared,
    *,
    target: Target,
    spec: Spec,
    seed: int,
    threads: int,
    progress: Progress | None = None,
    course: Course | None = None,
) -> Candidate:
    """Fit a model of one family on prepared rows; in stages where there is a `course`.

    Raises
    ------
    EngineError
        If the library fails or the fit diverges.
    """
    family = cast("Family", FAMILIES.load(model.family))
    preparation = prepared.preparation
    problem = Problem(
        train=prepared.train,
        validation=prepared.validation,
        kind=target.kind,
        n_classes=target.n_outputs,
        feature_names=preparation.feature_names,
        category_sizes=preparation.category_sizes,
        estimator=model.estimator,
        params=cast("Mapping[str, ParamValue]", model.params),
        seed=seed,
        threads=threads,
        device=spec.compute.device,
        max_iterations=spec.compute.max_iterations,
    )
    if course is None:
        fitted = fit_fairly(family, problem, how=model.fairness, spec=spec, progress=progress)
    else:
        assert isinstance(family, Continuing)
        fitted = family.fit_course(problem, course, progress)
    fitted = calibrate(fitted, model.calibration, prepared.validation, target=target)
    return Candidate(fitted, preparation, family)


def fit_candidate(
    model: ModelSpec,
    *,
    train: PartData,
    validation: PartData,
    schema: Schema,
    target: Target,
    spec: Spec,
    progress: Progress | None = None,
    course: Course | None = None,
) -> Candidate:
    """Prepare the rows and fit a model of one family, as the recipe's seed and threads have it.

    Raises
    ------
    EngineError
        If the library fails or the fit diverges.
    """
    prepared = prepare_rows(
        model, train=train, validation=validation, schema=schema, target=target, seed=spec.seed
    )
    threads = n_threads(spec.compute)
    return fit_prepared(
        model,
        prepared,
        target=target,
        spec=spec,
        seed=spec.seed,
        threads=threads,
        progress=progress,
        course=course,
    )


def deploy_candidate(
    candidate: Candidate,
    *,
    train: PartData,
    validation: PartData,
    schema: Schema,
    task: Task,
    target: Target,
    spec: Spec,
) -> Model:
    """Write the candidate's graph, choose the threshold on validation rows, and hold it against the library.

    Raises
    ------
    EngineError
        If the graph and the library differ by more than the family's tolerance: a fault of ours.
    """
    # Where no rows validate, the graph is held against the library on training rows.
    held = validation if validation.n_rows else train
    # No library need be asked of no rows.
    values = candidate.predict(validation.frame) if validation.n_rows else np.empty((0, target.n_outputs))
    threshold, groups = choose_thresholds(
        validation, values, how=spec.model.fairness, task=task, schema=schema, spec=spec
    )
    artifact = assemble(
        preparation=candidate.preparation,
        fitted=candidate.fitted,
        task=task,
        target=target,
        threshold=threshold,
        groups=groups,
    )
    read = schema if groups is None else schema.reading(groups.by)
    scorer = Scorer(artifact, schema_columns=read.features, kind=target.kind, threads=n_threads(spec.compute))
    return Model(candidate, artifact, scorer, threshold, _check_parity(candidate, scorer, held), groups)


def choose_thresholds(
    part: PartData,
    values: Array,
    *,
    how: FairnessSpec | None,
    task: Task,
    schema: Schema,
    spec: Spec,
) -> tuple[float | None, GroupThresholds | None]:
    """Choose the threshold of all rows, and those of groups where `how` asks for them.

    Parameters
    ----------
    part
        Validation rows; of none nothing is chosen.
    values
        What the model says of them.
    """
    overall = None
    if part.n_rows:
        overall = task.choose_threshold(part.y, values, part.weights, spec=spec, worth=part.worth)
    groups = choose_groups(part, values, overall=overall, how=how, task=task, schema=schema, spec=spec)
    return overall, groups


def margin_bytes(model: Model) -> bytes | None:
    """Return the model's sums as the bundle keeps them; None of a model that is no such sum."""
    fitted = model.candidate.fitted
    margin = fitted.margin() if isinstance(fitted, Additive) else None
    if margin is None or not model.artifact.matrix:
        return None
    sources = model.candidate.preparation.sources
    return write_margin(StoredMargin(margin, model.artifact.matrix, sources))


def n_bytes(artifact: Artifact) -> int:
    """Return the size of a model's files."""
    return sum(len(part) for part in (artifact.graph, artifact.estimator, artifact.decision) if part)


def importances(candidate: Candidate) -> dict[str, float] | None:
    """Return the library's own importances summed over each raw column, largest first, or None."""
    shares = candidate.fitted.importances
    if shares is None:
        return None
    totals: dict[str, float] = {}
    for source, share in zip(candidate.preparation.sources, shares, strict=True):
        totals[source] = totals.get(source, 0.0) + float(share)
    return dict(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def _check_parity(candidate: Candidate, scorer: Scorer, rows: PartData) -> Parity:
    frame = rows.frame[:: max(rows.n_rows // _PARITY_ROWS, 1)]
    tolerance = candidate.tolerance
    found = parity(scorer, candidate.fitted, candidate.preparation, frame, tolerance=tolerance)
    if found.n_beyond:
        raise EngineError.of(
            f"the graph of {candidate.family.name} differs from the library by up to {found.largest:.3g} "
            f"on {found.n_beyond} of {found.n_rows} rows, more than {tolerance:g}"
        )
    return found

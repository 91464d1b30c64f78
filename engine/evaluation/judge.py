"""Judges a model as it is deployed: the graph is timed and scores every part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.data.parts import PartData
from engine.evaluation.evaluate import Evaluation, PartScores, audit_columns, evaluate
from engine.evaluation.latency import Latency, latency
from engine.models.scorer import Scorer
from engine.recipe.spec import Spec
from engine.tasks.task import Scores, Target, Task


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that is measured of a model: scores by part, one row's latency, the test rows' scores.

    `measured` holds what gates can bound, by `gate_name`.
    """

    evaluation: Evaluation
    latency: Latency
    test: Scores
    measured: Mapping[str, float]


def judge_model(
    parts: Mapping[str, PartData],
    *,
    scorer: Scorer,
    timed: Latency,
    n_bytes: int,
    data: Mapping[str, float],
    spec: Spec,
    task: Task,
    target: Target,
) -> Judgement:
    """Score each part with the graph.

    Parameters
    ----------
    parts
        `train`, `validation` and `test`; empty parts are left out. Of the training rows at most
        `evaluation.train_rows` are scored, drawn at random.
    timed
        How long one row takes, from `time_one_row`.
    n_bytes
        Size of the model, for the gate `bundle_mib`.
    data
        The measures of the data's quality, which gates can bound.
    """
    sampled = {
        name: part.sample(spec.evaluation.train_rows, seed=spec.seed) if name == "train" else part
        for name, part in parts.items()
        if part.n_rows
    }
    scores = {name: scorer.score(part.frame).priced(part.worth) for name, part in sampled.items()}
    columns = audit_columns(spec)
    judged = {
        name: PartScores(part.y, scores[name], part.weights, part.frame.select(columns))
        for name, part in sampled.items()
    }
    evaluation = evaluate(judged, spec=spec, task=task, target=target, seed=spec.seed)
    measured = evaluation.measured() | timed.measured() | {"bundle_mib": n_bytes / 2**20} | dict(data)
    return Judgement(evaluation, timed, scores["test"], measured)


def time_one_row(test: PartData, *, scorer: Scorer, n: int) -> Latency:
    """Time one row at a time, `n` times, over rows spread evenly through the test part."""
    rows = np.linspace(0, test.n_rows - 1, num=min(n, test.n_rows)).astype(np.int64)
    records = test.frame[rows].to_dicts()
    turn = 0

    def score_one() -> Scores:
        nonlocal turn
        turn += 1
        return scorer.score_records([records[turn % len(records)]])

    return latency(score_one, n=n)

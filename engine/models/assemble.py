"""Joins preparation, model and decision into what is deployed: one graph from raw columns to predictions.

A model that can't be written as a graph is kept in skops' format, between a graph before it and one after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.features.prepare import Preparation
from engine.graph import Graph
from engine.models.calibration import Calibrated
from engine.models.family import Fitted
from engine.models.thresholds import GroupThresholds
from engine.tasks.task import Target, Task


@dataclass(frozen=True, slots=True)
class Artifact:
    """A model as it is deployed; `engine.models.scorer` runs it.

    Attributes
    ----------
    graph
        ONNX, from raw columns to the task's outputs; where there is an `estimator`, to the matrix it takes.
    estimator
        In skops' format; None where the model is in the graph.
    decision
        ONNX, from the estimator's answer, double of shape (rows, n_outputs), its last input, to the task's
        outputs; before that come the raw columns by whose groups is decided, if any. None where there is no
        estimator.
    matrix
        The tensor of `graph` that holds prepared rows; empty where that is no longer known.
    """

    graph: bytes
    estimator: bytes | None = None
    decision: bytes | None = None
    matrix: str = ""


def assemble(
    *,
    preparation: Preparation,
    fitted: Fitted,
    task: Task,
    target: Target,
    threshold: float | None,
    groups: GroupThresholds | None = None,
) -> Artifact:
    """Write a fitted model as it is deployed; equal models give equal bytes.

    Where `groups` are given, each row is decided for by its group's threshold.

    The task's outputs are, in this order: for classes `probability` (rows, k), `decision` (rows,) and
    `prediction` (rows,); for a continuous target `prediction` (rows,).
    """
    graph = Graph()
    if groups is not None:
        groups.declare(graph)
    x = preparation.write(graph)
    values = fitted.write(graph, x)
    if values is not None:
        edge = threshold if groups is None else groups.write(graph)
        task.decide(graph, values, target=target, threshold=edge)
        return Artifact(_bytes(graph), matrix=x)
    estimator = fitted.to_skops()
    if estimator is None:
        raise AssertionError("a fitted model is written as a graph or by skops")
    graph = Graph()
    graph.output("x", preparation.write(graph), np.float64, width=len(preparation.sources))
    decision, name = Graph(), "values"
    if groups is not None:
        groups.declare(decision)
        while name in groups.by:
            name += "_"
    values = decision.input(name, np.float64, width=target.n_outputs)
    if isinstance(fitted, Calibrated):
        values = fitted.write_correction(decision, values)
    edge = threshold if groups is None else groups.write(decision)
    task.decide(decision, values, target=target, threshold=edge)
    return Artifact(_bytes(graph), estimator, _bytes(decision))


def _bytes(graph: Graph) -> bytes:
    return bytes(graph.build().SerializeToString(deterministic=True))

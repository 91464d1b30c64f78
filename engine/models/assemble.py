"""Joins preparation, model and decision into what is deployed: one graph from raw columns to predictions.

A model that can't be written as a graph is kept in skops' format, between a graph before it and one after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.features.prepare import Preparation
from engine.graph import Graph
from engine.models.family import Fitted
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
        ONNX, from the estimator's answer, double of shape (rows, n_outputs), to the task's outputs; None
        where there is no estimator.
    """

    graph: bytes
    estimator: bytes | None = None
    decision: bytes | None = None


def assemble(
    *, preparation: Preparation, fitted: Fitted, task: Task, target: Target, threshold: float | None
) -> Artifact:
    """Write a fitted model as it is deployed; equal models give equal bytes.

    The task's outputs are, in this order: for classes `probability` (rows, k), `decision` (rows,) and
    `prediction` (rows,); for a continuous target `prediction` (rows,).
    """
    graph = Graph()
    values = fitted.write(graph, preparation.write(graph))
    if values is not None:
        task.decide(graph, values, target=target, threshold=threshold)
        return Artifact(_bytes(graph))
    estimator = fitted.to_skops()
    if estimator is None:
        raise AssertionError("a fitted model is written as a graph or by skops")
    graph = Graph()
    graph.output("x", preparation.write(graph), np.float64, width=len(preparation.sources))
    decision = Graph()
    values = decision.input("values", np.float64, width=target.n_outputs)
    task.decide(decision, values, target=target, threshold=threshold)
    return Artifact(_bytes(graph), estimator, _bytes(decision))


def _bytes(graph: Graph) -> bytes:
    return bytes(graph.build().SerializeToString(deterministic=True))

"""Decides on values that no graph gave: the task's own nodes, run alone, so that the rule is said once."""

from __future__ import annotations

import numpy as np

from engine.graph import Graph
from engine.tasks.task import Array, Scores, Target, Task


def decide_values(values: Array, *, task: Task, target: Target, threshold: float | Array | None) -> Scores:
    """Return what the task decides on a model's values.

    Parameters
    ----------
    values
        Shape (n, n_classes) of probabilities, or (n,) of a continuous target.
    threshold
        Of the positive class, or each row's own, shape (n,); None is the task's neutral rule.
    """
    if not target.classes:
        return Scores(values, values)
    import onnxruntime

    graph = Graph()
    given = graph.input("values", np.float64, width=target.n_outputs)
    inputs = {"values": np.ascontiguousarray(values)}
    edge: float | str | None
    if isinstance(threshold, np.ndarray):
        inputs["edges"] = threshold.reshape(-1, 1)
        edge = graph.node("Reshape", [graph.input("edges", np.float64), graph.constant([-1])])
    else:
        edge = threshold
    decisions = task.decide(graph, given, target=target, threshold=edge)
    graph.output("decided", decisions, np.int64, width=None)
    session = onnxruntime.InferenceSession(
        graph.build().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return Scores(values, session.run(["decided"], inputs)[0])

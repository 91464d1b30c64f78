"""Writes probabilities into a graph: from margins, and for classes that training lacked."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from engine.graph import Graph

Array: TypeAlias = "np.ndarray"


def write_two_classes(graph: Graph, positive: str) -> str:
    """Write [1 - p, p], shape (rows, 2), from the positive class's probability p, shape (rows, 1)."""
    negative = graph.node("Sub", [graph.constant(1.0), positive])
    return graph.node("Concat", [negative, positive], axis=1)


def write_sigmoid(graph: Graph, margin: str, *, slope: float = 1.0) -> str:
    """Write both probabilities, shape (rows, 2), from a margin of shape (rows, 1): 1 / (1 + e^(-slope m))."""
    steep = margin if slope == 1.0 else graph.node("Mul", [margin, graph.constant(slope)])
    return write_two_classes(graph, graph.node("Sigmoid", [steep]))


def write_widened(graph: Graph, known: str, *, classes: Array, n_classes: int) -> str:
    """Write the columns of `known`, shape (rows, k), to their places among n_classes; others are 0.

    `classes` holds the place of each column, shape (k,).
    """
    if len(classes) == n_classes:
        return known
    places = np.zeros((len(classes), n_classes))
    places[np.arange(len(classes)), classes] = 1.0
    return graph.node("MatMul", [known, graph.constant(places)])

"""Several fitted models that answer as one: the mean of what they say, by weight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.graph import Graph
from engine.models.family import Array, Fitted


@dataclass(frozen=True)
class Constant:
    """A model that says the same of every row: `probabilities`, shape (n_classes,)."""

    probabilities: Array
    n_iterations: int | None = None
    importances: Array | None = None

    def predict(self, x: Array) -> Array:
        """Return the probabilities of n rows, shape (n, n_classes)."""
        return np.tile(self.probabilities, (len(x), 1))

    def write(self, graph: Graph, x: str) -> str | None:
        """Write them, once a row."""
        rows = graph.node("Slice", [graph.node("Shape", [x]), graph.constant([0]), graph.constant([1])])
        shape = graph.node("Concat", [rows, graph.constant([1])], axis=0)
        return graph.node("Tile", [graph.constant(self.probabilities[None, :]), shape])

    def to_skops(self) -> bytes | None:
        """Return None: there is always a graph."""
        return None


@dataclass(frozen=True)
class Mixture:
    """Models of the same classes; `weights` are positive and sum to 1."""

    members: tuple[Fitted, ...]
    weights: tuple[float, ...]

    @property
    def n_iterations(self) -> int | None:
        """Return the trees or epochs of all members; None where one tells of none."""
        kept = [member.n_iterations for member in self.members]
        known = [n for n in kept if n is not None]
        return sum(known) if known else None

    @property
    def importances(self) -> Array | None:
        """Return the mean of those that members tell, by weight."""
        told = [
            (member.importances, weight)
            for member, weight in zip(self.members, self.weights, strict=True)
            if member.importances is not None
        ]
        if not told:
            return None
        total: Array = np.sum([np.asarray(shares) * weight for shares, weight in told], axis=0)
        return total / total.sum() if total.sum() > 0 else total

    def predict(self, x: Array) -> Array:
        """Return the mean of the members' answers, shape (n, n_classes)."""
        pairs = zip(self.members, self.weights, strict=True)
        answers: Array = np.sum([weight * member.predict(x) for member, weight in pairs], axis=0)
        return answers

    def write(self, graph: Graph, x: str) -> str | None:
        """Write every member and their mean; None where a member has no graph."""
        answers = []
        for member, weight in zip(self.members, self.weights, strict=True):
            values = member.write(graph, x)
            if values is None:
                return None
            answers.append(graph.node("Mul", [values, graph.constant(weight)]))
        return graph.node("Sum", answers)

    def to_skops(self) -> bytes | None:
        """Return None: its members are written as a graph."""
        return None

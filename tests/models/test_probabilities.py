"""Probabilities in graphs, worked by hand."""

from types import ModuleType

import numpy as np
import pytest

from engine.graph import Graph
from engine.models.probabilities import write_sigmoid, write_widened


@pytest.mark.parametrize("slope", [1.0, 2.0])
def test_sigmoid(cases: ModuleType, slope: float) -> None:
    """Two columns 1 - p and p, with p = 1 / (1 + e^(-slope m)), to a double's rounding and to its ends."""
    margins = np.array([[0.0], [np.log(3.0) / slope], [-800.0], [800.0]])
    graph = Graph()
    graph.output("y", write_sigmoid(graph, graph.input("x", np.float64), slope=slope), np.float64, width=2)

    got = cases.run(graph.build().SerializeToString(), margins)

    np.testing.assert_allclose(got, [[0.5, 0.5], [0.25, 0.75], [1.0, 0.0], [0.0, 1.0]], atol=1e-15)


def test_widened(cases: ModuleType) -> None:
    """Columns move to their classes' places, and the others are 0."""
    graph = Graph()
    known = graph.input("x", np.float64, width=2)
    wide = write_widened(graph, known, classes=np.array([1, 3]), n_classes=4)
    graph.output("y", wide, np.float64, width=4)

    got = cases.run(graph.build().SerializeToString(), np.array([[0.25, 0.75]]))

    assert got.tolist() == [[0.0, 0.25, 0.0, 0.75]]

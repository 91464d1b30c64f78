"""Preparation, model and decision as one graph, or as two graphs around an estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.features.needs import Needs
from engine.features.prepare import Preparation, prepare
from engine.graph import Graph
from engine.models.assemble import assemble
from engine.tasks.classification import TASK as CLASSIFICATION
from engine.tasks.regression import TASK as REGRESSION
from engine.tasks.task import Target

NEEDS = Needs(categories="codes", missing="impute", scale=False, max_categories=None)


@dataclass(frozen=True)
class First:
    """A model that answers with the first features, as a graph or, if `stored`, as the bytes of an estimator."""

    stored: bytes | None = None
    n_outputs: int = 1
    n_iterations: None = None
    importances: None = None

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the first features."""
        return x[:, 0] if self.n_outputs == 1 else x[:, : self.n_outputs]

    def write(self, graph: Graph, x: str) -> str | None:
        """Write the choice of the first features."""
        chosen = graph.node("Gather", [x, graph.constant(list(range(self.n_outputs)))], axis=1)
        return chosen if self.stored is None else None

    def to_skops(self) -> bytes | None:
        """Return the bytes given."""
        return self.stored


def preparation_of(*names: str) -> Preparation:
    """Prepare columns of plain numbers."""
    columns = tuple(Column(name, "number", "feature", "float64") for name in names)
    frame = pl.DataFrame({name: [0.25, 0.75] for name in names})
    return prepare(frame, schema=Schema(columns, None, "error", missing_target="error"), needs=NEEDS)


def outputs(content: bytes) -> list[str]:
    """Return the names of a graph's outputs."""
    return [value.name for value in onnx.load_model_from_string(content).graph.output]


def inputs(content: bytes) -> list[str]:
    """Return the names of a graph's inputs."""
    return [value.name for value in onnx.load_model_from_string(content).graph.input]


@pytest.mark.parametrize(
    ("task", "target", "expected"),
    [
        (CLASSIFICATION, Target("y", "binary", ("no", "yes")), ["probability", "decision", "prediction"]),
        (REGRESSION, Target("y", "continuous"), ["prediction"]),
    ],
)
def test_a_model_with_a_graph_becomes_one_graph(task, target: Target, expected: list[str]) -> None:  # noqa: ANN001
    """Raw columns in, the task's outputs out, and nothing else is stored."""
    artifact = assemble(
        preparation=preparation_of("a", "b"),
        fitted=First(n_outputs=target.n_outputs),
        task=task,
        target=target,
        threshold=None,
    )
    assert inputs(artifact.graph) == ["a", "b"]
    assert outputs(artifact.graph) == expected
    assert (artifact.estimator, artifact.decision) == (None, None)


def test_a_model_without_a_graph_stands_between_two() -> None:
    """The first graph ends at the matrix, the second begins at the estimator's answer."""
    target = Target("y", "binary", ("no", "yes"))
    artifact = assemble(
        preparation=preparation_of("x", "values"),
        fitted=First(stored=b"estimator", n_outputs=2),
        task=CLASSIFICATION,
        target=target,
        threshold=0.2,
    )
    assert inputs(artifact.graph) == ["x", "values"]
    # A column is called x, so the matrix can't be.
    assert outputs(artifact.graph) == ["x_"]
    assert artifact.estimator == b"estimator"
    assert artifact.decision is not None
    assert inputs(artifact.decision) == ["values"]
    assert outputs(artifact.decision) == ["probability", "decision", "prediction"]
    assert onnx.load_model_from_string(artifact.graph).graph.node[-1].op_type == "Identity"


def test_a_model_that_nothing_can_store_is_a_fault() -> None:
    """Neither graph nor estimator is our own mistake, loudly."""

    class Nothing(First):
        def write(self, graph: Graph, x: str) -> None:
            del graph, x

    with pytest.raises(AssertionError, match="written as a graph or by skops"):
        assemble(
            preparation=preparation_of("a"),
            fitted=Nothing(),
            task=REGRESSION,
            target=Target("y", "continuous"),
            threshold=None,
        )

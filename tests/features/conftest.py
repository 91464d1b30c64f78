"""Fixtures of the features room."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from engine.graph import Graph

Write = Callable[[Graph], str]
Evaluate = Callable[[Write, Mapping[str, np.ndarray]], np.ndarray]


@pytest.fixture(scope="session")
def evaluate() -> Evaluate:
    """Give a function that runs the nodes a writer writes, on given inputs, in onnxruntime."""
    import onnxruntime

    def run(write: Write, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        graph = Graph()
        graph.output("answer", write(graph), np.float64, width=None)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(graph.build().SerializeToString(), options)
        answer: np.ndarray = session.run(None, dict(inputs))[0]
        return answer

    return run

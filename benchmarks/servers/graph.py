"""A bundle's graph as a few lines of a tutorial call it: records in, predictions out.

What the peers' servers share; needs NumPy and ONNX Runtime, and nothing of ours.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Graph:
    """A bundle's graph, with one thread."""

    def __init__(self, bundle: Path) -> None:
        contract = json.loads((bundle / "schema.json").read_bytes())
        self.classes = contract["target"]["classes"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), options)
        self.outputs = [output.name for output in self.session.get_outputs()[:2]]
        self.is_text = {each.name: "string" in each.type for each in self.session.get_inputs()}

    def predict(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the predictions of records."""
        return self.predict_columns({name: [record[name] for record in records] for name in self.is_text})

    def predict_columns(self, columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
        """Return the predictions of rows that are given by column."""
        inputs = {}
        for name, is_text in self.is_text.items():
            values = columns[name]
            if is_text:
                values = ["\ufdd0" if value is None else value for value in values]
            inputs[name] = np.array(values, dtype=object if is_text else np.float64).reshape(-1, 1)
        probabilities, decisions = self.session.run(self.outputs, inputs)
        return [
            {
                "prediction": self.classes[decision],
                "probabilities": dict(zip(self.classes, row, strict=True)),
            }
            for decision, row in zip(decisions.tolist(), probabilities.tolist(), strict=True)
        ]

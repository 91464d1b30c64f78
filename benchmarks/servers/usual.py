"""A Bento as its tutorials write one: pydantic in and out, a list as the answer, the same session as all.

`bentoml serve usual:Usual`, the bundle in the variable `BENCH_BUNDLE`.
"""

import json
import os
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import onnxruntime
from pydantic import BaseModel, Field, create_model

BUNDLE = Path(os.environ["BENCH_BUNDLE"])
CONTRACT = json.loads((BUNDLE / "schema.json").read_bytes())
COLUMNS = [column for column in CONTRACT["schema"]["columns"] if column["role"] == "feature"]
KINDS: dict[str, Any] = {"int64": int, "float64": float, "boolean": bool, "string": str, "datetime": str}
FIELDS: dict[str, Any] = {
    f"c{i}": (KINDS[c["storage"]] | None, Field(alias=c["name"])) for i, c in enumerate(COLUMNS)
}
Record = create_model("Record", **FIELDS)


class Prediction(BaseModel):
    """One answer."""

    prediction: str
    probabilities: dict[str, float]


@bentoml.service(workers=1)
class Usual:
    """The service."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(BUNDLE / "model.onnx"), options)
        self.names = [output.name for output in self.session.get_outputs()[:2]]
        self.read = {each.name for each in self.session.get_inputs()}

    @bentoml.api
    def predict(self, records: list[Record]) -> list[Prediction]:  # type: ignore[valid-type]
        """Predict."""
        inputs = {}
        for i, column in enumerate(COLUMNS):
            values = [getattr(record, f"c{i}") for record in records]
            if column["name"] not in self.read:
                continue
            if column["storage"] == "string":
                texts = ["\ufdd0" if value is None else value for value in values]
                inputs[column["name"]] = np.array(texts, dtype=object).reshape(-1, 1)
            else:
                inputs[column["name"]] = np.array(values, dtype=np.float64).reshape(-1, 1)
        probabilities, decisions = self.session.run(self.names, inputs)
        classes = CONTRACT["target"]["classes"]
        return [
            Prediction(prediction=classes[decision], probabilities=dict(zip(classes, row, strict=True)))
            for decision, row in zip(decisions.tolist(), probabilities.tolist(), strict=True)
        ]

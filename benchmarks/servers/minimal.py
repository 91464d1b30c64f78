"""What serving costs at the least: Starlette, msgspec and ONNX Runtime over a bundle's graph, no safeguards.

`python minimal.py BUNDLE PORT`; asked and answered as our service is, so that one client asks them all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

KINDS: dict[str, Any] = {"int64": int, "float64": float, "boolean": bool, "string": str, "datetime": str}


def make(bundle: Path) -> Starlette:
    """Return the app of a bundle."""
    contract = json.loads((bundle / "schema.json").read_bytes())
    version = json.loads((bundle / "manifest.json").read_bytes())["model_version"]
    classes = contract["target"]["classes"]
    columns = [column for column in contract["schema"]["columns"] if column["role"] == "feature"]
    record = msgspec.defstruct(
        "Record",
        [(f"c{i}", KINDS[c["storage"]] | None) for i, c in enumerate(columns)],
        rename={f"c{i}": c["name"] for i, c in enumerate(columns)},
    )
    asked = msgspec.defstruct("Asked", [("records", list[record])])
    decoder, encoder = msgspec.json.Decoder(asked), msgspec.json.Encoder()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(bundle / "model.onnx"), options)
    names = [output.name for output in session.get_outputs()[:2]]
    read = {each.name for each in session.get_inputs()}
    feeds = [
        (f"c{i}", c["name"], c["storage"] == "string") for i, c in enumerate(columns) if c["name"] in read
    ]

    def column(records: list[Any], field: str, *, is_text: bool) -> np.ndarray:
        values = [getattr(record, field) for record in records]
        if is_text:
            array = np.empty(len(values), dtype=object)
            array[:] = ["\ufdd0" if value is None else value for value in values]
            return array.reshape(-1, 1)
        return np.array(values, dtype=np.float64).reshape(-1, 1)

    async def predict(request: Request) -> Response:
        records = decoder.decode(await request.body()).records  # type: ignore[attr-defined]
        inputs = {name: column(records, field, is_text=is_text) for field, name, is_text in feeds}
        probabilities, decisions = session.run(names, inputs)
        predictions = [
            {"prediction": classes[decision], "probabilities": dict(zip(classes, row, strict=True))}
            for decision, row in zip(decisions.tolist(), probabilities.tolist(), strict=True)
        ]
        content = encoder.encode({"model_version": version, "predictions": predictions})
        return Response(content, media_type="application/json")

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])


if __name__ == "__main__":
    folder, port = sys.argv[1:]
    app = make(Path(folder))
    uvicorn.run(app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="error")

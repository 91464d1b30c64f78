"""The open inference protocol over REST, version 2, as KServe and Triton speak it: `/v2/...`.

The same reader and the same model as `POST /predict`; only the envelope is another.
Source: https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from engine.data.schema import Column
from engine.deploy.envelope import read_json, require_few
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.deploy.tag import tag_name
from engine.errors import nearest
from engine.tasks.task import Scores

PREFIX = "/v2"
_ENCODER = msgspec.json.Encoder()
_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(/ready|/infer)?")
_DATATYPES = {"int64": "INT64", "float64": "FP64", "boolean": "BOOL", "string": "BYTES", "datetime": "BYTES"}
_WHOLE = frozenset({"INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"})
# What a client may call the values of a column; that they are what the schema asks for is judged after.
_TAKEN: Mapping[str, frozenset[str]] = {
    "int64": _WHOLE,
    "float64": frozenset({"FP32", "FP64", *_WHOLE}),
    "boolean": frozenset({"BOOL"}),
    "string": frozenset({"BYTES"}),
    "datetime": frozenset({"BYTES"}),
}


class Input(msgspec.Struct, forbid_unknown_fields=True):
    """A tensor of a request: the values of one column."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Output(msgspec.Struct, forbid_unknown_fields=True):
    """A tensor that a request asks for."""

    name: str
    parameters: dict[str, Any] = {}


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """A request for predictions."""

    inputs: list[Input]
    id: str | None = None
    outputs: list[Output] = []
    parameters: dict[str, Any] = {}


def method_of(path: str) -> str:
    """Return the method that a path of the protocol is asked with."""
    return "POST" if path.endswith("/infer") else "GET"


def tell(path: str, served: Served, *, is_ready: bool) -> bytes:
    """Answer what a GET asks: of the server, of its health, of the model.

    Raises
    ------
    RefusedError
        If there is no such path, model or version; or if readiness is asked for, and it is not.
    """
    manifest = served.bundle.manifest
    if path == "/v2/health/live":
        return _ENCODER.encode({"live": True})
    if path == "/v2/health/ready":
        _require_ready(is_ready=is_ready)
        return _ENCODER.encode({"ready": True})
    if path in ("/v2", "/v2/"):
        return _ENCODER.encode({"name": "engine", "version": manifest.engine_version, "extensions": []})
    found = _MODEL.fullmatch(path)
    if found is None:
        raise _no_path(path)
    require_model(found[1], found[2], served)
    if found[3] == "/ready":
        _require_ready(is_ready=is_ready)
        return _ENCODER.encode({"name": tag_name(manifest.name), "ready": True})
    return _ENCODER.encode(describe(served))


def describe(served: Served) -> dict[str, Any]:
    """Return what the protocol tells of a model: its tensors."""
    manifest = served.bundle.manifest
    inputs = [
        {"name": column.name, "datatype": _DATATYPES[column.storage], "shape": [-1]}
        for column in served.bundle.schema.features
    ]
    return {
        "name": tag_name(manifest.name),
        "versions": [manifest.model_version],
        "platform": "onnx",
        "inputs": inputs,
        "outputs": [
            {"name": each["name"], "datatype": each["datatype"], "shape": [-1, *each["shape"][1:]]}
            for each in _outputs(served, None)
        ],
    }


def read(body: bytes, *, path: str, served: Served) -> tuple[Rows, Callable[[Scores], bytes]]:
    """Return the checked rows of a request for predictions, and what makes the answer of their scores.

    Raises
    ------
    RefusedError
        With all that is wrong with the request.
    """
    try:
        asked = msgspec.convert(read_json(body), Request)
    except msgspec.ValidationError as exc:
        raise _unprocessable(str(exc)) from None
    found = _MODEL.fullmatch(path)
    if found is None:
        raise _no_path(path)
    require_model(found[1], found[2], served)
    rows = rows_of(asked, served)
    return rows, lambda scores: _ENCODER.encode(answer(asked, scores, served))


def require_model(name: str, version: str | None, served: Served) -> None:
    """Refuse a request for another model; no version is the one that is served.

    Raises
    ------
    RefusedError
        If the model is not the one that is served.
    """
    manifest = served.bundle.manifest
    known = tag_name(manifest.name)
    if name != known or version not in (None, manifest.model_version):
        what = f"this serves the model {known}, version {manifest.model_version}"
        raise RefusedError.of(HTTPStatus.NOT_FOUND, what)


def rows_of(asked: Request, served: Served) -> Rows:
    """Return the checked rows of a request whose outputs exist.

    Raises
    ------
    RefusedError
        With all that is wrong with the request.
    """
    columns = {column.name: column for column in served.bundle.schema.columns}
    n_rows = -1
    values: dict[str, list[Any]] = {}
    for tensor in asked.inputs:
        found = _values(tensor, columns.get(tensor.name))
        if n_rows not in (-1, len(found)):
            raise _unprocessable(f"{len(found)} rows, and the inputs before have {n_rows}", tensor.name)
        if tensor.name in values:
            raise _unprocessable("this input stands twice", tensor.name)
        n_rows, values[tensor.name] = len(found), found
    require_few(n_rows, max_records=served.limits.max_records, key="inputs")
    names = list(values)
    records = [dict(zip(names, row, strict=True)) for row in zip(*values.values(), strict=True)]
    # Without a row there would be nobody to miss an input.
    missing = [column.name for column in served.bundle.schema.features if column.name not in values]
    if missing:
        raise _unprocessable("this input is missing", missing[0])
    known = [output["name"] for output in _outputs(served, None)]
    for output in asked.outputs:
        if output.name not in known:
            near = nearest(output.name, known)
            what = f"there is no such output{f': {near}?' if near else ''}"
            raise _unprocessable(what, output.name, side="outputs")
    return served.read_records(records, by_column=True)


def answer(asked: Request, scores: Scores, served: Served) -> dict[str, Any]:
    """Return the answer to a request, whose rows have these scores."""
    outputs = _outputs(served, scores)
    wanted = [output.name for output in asked.outputs] or [output["name"] for output in outputs]
    manifest = served.bundle.manifest
    return {
        "model_name": tag_name(manifest.name),
        "model_version": manifest.model_version,
        **({"id": asked.id} if asked.id is not None else {}),
        "outputs": [output for output in outputs if output["name"] in wanted],
    }


def _no_path(path: str) -> RefusedError:
    return RefusedError.of(HTTPStatus.NOT_FOUND, f"there is no path {path[:100]}")


def _require_ready(*, is_ready: bool) -> None:
    if not is_ready:
        raise RefusedError.of(HTTPStatus.SERVICE_UNAVAILABLE, "the service is ending: ask another")


def _values(tensor: Input, column: Column | None) -> list[Any]:
    """Return one value a row; a tensor of one column may be written (rows) or (rows, 1)."""
    if column is None:
        raise _unprocessable("this input is not known", tensor.name)
    if tensor.datatype not in _TAKEN[column.storage]:
        allowed = ", ".join(sorted(_TAKEN[column.storage]))
        raise _unprocessable(f"the datatype {tensor.datatype} is none of {allowed}", tensor.name)
    data = tensor.data
    if data and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    if tensor.shape not in ([len(data)], [len(data), 1]):
        raise _unprocessable(f"the shape {tensor.shape} is not that of {len(data)} values", tensor.name)
    return data


def _outputs(served: Served, scores: Scores | None) -> list[dict[str, Any]]:
    """Return the output tensors, of no rows without scores."""
    target, n_rows = served.bundle.target, 0 if scores is None else len(scores.decisions)
    answers = [] if scores is None else served.answers(scores)
    predictions = [answer["prediction"] for answer in answers]
    kind = {str: "BYTES", int: "INT64", bool: "BOOL"}[type(target.classes[0])] if target.classes else "FP64"
    outputs: list[dict[str, Any]] = [
        {"name": "prediction", "shape": [n_rows], "datatype": kind, "data": predictions}
    ]
    if target.classes:
        flat = [] if scores is None else scores.values.ravel().tolist()
        outputs.append(
            {
                "name": "probabilities",
                "shape": [n_rows, len(target.classes)],
                "datatype": "FP64",
                "parameters": {"classes": ",".join(target.class_names)},
                "data": flat,
            }
        )
    if target.classes and served.limits.abstain_below is not None:
        abstained = [answer["abstained"] for answer in answers]
        outputs.append({"name": "abstained", "shape": [n_rows], "datatype": "BOOL", "data": abstained})
    return outputs


def _unprocessable(what: str, key: str = "", *, side: str = "inputs") -> RefusedError:
    return RefusedError.of(HTTPStatus.UNPROCESSABLE_ENTITY, what, key=f"{side}.{key}" if key else "")

"""The open inference protocol over gRPC: the same predictions, the same refusals."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import polars as pl
import pytest

from engine.deploy.door import Door
from engine.deploy.grpc_messages import SERVICE, messages
from engine.deploy.grpc_server import GrpcServer
from engine.deploy.meters import meters
from engine.deploy.served import Served
from engine.errors import RecipeError
from engine.runs.bundle import load_bundle

Ask = Callable[..., Any]
KINDS = {"age": ("INT64", "q"), "hours": ("FP64", "d"), "member": ("BOOL", "?")}


@pytest.fixture(scope="module")
def door(bundle_folder: Path) -> Door:
    """Give a door with nothing behind it."""

    async def nothing(*_: Any) -> None:
        """Answer nothing."""

    return Door(nothing, served=Served(load_bundle(bundle_folder)), meters=meters())


@pytest.fixture(scope="module")
def ask(door: Door) -> Iterator[Ask]:
    """Give a function that calls a method of a real server on loopback."""
    server = GrpcServer(door, host="127.0.0.1", port=0)
    with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:

        def call(method: str, request: Any = None) -> Any:
            made = messages()
            asked = channel.unary_unary(
                f"/{SERVICE}/{method}",
                request_serializer=made[f"{method}Request"].SerializeToString,
                response_deserializer=made[f"{method}Response"].FromString,
            )
            return asked(made[f"{method}Request"]() if request is None else request, timeout=20)

        yield call
    server.stop()


def request_of(frame: pl.DataFrame, *, is_raw: bool, **changes: Any) -> Any:
    """Return a request for the rows of a frame, its values raw or not."""
    made = messages()
    request = made["ModelInferRequest"](model_name="tiny_income", id="7")
    for name in frame.drop("person").columns:
        values = (
            frame[name].dt.to_string("iso:strict").to_list() if name == "since" else frame[name].to_list()
        )
        datatype, form = KINDS.get(name, ("BYTES", ""))
        if datatype == "FP64":
            values = [float("nan") if value is None else value for value in values]
        if datatype == "BYTES":
            values = [("" if value is None else value).encode() for value in values]
        tensor = request.inputs.add(name=name, datatype=datatype, shape=[len(values)])
        if is_raw and datatype == "BYTES":
            request.raw_input_contents.append(b"".join(struct.pack("<I", len(v)) + v for v in values))
        elif is_raw:
            request.raw_input_contents.append(struct.pack(f"<{len(values)}{form}", *values))
        else:
            field = {"INT64": "int64", "FP64": "fp64", "BOOL": "bool", "BYTES": "bytes"}[datatype]
            getattr(tensor.contents, f"{field}_contents").extend(values)
    for name, value in changes.items():
        setattr(request, name, value)
    return request


@pytest.mark.parametrize("is_raw", [False, True])
def test_predictions_are_the_bundles(ask: Ask, tiny: ModuleType, bundle_folder: Path, is_raw: bool) -> None:
    """Rows with nulls among them are predicted as the bundle does, raw tensors or not."""
    frame = tiny.tiny_frame(30, seed=31)
    expected = load_bundle(bundle_folder).predict(frame)
    answer = ask("ModelInfer", request_of(frame, is_raw=is_raw))
    assert (answer.id, answer.model_version) == ("7", "20261122-181213-0A1B2C3D")
    prediction, probabilities = answer.outputs
    texts, numbers = prediction.contents.bytes_contents, probabilities.contents.fp64_contents
    if is_raw:
        raw, numbers = answer.raw_output_contents[0], struct.unpack("<60d", answer.raw_output_contents[1])
        texts = []
        while raw:
            (length,) = struct.unpack_from("<I", raw)
            texts.append(raw[4 : 4 + length])
            raw = raw[4 + length :]
    assert [each.decode() for each in texts] == expected["prediction"].to_list()
    assert list(probabilities.shape) == [30, 2]
    assert probabilities.parameters["classes"].string_param == "<=50K,>50K"
    given = list(numbers)[1::2]
    assert given == pytest.approx(expected["probability_>50K"].to_list(), rel=0, abs=1e-12)


def test_what_the_service_says_of_itself(ask: Ask, door: Door) -> None:
    """Liveness, readiness and the model's tensors are told; a service that ends is not ready."""
    made = messages()
    assert ask("ServerLive").live
    assert ask("ServerReady").ready
    assert ask("ServerMetadata").name == "engine"
    assert ask("ModelReady", made["ModelReadyRequest"](name="tiny_income")).ready
    model = ask("ModelMetadata", made["ModelMetadataRequest"](name="tiny_income"))
    assert [(each.name, each.datatype) for each in model.inputs][:2] == [("age", "INT64"), ("hours", "FP64")]
    door.is_draining = True
    try:
        assert not ask("ServerReady").ready
    finally:
        door.is_draining = False


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"model_name": "other"}, "NOT_FOUND", "this serves the model tiny_income"),
        ({"model_version": "9"}, "NOT_FOUND", "this serves the model tiny_income"),
        ({"age": 3}, "INVALID_ARGUMENT", "columns.age[0]\n  min 17: 3 is below it"),
        ({"raw": b"\1\2\3"}, "INVALID_ARGUMENT", "these are no raw values of INT64"),
        ({"datatype": "FP16"}, "INVALID_ARGUMENT", "the datatype FP16 is not known"),
    ],
    ids=str,
)
def test_wrong_requests_are_refused(
    ask: Ask, tiny: ModuleType, changes: dict[str, Any], code: str, words: str
) -> None:
    """What is wrong comes with a status and the words of the service over HTTP."""
    frame = tiny.tiny_frame(1, seed=32)
    if "age" in changes:
        frame = frame.with_columns(age=pl.lit(changes["age"], pl.Int64))
    request = request_of(frame, is_raw=True)
    if "raw" in changes:
        request.raw_input_contents[0] = changes["raw"]
    if "datatype" in changes:
        request.inputs[0].datatype = changes["datatype"]
    for name in ("model_name", "model_version"):
        setattr(request, name, changes.get(name, getattr(request, name)))
    with pytest.raises(grpc.RpcError) as caught:
        ask("ModelInfer", request)
    assert caught.value.code().name == code
    assert words in caught.value.details()


def test_a_taken_port_is_told(door: Door) -> None:
    """A port in use is a mistake of the command line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RecipeError, match="is taken or can't be used"):
            GrpcServer(door, host="127.0.0.1", port=taken.getsockname()[1])

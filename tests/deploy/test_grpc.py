"""The open inference protocol over gRPC: the same predictions, the same refusals."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import grpc
import polars as pl
import pytest
import uvloop
from prometheus_client import REGISTRY

from engine.deploy.door import Door
from engine.deploy.grpc_messages import SERVICE, messages
from engine.deploy.grpc_server import GrpcServer
from engine.deploy.meters import meters
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.errors import RecipeError
from engine.runs.bundle import load_bundle
from engine.tasks.task import Scores

KINDS = {"age": ("INT64", "q"), "hours": ("FP64", "d"), "member": ("BOOL", "?")}


def door_of(bundle: Path) -> Door:
    """Return a door with nothing behind it."""

    async def nothing(*_: Any) -> None:
        """Answer nothing."""

    return Door(nothing, served=Served(load_bundle(bundle)), meters=meters())


@pytest.fixture(scope="module")
def door(bundle_folder: Path) -> Door:
    """Give the door of the tiny bundle."""
    return door_of(bundle_folder)


@contextmanager
def looping() -> Iterator[asyncio.AbstractEventLoop]:
    """Run the kind of event loop that serves, in a thread, while the block lasts."""
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


class Ask:
    """Calls a method of a server; `told` is the metadata of the last answer."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.told: dict[str, str] = {}

    def __call__(self, method: str, request: Any = None, **metadata: str) -> Any:
        """Ask, `x_request_id` becoming `x-request-id`, and return the answer."""
        made = messages()
        function = self.channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=made[f"{method}Request"].SerializeToString,
            response_deserializer=made[f"{method}Response"].FromString,
        )
        given = tuple((name.replace("_", "-"), value) for name, value in metadata.items())
        question = made[f"{method}Request"]() if request is None else request
        answer, call = function.with_call(question, timeout=20, metadata=given)
        self.told = {str(key): str(value) for key, value in call.initial_metadata()}
        return answer


@contextmanager
def asked(door: Door) -> Iterator[Ask]:
    """Give a client of a real server on loopback."""

    async def start() -> GrpcServer:
        server = GrpcServer(door, host="127.0.0.1", port=0)
        await server.start()
        return server

    with looping() as loop:
        server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
        with grpc.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield Ask(channel)
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)


@pytest.fixture(scope="module")
def ask(door: Door) -> Iterator[Ask]:
    """Give a client of a server of the tiny bundle."""
    with asked(door) as client:
        yield client


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


def test_abstained_rows_are_told_apart(tiny: ModuleType, tmp_path: Path) -> None:
    """Where there is no null, a tensor beside the predictions says which of them are none."""
    bundle = tiny.write_tiny(tmp_path / "bundle", abstain_below=0.7)
    frame = tiny.tiny_frame(30, seed=31)
    expected = load_bundle(bundle).answers(load_bundle(bundle).score(frame))["abstained"].to_list()
    assert set(expected) == {True, False}
    model = messages()["ModelMetadataRequest"](name="tiny_income")
    with asked(door_of(bundle)) as ask:
        plain, raw = (ask("ModelInfer", request_of(frame, is_raw=is_raw)) for is_raw in (False, True))
        outputs = [(each.name, each.datatype) for each in ask("ModelMetadata", model).outputs]
    assert outputs[2] == ("abstained", "BOOL")
    assert list(plain.outputs[2].contents.bool_contents) == expected
    assert list(struct.unpack("<30?", raw.raw_output_contents[2])) == expected


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


@pytest.mark.parametrize("name", ["a" * 20_000, "é" * 20_000])
def test_a_long_refusal_keeps_its_status(ask: Ask, tiny: ModuleType, name: str) -> None:
    """A refusal of more words than a client takes is cut short, and is not another fault."""
    request = request_of(tiny.tiny_frame(1, seed=32), is_raw=True)
    request.inputs[0].name = name
    with pytest.raises(grpc.RpcError) as caught:
        ask("ModelInfer", request)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert re.fullmatch(f"inputs.{name[0]}{{600,}}…", caught.value.details())


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


@pytest.mark.parametrize("method", ["ModelReady", "ModelMetadata", "ModelInfer"])
@pytest.mark.parametrize("name", ["tiny_income/ready", "tiny_income/versions/1", "", "x/y"])
def test_a_name_is_no_path(ask: Ask, method: str, name: str) -> None:
    """A name that would be more than a name in a path is the name of no model."""
    field = "model_name" if method == "ModelInfer" else "name"
    with pytest.raises(grpc.RpcError) as caught:
        ask(method, messages()[f"{method}Request"](**{field: name}))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_ids_and_counters_are_the_doors(ask: Ask, door: Door, tiny: ModuleType) -> None:
    """An answer has the client's request id, or one of its own, and the model's version; it is counted."""
    rows = tiny.tiny_frame(3, seed=33)

    def counted(name: str, labels: dict[str, str]) -> float:
        return REGISTRY.get_sample_value(name, labels) or 0.0

    labels = {"endpoint": "grpc", "status": "OK"}
    before = counted("engine_requests_total", labels), counted("engine_rows_total", {})
    ask("ModelInfer", request_of(rows, is_raw=True), x_request_id="abc-1")
    assert ask.told["x-request-id"] == "abc-1"
    assert ask.told["x-model-version"] == "20261122-181213-0A1B2C3D"
    ask("ModelInfer", request_of(rows, is_raw=True), x_request_id="not fit for a log")
    assert re.fullmatch(r"[0-9a-f]{12}-[0-9]+", ask.told["x-request-id"])
    after = counted("engine_requests_total", labels), counted("engine_rows_total", {})
    assert (after[0] - before[0], after[1] - before[1]) == (2, 6)
    assert counted("engine_request_seconds_count", {"endpoint": "grpc"}) >= 2
    assert door.n_open == 0


def test_a_slow_request_is_let_go(tiny: ModuleType, tmp_path: Path) -> None:
    """What is not scored within `deploy.timeout_s` is answered as late."""

    class Slow(Served):
        def score(self, rows: Rows) -> Scores:
            time.sleep(0.3)
            return super().score(rows)

    door = door_of(tiny.write_tiny(tmp_path / "bundle", timeout_s=0.05))
    door.swap(Slow(door.served.bundle))
    with asked(door) as ask, pytest.raises(grpc.RpcError) as caught:
        large = tiny.tiny_frame(1000, seed=34).with_columns(job=pl.lit("x" * 100))
        ask("ModelInfer", request_of(large, is_raw=True))
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert "not scored within 0.05 s" in caught.value.details()


def test_a_taken_port_is_told(door: Door) -> None:
    """A port in use is a mistake of the command line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()

        async def start() -> GrpcServer:
            return GrpcServer(door, host="127.0.0.1", port=taken.getsockname()[1])

        with looping() as loop, pytest.raises(RecipeError, match="is taken or can't be used"):
            asyncio.run_coroutine_threadsafe(start(), loop).result(10)

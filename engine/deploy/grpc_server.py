"""The open inference protocol over gRPC, beside the service over HTTP: the same reader, the same model.

An extra of its own (`grpc`); limits, counters and request ids are those of the door.
"""

from __future__ import annotations

import logging
import math
import re
import struct
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from importlib.util import find_spec
from time import perf_counter, time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import msgspec

from engine.deploy import inference
from engine.deploy.body import JSON
from engine.deploy.door import Door
from engine.deploy.grpc_messages import SERVICE, messages
from engine.deploy.observe import Asked, Exchange
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import INLINE_BYTES
from engine.errors import RecipeError, report
from engine.tasks.task import Scores

if TYPE_CHECKING:
    import grpc

# Of a message and its request id.
_Answer = Callable[[Any, str], Awaitable[Any]]

_GRACE_S = 5.0
# Clients take 8 KiB of trailers, and tell of another fault where there are more.
_MAX_WORDS = 4096
_FIELDS: Mapping[str, str] = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
# Little-endian, as the protocol has raw tensors.
_RAW = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "FP32": "f", "FP64": "d",
}  # fmt: skip

logger = logging.getLogger("engine.serve")


class GrpcServer:
    """The server of a door's model, on the door's event loop; it follows the door when that changes or ends.

    Made on that loop.

    Raises
    ------
    RecipeError
        If the package `grpcio` is not installed, or the port can't be listened on.
    """

    def __init__(self, door: Door, *, host: str, port: int, is_shared: bool = False) -> None:
        where = "command line"
        if find_spec("grpc") is None:
            what = "gRPC needs the package grpcio"
            raise RecipeError.of(
                what, file=where, key="--grpc-port", try_="pip install 'declarative-engine[grpc]'"
            )
        import grpc

        self._door = door
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", door.served.max_bytes),
                ("grpc.so_reuseport", int(is_shared)),
            ],
            maximum_concurrent_rpcs=door.served.limits.max_concurrent,
        )
        handlers = {name: self._handler(name, answer) for name, answer in self._answers().items()}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            self.port = self._server.add_insecure_port(
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            )
        except RuntimeError:
            what = f"port {port} of {host} is taken or can't be used"
            raise RecipeError.of(what, file=where, key="--grpc-port") from None

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()

    async def stop(self) -> None:
        """End: what is at work is answered."""
        await self._server.stop(_GRACE_S)

    def _answers(self) -> dict[str, _Answer]:
        made = messages()

        async def live(_: Any, _id: str) -> Any:
            return made["ServerLiveResponse"](live=True)

        async def ready(_: Any, _id: str) -> Any:
            return made["ServerReadyResponse"](ready=not self._door.is_draining)

        async def metadata(_: Any, _id: str) -> Any:
            told = inference.tell("/v2", self._door.served, is_ready=True)
            return made["ServerMetadataResponse"](**msgspec.json.decode(told))

        async def model_ready(asked: Any, _id: str) -> Any:
            inference.require_model(asked.name, asked.version or None, self._door.served)
            return made["ModelReadyResponse"](ready=not self._door.is_draining)

        async def model_metadata(asked: Any, _id: str) -> Any:
            inference.require_model(asked.name, asked.version or None, self._door.served)
            return made["ModelMetadataResponse"](**inference.describe(self._door.served))

        return {
            "ServerLive": live,
            "ServerReady": ready,
            "ServerMetadata": metadata,
            "ModelReady": model_ready,
            "ModelMetadata": model_metadata,
            "ModelInfer": self._infer,
        }

    def _handler(self, name: str, answer: _Answer) -> grpc.RpcMethodHandler:
        import grpc

        door = self._door

        async def handle(asked: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = perf_counter()
            given = dict(context.invocation_metadata() or ()).get("x-request-id", "")
            request_id = door.request_id(str(given).encode()).decode()
            version = door.served.bundle.model_version.encode("ascii", "replace").decode()
            code, words, told = grpc.StatusCode.OK, "", None
            door.n_open += 1
            try:
                told = await answer(asked, request_id)
            except RefusedError as refused:
                door.refused(refused)
                code, words = _code(refused), _brief(report(refused.messages))
            except Exception:
                logger.exception("request %s to %s failed", request_id, name)
                code, words = grpc.StatusCode.INTERNAL, "this is a fault of the service; its log says more"
            finally:
                door.n_open -= 1
            door.meters.answered("grpc", code.name, perf_counter() - started)
            own = (("x-request-id", request_id), ("x-model-version", version))
            await context.send_initial_metadata(own)
            if told is None:
                await context.abort(code, words)
            return told

        made = messages()
        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=made[f"{name}Request"].FromString,
            response_serializer=made[f"{name}Response"].SerializeToString,
        )

    async def _infer(self, asked: Any, request_id: str) -> Any:
        door, served = self._door, self._door.served
        if door.is_draining:
            raise RefusedError.of(HTTPStatus.SERVICE_UNAVAILABLE, "the service is ending: ask another")
        inference.require_model(asked.model_name, asked.model_version or None, served)

        read_as: list[inference.Request] = []

        def read() -> tuple[Rows, Callable[[Scores], Any]]:
            request, is_raw = _request(asked), bool(asked.raw_input_contents)
            read_as.append(request)
            rows = inference.rows_of(request, served)
            return rows, lambda scores: _response(inference.answer(request, scores, served), is_raw=is_raw)

        began, is_small = perf_counter(), asked.ByteSize() <= INLINE_BYTES
        scored = await door.scored(read, served, is_small=is_small)
        if door.observer is not None:
            # As it would have come over REST: whoever looks at it later reads it so.
            body = msgspec.json.encode(read_as[0])
            path, headers = f"/v2/models/{asked.model_name}/infer", {b"content-type": JSON}
            seen = Asked("infer", path, headers, request_id.encode(), body, is_small)
            seconds = perf_counter() - began
            door.observer.saw(
                Exchange(seen, served, time(), seconds, int(HTTPStatus.OK), scored.rows, scored.scores)
            )
        return scored.told


def _brief(words: str) -> str:
    """Return words as a trailer holds them, in which what is no letter of ASCII is escaped byte by byte."""
    escaped = quote(words)
    if len(escaped) <= _MAX_WORDS:
        return words
    return unquote(re.sub("%.?$", "", escaped[:_MAX_WORDS]), errors="ignore") + "…"


def _code(refused: RefusedError) -> grpc.StatusCode:
    import grpc

    codes = {
        HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
        HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        HTTPStatus.TOO_MANY_REQUESTS: grpc.StatusCode.RESOURCE_EXHAUSTED,
        HTTPStatus.GATEWAY_TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
    }
    return codes.get(refused.status, grpc.StatusCode.INVALID_ARGUMENT)


def _request(asked: Any) -> inference.Request:
    """Return a request as the protocol has it over REST.

    Raises
    ------
    RefusedError
        If its tensors can't be read.
    """
    raw = list(asked.raw_input_contents)
    if raw and len(raw) != len(asked.inputs):
        what = f"{len(raw)} raw tensors for {len(asked.inputs)} inputs"
        raise RefusedError.of(HTTPStatus.UNPROCESSABLE_ENTITY, what)
    return inference.Request(
        inputs=[
            inference.Input(
                each.name, list(each.shape), each.datatype, _values(each, raw[at] if raw else None)
            )
            for at, each in enumerate(asked.inputs)
        ],
        id=asked.id or None,
        outputs=[inference.Output(each.name) for each in asked.outputs],
    )


def _values(tensor: Any, raw: bytes | None) -> list[Any]:
    """Return a tensor's values as JSON would have them: a number that is none is a null."""
    kind = tensor.datatype
    if kind not in _FIELDS:
        raise _unprocessable(f"the datatype {kind[:20]} is not known", tensor.name)
    values = (
        list(getattr(tensor.contents, _FIELDS[kind])) if raw is None else _unpacked(raw, kind, tensor.name)
    )
    if kind == "BYTES":
        try:
            return [value.decode() for value in values]
        except UnicodeDecodeError:
            raise _unprocessable("this text is not UTF-8", tensor.name) from None
    return [None if value != value else value for value in values] if kind.startswith("FP") else values  # noqa: PLR0124


def _unpacked(raw: bytes, kind: str, name: str) -> list[Any]:
    found: list[Any] = []
    at = 0
    try:
        if kind != "BYTES":
            form = f"<{len(raw) // struct.calcsize(_RAW[kind])}{_RAW[kind]}"
            at, found = len(raw), list(struct.unpack(form, raw))
        while at < len(raw):
            (length,) = struct.unpack_from("<I", raw, at)
            found.append(raw[at + 4 : at + 4 + length])
            at += 4 + length
    except struct.error:
        at, found = -1, []
    if at != len(raw):
        raise _unprocessable(f"these are no raw values of {kind}", name)
    return found


def _response(answer: Mapping[str, Any], *, is_raw: bool) -> Any:
    """Return the answer as a message, its values raw where the request's were."""
    made = messages()
    outputs, packed = [], []
    for each in answer["outputs"]:
        is_text = each["datatype"] == "BYTES"
        # There is no null here: `abstained` beside it tells which of these are no prediction.
        none: Any = "" if is_text else math.nan if each["datatype"] == "FP64" else 0
        data = [none if value is None else value for value in each["data"]]
        contents = [value.encode() for value in data] if is_text else data
        parameters = {key: {"string_param": value} for key, value in each.get("parameters", {}).items()}
        outputs.append(
            {
                "name": each["name"],
                "datatype": each["datatype"],
                "shape": each["shape"],
                "contents": None if is_raw else {_FIELDS[each["datatype"]]: contents},
                "parameters": {key: made["InferParameter"](**value) for key, value in parameters.items()},
            }
        )
        if is_raw:
            packed.append(_packed(contents, each["datatype"]))
    return made["ModelInferResponse"](
        model_name=answer["model_name"],
        model_version=answer["model_version"],
        id=answer.get("id", ""),
        outputs=outputs,
        raw_output_contents=packed,
    )


def _packed(values: list[Any], kind: str) -> bytes:
    if kind == "BYTES":
        return b"".join(struct.pack("<I", len(value)) + value for value in values)
    return struct.pack(f"<{len(values)}{_RAW[kind]}", *values)


def _unprocessable(what: str, key: str) -> RefusedError:
    return RefusedError.of(HTTPStatus.UNPROCESSABLE_ENTITY, what, key=f"inputs.{key}")

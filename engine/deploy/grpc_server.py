"""The open inference protocol over gRPC, beside the service over HTTP: the same reader, the same model.

An extra of its own (`grpc`), in a few threads; what it answers is what `engine.deploy.inference` answers.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import msgspec

from engine.deploy import inference
from engine.deploy.door import Door
from engine.deploy.grpc_messages import SERVICE, messages
from engine.deploy.refusal import RefusedError
from engine.errors import RecipeError, report

if TYPE_CHECKING:
    import grpc

_THREADS = 2
_GRACE_S = 5.0
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
    """The server of a door's model; it follows the door when that changes its bundle or ends.

    Raises
    ------
    RecipeError
        If the package `grpcio` is not installed, or the port can't be listened on.
    """

    def __init__(self, door: Door, *, host: str, port: int) -> None:
        where = "command line"
        if find_spec("grpc") is None:
            what = "gRPC needs the package grpcio"
            raise RecipeError.of(
                what, file=where, key="--grpc-port", try_="pip install 'declarative-engine[grpc]'"
            )
        import grpc

        self._door = door
        limits = door.served.limits
        self._server = grpc.server(
            ThreadPoolExecutor(_THREADS),
            options=[("grpc.max_receive_message_length", door.served.max_bytes), ("grpc.so_reuseport", 0)],
            maximum_concurrent_rpcs=limits.max_concurrent,
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
        self._server.start()

    def stop(self) -> None:
        """End: what is at work is answered."""
        self._server.stop(_GRACE_S).wait()

    def _answers(self) -> dict[str, Callable[[Any], Any]]:
        made = messages()
        return {
            "ServerLive": lambda _: made["ServerLiveResponse"](live=True),
            "ServerReady": lambda _: made["ServerReadyResponse"](ready=not self._door.is_draining),
            "ServerMetadata": lambda _: made["ServerMetadataResponse"](**self._told("/v2")),
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._infer,
        }

    def _handler(self, name: str, answer: Callable[[Any], Any]) -> grpc.RpcMethodHandler:
        import grpc

        codes = {
            HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
            HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
        }

        def handle(asked: Any, context: grpc.ServicerContext) -> Any:
            try:
                return answer(asked)
            except RefusedError as refused:
                code = codes.get(refused.status, grpc.StatusCode.INVALID_ARGUMENT)
                words = report(refused.messages)
            except Exception:
                logger.exception("%s failed", name)
                code, words = grpc.StatusCode.INTERNAL, "this is a fault of the service; its log says more"
            context.abort(code, words)
            return None

        made = messages()
        return grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=made[f"{name}Request"].FromString,
            response_serializer=made[f"{name}Response"].SerializeToString,
        )

    def _told(self, path: str) -> dict[str, Any]:
        is_ready = not self._door.is_draining
        told: dict[str, Any] = msgspec.json.decode(inference.tell(path, self._door.served, is_ready=is_ready))
        return told

    def _model_ready(self, asked: Any) -> Any:
        path = inference.path_of(asked.name, asked.version)
        ready = not self._door.is_draining and bool(self._told(path))
        return messages()["ModelReadyResponse"](ready=ready)

    def _model_metadata(self, asked: Any) -> Any:
        return messages()["ModelMetadataResponse"](**self._told(inference.path_of(asked.name, asked.version)))

    def _infer(self, asked: Any) -> Any:
        door = self._door
        if door.is_draining:
            raise RefusedError.of(HTTPStatus.SERVICE_UNAVAILABLE, "the service is ending: ask another")
        served, raw = door.served, list(asked.raw_input_contents)
        if raw and len(raw) != len(asked.inputs):
            what = f"{len(raw)} raw tensors for {len(asked.inputs)} inputs"
            raise RefusedError.of(HTTPStatus.UNPROCESSABLE_ENTITY, what)
        request = inference.Request(
            inputs=[
                inference.Input(
                    each.name, list(each.shape), each.datatype, _values(each, raw[at] if raw else None)
                )
                for at, each in enumerate(asked.inputs)
            ],
            id=asked.id or None,
            outputs=[inference.Output(each.name) for each in asked.outputs],
        )
        path = inference.path_of(asked.model_name, asked.model_version)
        n_rows, answer = inference.answer(request, path, served)
        door.meters.rows.inc(n_rows)
        return _response(answer, is_raw=bool(raw))


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
        # A row that was abstained from has no word for it here: it is an empty text, or no number.
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

"""The door of the service: an ASGI middleware that answers `POST /predict`, `GET /schema` and `GET /` itself.

It stands inside BentoML's metrics, tracing and timeout, and in front of BentoML's own decoding, which would
take strings for numbers and forgive unknown fields, and its front page, which loads a tag manager from the
net. A client's mistake is a 4xx with the five facts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

import anyio.to_thread
import msgspec

from engine.data.schema import to_json
from engine.deploy.page import POLICY, page
from engine.errors import DataError, Message, nearest
from engine.runs.bundle import Bundle
from engine.tasks.task import Scores

Asgi = Callable[[MutableMapping[str, Any], "Receive", "Send"], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

# Below this a request is decoded and scored on the event loop: a thread would cost more than the work.
INLINE_BYTES = 64 * 1024
# The rest of a body that is too large is read and thrown away up to this multiple of the limit, so that a
# client that writes first and reads afterwards sees the answer and no broken pipe.
DRAIN_FACTOR = 4
_PATHS = ("/predict", "/schema", "/")
_FAULT = Message("this is a fault of the service, not of the request; its log says more")

logger = logging.getLogger("engine.serve")


class RefusedError(Exception):
    """An answer other than 200, with what is wrong."""

    def __init__(self, status: HTTPStatus, messages: Sequence[Message], *, close: bool = False) -> None:
        super().__init__(status.phrase)
        self.status = status
        self.messages = messages
        self.close = close

    @classmethod
    def of(cls, status: HTTPStatus, what: str, *, key: str = "", close: bool = False) -> RefusedError:
        """Build a refusal of one message."""
        return cls(status, [Message(what, key)], close=close)


class Door:
    """The middleware; `app` is BentoML's own pipeline, which answers every other path."""

    def __init__(self, app: Asgi, *, bundle: Bundle) -> None:
        self._app = app
        self._bundle = bundle
        self._max_bytes = int(bundle.limits.max_body_mib * 1024 * 1024)
        self._decoder = msgspec.json.Decoder()
        self._encoder = msgspec.json.Encoder()
        self._schema = self._encoder.encode(describe(bundle))
        self._page = page(bundle)
        self._answer_scores = _answerer(bundle)

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer, or hand on to BentoML; raises nothing, as its timeout would wait on a failed request."""
        if scope["type"] != "http" or scope["path"] not in _PATHS:
            await self._app(scope, receive, send)
            return
        headers: list[tuple[bytes, bytes]] = []
        kind = b"application/json"
        try:
            status, body = HTTPStatus.OK, await self._answer(scope, receive)
            if scope["path"] == "/":
                kind = b"text/html; charset=utf-8"
                headers.append((b"content-security-policy", POLICY))
        except RefusedError as refused:
            status, body = refused.status, self._encoder.encode(_refusal(refused))
            if refused.close:
                headers.append((b"connection", b"close"))
            if status is HTTPStatus.METHOD_NOT_ALLOWED:
                headers.append((b"allow", _method(scope).encode()))
        except _DisconnectedError:
            return
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            body = self._encoder.encode(_refusal(RefusedError(status, [_FAULT])))
        headers += [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": int(status), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: MutableMapping[str, Any], receive: Receive) -> bytes:
        if scope["method"] != _method(scope):
            raise RefusedError.of(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{scope['path']} answers {_method(scope)}, not {scope['method']}",
            )
        if scope["path"] != "/predict":
            return self._page if scope["path"] == "/" else self._schema
        headers = dict(scope["headers"])
        _check_content_type(headers)
        try:
            async with asyncio.timeout(self._bundle.limits.timeout_s):
                body = await self._body(headers, receive)
        except TimeoutError:
            raise RefusedError.of(
                HTTPStatus.REQUEST_TIMEOUT,
                f"the body did not arrive within {self._bundle.limits.timeout_s:g} s",
                close=True,
            ) from None
        if len(body) <= INLINE_BYTES:
            return self._predict(body)
        try:
            async with asyncio.timeout(self._bundle.limits.timeout_s):
                return await anyio.to_thread.run_sync(self._predict, body, abandon_on_cancel=True)
        except TimeoutError:
            raise RefusedError.of(
                HTTPStatus.GATEWAY_TIMEOUT,
                f"not scored within {self._bundle.limits.timeout_s:g} s: send fewer records at a time",
            ) from None

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """Return the whole body, never holding more than the limit."""
        chunks: list[bytes] = []
        n_bytes = 0
        announced = int(headers.get(b"content-length", b"0"))
        more = True
        while more and n_bytes <= self._max_bytes * DRAIN_FACTOR:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _DisconnectedError
            chunk = message.get("body", b"")
            n_bytes += len(chunk)
            if max(n_bytes, announced) <= self._max_bytes:
                chunks.append(chunk)
            more = message.get("more_body", False)
        if max(n_bytes, announced) > self._max_bytes:
            raise RefusedError.of(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"the body is larger than {self._bundle.limits.max_body_mib:g} MiB",
                close=True,
            )
        return b"".join(chunks)

    def _predict(self, body: bytes) -> bytes:
        records = self._records(body)
        try:
            scores = self._bundle.score_records(records)
        except DataError as error:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, error.messages) from None
        predictions = self._answer_scores(scores)
        return self._encoder.encode({"model_version": self._bundle.model_version, "predictions": predictions})

    def _records(self, body: bytes) -> list[dict[str, object]]:
        try:
            content = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise RefusedError.of(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {exc}") from None
        except RecursionError:
            raise RefusedError.of(HTTPStatus.BAD_REQUEST, "the body is nested too deeply") from None
        return _envelope(content, self._bundle.limits.max_records)


class _DisconnectedError(Exception):
    """The client went away, so nobody is left to be answered."""


def describe(bundle: Bundle) -> dict[str, object]:
    """Return what `GET /schema` answers: the columns of a record, and the limits of a request."""
    features = bundle.schema.only(["feature"])
    return {
        "model_version": bundle.model_version,
        "task": bundle.task_name,
        "target": {"name": bundle.target.name, "kind": bundle.target.kind, "classes": bundle.target.classes},
        "limits": msgspec.structs.asdict(bundle.limits),
        **to_json(features),
    }


def _method(scope: MutableMapping[str, Any]) -> str:
    return "POST" if scope["path"] == "/predict" else "GET"


def _check_content_type(headers: dict[bytes, bytes]) -> None:
    kind, _, parameters = headers.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if kind.strip() != "application/json" or charset not in ("", "charset=utf-8"):
        raise RefusedError.of(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "the content type must be application/json in UTF-8",
            close=True,
        )
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a compressed body is not read", close=True)


def _envelope(content: object, max_records: int) -> list[dict[str, object]]:
    """Return the records of `{"records": [...]}`, each of them an object."""
    unprocessable = HTTPStatus.UNPROCESSABLE_ENTITY
    if not isinstance(content, dict):
        raise RefusedError.of(unprocessable, 'the body must be an object: {"records": [...]}')
    unknown = [
        Message("this field is not known", key, suggestion=nearest(key, ["records"]), allowed=("records",))
        for key in content
        if key != "records"
    ]
    if unknown:
        raise RefusedError(unprocessable, unknown)
    records = content.get("records")
    if not isinstance(records, list):
        what = "this must be a list of objects" if "records" in content else "this field is missing"
        raise RefusedError.of(unprocessable, what, key="records")
    if len(records) > max_records:
        raise RefusedError.of(
            unprocessable,
            f"{len(records)} records are more than {max_records}, the most in one request",
            key="records",
        )
    wrong = [
        Message("a record must be an object of column names and values", f"records[{index}]")
        for index, record in enumerate(records)
        if not isinstance(record, dict)
    ]
    if wrong:
        raise RefusedError(unprocessable, wrong)
    return records


def _refusal(refused: RefusedError) -> dict[str, object]:
    messages = [message.to_json() for message in refused.messages]
    return {"error": {"code": int(refused.status), "messages": messages}}


def _answerer(bundle: Bundle) -> Callable[[Scores], list[dict[str, object]]]:
    """Return the function from scores to the `predictions` of an answer."""
    classes = bundle.target.classes
    names = bundle.target.class_names

    def of_classes(scores: Scores) -> list[dict[str, object]]:
        rows = zip(scores.decisions.tolist(), scores.values.tolist(), strict=True)
        return [
            {"prediction": classes[decision], "probabilities": dict(zip(names, row, strict=True))}
            for decision, row in rows
        ]

    def of_values(scores: Scores) -> list[dict[str, object]]:
        return [{"prediction": value} for value in scores.decisions.tolist()]

    return of_classes if classes else of_values

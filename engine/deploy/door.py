"""The door of the service: answers `POST /predict`, `GET /schema` and `GET /` itself, and hands on the rest.

It stands in front of BentoML's pipeline, or inside it where the recipe says so, and keeps what that pipeline
would do: limits of body, rows and time, a request id, metrics. A client's mistake is a 4xx with five facts.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from itertools import count
from time import perf_counter
from typing import Any

import anyio
import anyio.to_thread
import msgspec

from engine.data.bodies import TableKind
from engine.deploy import inference
from engine.deploy.deadlines import Deadlines
from engine.deploy.meters import Meters
from engine.deploy.page import POLICY
from engine.deploy.refusal import RefusedError
from engine.deploy.served import Served
from engine.errors import Message, report

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

# Below this a request is decoded and scored on the event loop: a thread would cost more than the work.
INLINE_BYTES = 64 * 1024
# The rest of a body that is too large is read and thrown away up to this multiple of the limit, so that a
# client that writes first and reads afterwards sees the answer and no broken pipe.
DRAIN_FACTOR = 4
_JSON, _HTML = b"application/json", b"text/html; charset=utf-8"
TABLES: Mapping[str, TableKind] = {
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
}
_ENDPOINTS = {"/predict": "predict", "/schema": "schema", "/": "page", "/docs.json": "docs"}
# From a body to how many rows it has, and the body of the answer.
_Work = Callable[[bytes], tuple[int, bytes]]
_FAULT = Message("this is a fault of the service, not of the request; its log says more")
# What a client may call its request, so that nothing else gets into a log by it.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
_ENCODER = msgspec.json.Encoder()

logger = logging.getLogger("engine.serve")


class Door:
    """The ASGI app in front of another.

    Parameters
    ----------
    app
        BentoML's own pipeline, which answers every other path.
    served
        What answers; `swap` replaces it, and requests that are at work end with what they began with.
    docs
        What `GET /docs.json` answers; None: what the app does.
    """

    def __init__(
        self, app: Asgi, *, served: Served, meters: Meters, docs: Mapping[str, Any] | None = None
    ) -> None:
        self._app = app
        self._docs = None if docs is None else _ENCODER.encode(docs)
        self.meters = meters
        self._ids = count()
        self._id_prefix = f"{secrets.token_hex(6)}-".encode()
        self._deadlines = Deadlines()
        self._n_at_work = 0
        # anyio's own would let forty work and the others wait, however many may be at work.
        self._threads = anyio.CapacityLimiter(served.limits.max_concurrent)
        self.is_draining = False
        self.n_open = 0
        self.swap(served)

    def swap(self, served: Served) -> None:
        """Answer from `served` from now on."""
        self._threads.total_tokens = served.limits.max_concurrent
        self._served = served
        self._version = (b"x-model-version", served.bundle.model_version.encode("latin-1", "replace"))
        self._columns = frozenset(column.name for column in served.bundle.schema.columns)

    @property
    def served(self) -> Served:
        """What answers now."""
        return self._served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand on to BentoML; raises nothing, as its timeout would wait on a failed request."""
        endpoint = None
        if scope["type"] == "http":
            path = scope["path"]
            endpoint = _ENDPOINTS.get(path) or ("infer" if path.startswith(inference.PREFIX) else None)
            if endpoint == "docs" and self._docs is None:
                endpoint = None
        if endpoint is None:
            await self._hand_on(scope, receive, send)
            return
        self.n_open += 1
        try:
            await self._answer(endpoint, scope, receive, send)
        finally:
            self.n_open -= 1

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.is_draining and scope["type"] == "http" and scope["path"] == "/readyz":
            await _send(send, HTTPStatus.SERVICE_UNAVAILABLE, b"draining\n", b"text/plain", [])
            return
        await self._app(scope, receive, send)

    async def _answer(self, endpoint: str, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        headers = dict(scope["headers"])
        own: list[tuple[bytes, bytes]] = [(b"x-request-id", self._request_id(headers)), self._version]
        try:
            status = HTTPStatus.OK
            body, kind = await self._content(endpoint, scope, headers, receive)
            if endpoint == "page":
                own.append((b"content-security-policy", POLICY))
        except RefusedError as refused:
            status, body, kind = refused.status, _told(refused, endpoint), _JSON
            own += self._headers_of(refused, _method(endpoint, scope["path"]))
        except _DisconnectedError:
            return
        except Exception:
            logger.exception("request %s to %s failed", own[0][1].decode(), scope["path"])
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            body, kind = _told(RefusedError(status, [_FAULT]), endpoint), _JSON
        self.meters.answered(endpoint, int(status), perf_counter() - started)
        await _send(send, status, body, kind, own)

    def _request_id(self, headers: dict[bytes, bytes]) -> bytes:
        given = headers.get(b"x-request-id")
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return self._id_prefix + b"%d" % next(self._ids)

    def _headers_of(self, refused: RefusedError, method: str) -> list[tuple[bytes, bytes]]:
        if refused.status is HTTPStatus.UNPROCESSABLE_ENTITY:
            self.meters.refused(refused.messages, self._columns)
        headers = [(b"connection", b"close")] if refused.close else []
        if refused.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append((b"allow", method.encode()))
        if refused.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            headers.append((b"retry-after", b"1"))
        return headers

    async def _content(
        self, endpoint: str, scope: Scope, headers: dict[bytes, bytes], receive: Receive
    ) -> tuple[bytes, bytes]:
        """Return the body of the answer and its content type."""
        served = self._served
        method = _method(endpoint, scope["path"])
        if scope["method"] != method:
            what = f"this path answers {method}, not {scope['method']}"
            raise RefusedError.of(HTTPStatus.METHOD_NOT_ALLOWED, what)
        if method == "GET":
            if endpoint == "infer":
                return inference.tell(scope["path"], served, is_ready=not self.is_draining), _JSON
            if endpoint == "page":
                return served.page, _HTML
            return (self._docs or b"{}") if endpoint == "docs" else served.schema, _JSON
        if self.is_draining:
            what = "the service is ending: ask another"
            raise RefusedError.of(HTTPStatus.SERVICE_UNAVAILABLE, what, close=True)
        work, kind = _work(endpoint, scope["path"], headers, served)
        try:
            with self._deadlines.within(served.limits.timeout_s):
                body = await _body(headers, receive, served)
        except TimeoutError:
            what = f"the body did not arrive within {served.limits.timeout_s:g} s"
            raise RefusedError.of(HTTPStatus.REQUEST_TIMEOUT, what, close=True) from None
        n_rows, content = work(body) if len(body) <= INLINE_BYTES else await self._aside(work, body, served)
        self.meters.rows.inc(n_rows)
        return content, kind

    async def _aside(self, work: _Work, body: bytes, served: Served) -> tuple[int, bytes]:
        """Work in a thread; counted here, after the body is read, so that slow senders lock nobody out."""
        if self._n_at_work >= served.limits.max_concurrent:
            what = f"{self._n_at_work} large requests are at work, the most there may be"
            raise RefusedError.of(HTTPStatus.TOO_MANY_REQUESTS, what)
        self._n_at_work += 1
        at_work = asyncio.ensure_future(anyio.to_thread.run_sync(work, body, limiter=self._threads))
        at_work.add_done_callback(self._ended)
        done, _ = await asyncio.wait([at_work], timeout=served.limits.timeout_s)
        if not done:
            what = f"not scored within {served.limits.timeout_s:g} s: send fewer records at a time"
            raise RefusedError.of(HTTPStatus.GATEWAY_TIMEOUT, what)
        return at_work.result()

    def _ended(self, work: asyncio.Future[tuple[int, bytes]]) -> None:
        """Take a request off the count when its thread is done with it, waited for or not."""
        self._n_at_work -= 1
        if not work.cancelled():
            # What is wrong with it was asked for by then, or nobody waits for it any more.
            work.exception()


class _DisconnectedError(Exception):
    """The client went away, so nobody is left to be answered."""


async def _send(
    send: Send, status: HTTPStatus, body: bytes, kind: bytes, own: list[tuple[bytes, bytes]]
) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *own]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _body(headers: dict[bytes, bytes], receive: Receive, served: Served) -> bytes:
    """Return the whole body, never holding more than the limit."""
    chunks: list[bytes] = []
    n_bytes = 0
    announced = int(headers.get(b"content-length", b"0"))
    more = True
    while more and n_bytes <= served.max_bytes * DRAIN_FACTOR:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _DisconnectedError
        chunk = message.get("body", b"")
        n_bytes += len(chunk)
        if max(n_bytes, announced) <= served.max_bytes:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if max(n_bytes, announced) > served.max_bytes:
        what = f"the body is larger than {served.limits.max_body_mib:g} MiB"
        raise RefusedError.of(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, what, close=True)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _method(endpoint: str, path: str) -> str:
    if endpoint == "infer":
        return inference.method_of(path)
    return "POST" if endpoint == "predict" else "GET"


def _told(refused: RefusedError, endpoint: str) -> bytes:
    """Return the body of a refusal; the open inference protocol has one text for it."""
    if endpoint == "infer":
        return _ENCODER.encode({"error": report(refused.messages)})
    return _ENCODER.encode(refused.to_json())


def _work(endpoint: str, path: str, headers: dict[bytes, bytes], served: Served) -> tuple[_Work, bytes]:
    """Return what is done with a body, and the content type of what comes of it."""
    kind = _kind_of(headers)
    if endpoint == "infer":
        if kind is not None or b"inference-header-content-length" in headers:
            what = "tensors are read as JSON: no binary data, no other content type"
            raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, what, close=True)
        return lambda body: inference.infer(body, path, served), _JSON
    wanted = headers.get(b"accept", b"").decode("latin-1").lower()
    answer_as = TABLES.get(wanted)

    def predict(body: bytes) -> tuple[int, bytes]:
        scores = served.score(body) if kind is None else served.score_table(body, kind)
        content = served.answer(scores) if answer_as is None else served.answer_table(scores, answer_as)
        return len(scores.decisions), content

    return predict, _JSON if answer_as is None else wanted.encode("latin-1")


def _kind_of(headers: dict[bytes, bytes]) -> TableKind | None:
    """Return what a body is, None for JSON, by its content type.

    Raises
    ------
    RefusedError
        If it says that it is anything else.
    """
    if headers.get(b"content-encoding", b"identity") != b"identity":
        what = "a compressed body is not read"
        raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, what, close=True)
    given = headers.get(b"content-type", b"")
    if given == _JSON:
        return None
    kind, _, parameters = given.decode("latin-1").lower().partition(";")
    named = parameters.replace(" ", "").replace('"', "")
    if kind.strip() == "application/json" and named in ("", "charset=utf-8"):
        return None
    if kind.strip() in TABLES and not named:
        return TABLES[kind.strip()]
    what = f"the content type must be application/json in UTF-8, or {' or '.join(TABLES)}"
    raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, what, close=True)

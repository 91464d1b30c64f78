"""The door of the service: answers `POST /predict`, `GET /schema` and `GET /` itself, and hands on the rest.

It stands in front of BentoML's pipeline, or inside it where the recipe says so, and keeps what that pipeline
would do: limits of body, rows and time, a request id, metrics. A client's mistake is a 4xx with five facts.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from http import HTTPStatus
from itertools import count
from time import perf_counter
from typing import Any, Generic, NamedTuple, TypeVar

import anyio
import anyio.to_thread
import msgspec

from engine.deploy import inference
from engine.deploy.body import JSON, DisconnectedError, Receive, reader_of, received
from engine.deploy.deadlines import Deadlines
from engine.deploy.meters import Meters
from engine.deploy.observe import Asked, Canary, Observer, answered
from engine.deploy.page import POLICY
from engine.deploy.reasons import endpoint_of
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import INLINE_BYTES, Served
from engine.errors import Message, report
from engine.runs.bundle import Bundle
from engine.tasks.task import Scores

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]
Header = tuple[bytes, bytes]

_HTML = b"text/html; charset=utf-8"
_ENDPOINTS = {"/predict": "predict", "/schema": "schema", "/": "page", "/docs.json": "docs"}
_FAULT = Message("this is a fault of the service, not of the request; its log says more")
# What a client may call its request, so that nothing else gets into a log by it.
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=-]{1,128}")
# No header can hold it.
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_ENCODER = msgspec.json.Encoder()

T = TypeVar("T")

logger = logging.getLogger("engine.serve")


class Scored(NamedTuple, Generic[T]):
    """The rows of a request, their scores, and what is told of them."""

    rows: Rows
    scores: Scores
    told: T


class Answer(NamedTuple):
    """What is sent to the one who asked."""

    status: HTTPStatus
    headers: list[Header]
    body: bytes


class Door:
    """The ASGI app in front of another.

    Parameters
    ----------
    app
        BentoML's own pipeline, which answers every other path.
    served
        What answers; `swap` replaces it, and requests that are at work end with what they began with.
    docs
        Returns what `GET /docs.json` answers of what answers then, called when it is first asked; None: the
        app answers it.
    """

    def __init__(
        self, app: Asgi, *, served: Served, meters: Meters, docs: Callable[[Bundle], object] | None = None
    ) -> None:
        self._app = app
        self._docs = docs
        self._described = b""
        self.meters = meters
        self._ids = count()
        self._id_prefix = f"{secrets.token_hex(6)}-".encode()
        self._deadlines = Deadlines()
        self._n_at_work = 0
        # anyio's own would let forty work and the others wait, however many may be at work.
        self._threads = anyio.CapacityLimiter(served.limits.max_concurrent)
        self.is_draining = False
        self.n_open = 0
        self.observer: Observer | None = None
        self.canary: Canary | None = None
        self.swap(served)

    def swap(self, served: Served) -> None:
        """Answer from `served` from now on."""
        self._threads.total_tokens = served.limits.max_concurrent
        self._served = served
        self._most_at_once = min(INLINE_BYTES, served.max_bytes) if served.is_at_once else -1
        self._version = _version(served)
        self._described = b""
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
            answer = await self._answer(endpoint, scope, dict(scope["headers"]), receive)
            if answer is not None:
                await _send(send, answer)
        finally:
            self.n_open -= 1

    def at_once(self, scope: Mapping[str, Any], body: bytes | bytearray) -> Answer | None:
        """Answer a request whose body is here whole; None: it may have to wait, and nothing was done.

        It is what is asked nearly always, and says so by the letter: a few rows of JSON, of a model that is
        neither cached nor batched.
        """
        if (
            scope["path"] != "/predict"
            or scope["method"] != "POST"
            or scope["query_string"]
            or len(body) > self._most_at_once
            or self.canary is not None
        ):
            return None
        # Of several headers of a name the last one counts, here as there.
        headers = dict(scope["headers"])
        if headers.get(b"content-type") != JSON:
            return None
        coming = self._answer("predict", scope, headers, bytes(body))
        try:
            coming.send(None)
        except StopIteration as ended:
            answer: Answer = ended.value
            return answer
        coming.close()
        raise AssertionError("a request that is answered at once waits")

    async def _hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.is_draining and scope["type"] == "http" and scope["path"] == "/readyz":
            await _send(send, _answer_of(HTTPStatus.SERVICE_UNAVAILABLE, b"draining\n", b"text/plain"))
            return
        await self._app(scope, self._last(receive) if scope["type"] == "lifespan" else receive, send)

    def _last(self, receive: Receive) -> Receive:
        """Have the observer end when the service is told to: every request is answered by then."""

        async def received() -> MutableMapping[str, Any]:
            message = await receive()
            if message["type"] == "lifespan.shutdown" and self.observer is not None:
                await asyncio.to_thread(self.observer.close)
            return message

        return received

    async def _answer(
        self, endpoint: str, scope: Mapping[str, Any], headers: dict[bytes, bytes], receive: Receive | bytes
    ) -> Answer | None:
        """Return the answer to a request whose body is received, or here whole; None: nobody waits for it."""
        started = perf_counter()
        own: list[Header] = [(b"x-request-id", self.request_id(headers.get(b"x-request-id"))), self._version]
        try:
            status = HTTPStatus.OK
            body, kind = await self._content(endpoint, scope, headers, receive, own)
            if endpoint == "page":
                own.append((b"content-security-policy", POLICY))
        except RefusedError as refused:
            status, body, kind = refused.status, _told(refused, endpoint), JSON
            own += self._headers_of(refused, _method(endpoint, scope["path"]))
        except DisconnectedError:
            return None
        except Exception:
            logger.exception("request %s to %s failed", own[0][1].decode(), scope["path"])
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            body, kind = _told(RefusedError(status, [_FAULT]), endpoint), JSON
        self.meters.answered(endpoint, int(status), perf_counter() - started)
        return _answer_of(status, body, kind, own)

    def request_id(self, given: bytes | None) -> bytes:
        """Return what a request is called: as the client said, where that is fit for a log."""
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given
        return self._id_prefix + b"%d" % next(self._ids)

    def refused(self, refused: RefusedError) -> None:
        """Count what broke the contract."""
        if refused.status is HTTPStatus.UNPROCESSABLE_ENTITY:
            self.meters.refused(refused.messages, self._columns)

    def _headers_of(self, refused: RefusedError, method: str) -> list[tuple[bytes, bytes]]:
        self.refused(refused)
        headers = [(b"connection", b"close")] if refused.close else []
        if refused.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append((b"allow", method.encode()))
        if refused.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
            headers.append((b"retry-after", b"1"))
        return headers

    async def _content(
        self,
        endpoint: str,
        scope: Mapping[str, Any],
        headers: dict[bytes, bytes],
        receive: Receive | bytes,
        own: list[Header],
    ) -> tuple[bytes, bytes]:
        """Return the body of the answer and its content type; `own` are its other headers."""
        served = self._served
        if endpoint == "predict" and (query := scope.get("query_string")):
            endpoint = endpoint_of(query)
        method = _method(endpoint, scope["path"])
        if scope["method"] != method:
            what = f"this path answers {method}, not {scope['method']}"
            raise RefusedError.of(HTTPStatus.METHOD_NOT_ALLOWED, what)
        if method == "GET":
            if endpoint == "infer":
                return inference.tell(scope["path"], served, is_ready=not self.is_draining), JSON
            if endpoint == "page":
                return served.page, _HTML
            return self._docs_of(served) if endpoint == "docs" else served.schema, JSON
        if self.is_draining:
            what = "the service is ending: ask another"
            raise RefusedError.of(HTTPStatus.SERVICE_UNAVAILABLE, what, close=True)
        reader = reader_of(endpoint, scope["path"], headers, served)
        body = receive if isinstance(receive, bytes) else await self._received(headers, receive, served)
        is_small = len(body) <= INLINE_BYTES and not reader.is_table
        if self.observer is None:
            scored = await self.scored(lambda: reader.read(body), served, is_small=is_small)
            return scored.told, reader.kind
        asked = Asked(endpoint, scope["path"], headers, own[0][1], body, is_small)
        told = await answered(
            asked, served, self.scored, self.aside, observer=self.observer, canary=self.canary
        )
        if told.served is not served:
            own[1] = _version(told.served)
        return told.content, told.kind

    def _docs_of(self, served: Served) -> bytes:
        """Return what describes the service, made when it is first asked: a start needs none of it."""
        if not self._described and self._docs is not None:
            self._described = _ENCODER.encode(self._docs(served.bundle))
        return self._described

    async def _received(self, headers: dict[bytes, bytes], receive: Receive, served: Served) -> bytes:
        try:
            with self._deadlines.within(served.limits.timeout_s):
                return await received(headers, receive, served)
        except TimeoutError:
            what = f"the body did not arrive within {served.limits.timeout_s:g} s"
            raise RefusedError.of(HTTPStatus.REQUEST_TIMEOUT, what, close=True) from None

    async def scored(
        self, read: Callable[[], tuple[Rows, Callable[[Scores], T]]], served: Served, *, is_small: bool
    ) -> Scored[T]:
        """Return the rows of a request, their scores, and what is told of them.

        Parameters
        ----------
        read
            Gives the rows, and what tells their scores.
        is_small
            Whether that is less work than to hand it to a thread.

        Raises
        ------
        RefusedError
            With what is wrong with the rows; or where too much is at work, or they take too long.
        EngineError
            If the model gives a value that is not finite.
        """
        if is_small:
            rows, tell = read()
            scores = served.score(rows) if served.is_at_once else await self._in_time(rows, served)
            found = Scored(rows, scores, tell(scores))
        else:
            found = await self.aside(lambda: _scored(read, served), served)
        self.meters.rows.inc(found.rows.n)
        return found

    async def _in_time(self, rows: Rows, served: Served) -> Scores:
        try:
            with self._deadlines.within(served.limits.timeout_s):
                return await served.scores(rows)
        except TimeoutError:
            raise _late(served) from None

    async def aside(self, work: Callable[[], T], served: Served) -> T:
        """Work in a thread; counted here, after the body is read, so that slow senders lock nobody out.

        Raises
        ------
        RefusedError
            Where too much is at work, or it takes too long.
        """
        if self._n_at_work >= served.limits.max_concurrent:
            what = f"{self._n_at_work} large requests are at work, the most there may be"
            raise RefusedError.of(HTTPStatus.TOO_MANY_REQUESTS, what)
        self._n_at_work += 1
        at_work = asyncio.ensure_future(anyio.to_thread.run_sync(_outcome, work, limiter=self._threads))
        at_work.add_done_callback(self._ended)
        done, _ = await asyncio.wait([at_work], timeout=served.limits.timeout_s)
        if not done:
            raise _late(served)
        found = at_work.result()
        if not isinstance(found, Exception):
            return found
        try:
            raise found
        finally:
            # The fault holds this frame, and this frame would hold the fault, with all that was read.
            del at_work, done, found

    def _ended(self, _: object) -> None:
        """Take a request off the count when its thread is done with it, waited for or not."""
        self._n_at_work -= 1


# What puts an observer and a canary beside a door.
Begin = Callable[[Door], None]


def _scored(read: Callable[[], tuple[Rows, Callable[[Scores], T]]], served: Served) -> Scored[T]:
    rows, tell = read()
    scores = served.score(rows)
    return Scored(rows, scores, tell(scores))


def _outcome(work: Callable[[], T]) -> T | Exception:
    """Return what work gives, or why it gives nothing: raised in a thread its own waiter would hold it."""
    try:
        return work()
    except Exception as fault:  # noqa: BLE001 (raised by the one who asked)
        return fault


def _late(served: Served) -> RefusedError:
    what = f"not scored within {served.limits.timeout_s:g} s: send fewer records at a time"
    return RefusedError.of(HTTPStatus.GATEWAY_TIMEOUT, what)


def _version(served: Served) -> Header:
    version = served.bundle.model_version.encode("latin-1", "replace")
    return b"x-model-version", _CONTROL.sub(b"?", version)


def _answer_of(status: HTTPStatus, body: bytes, kind: bytes, own: Sequence[Header] = ()) -> Answer:
    return Answer(status, [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *own], body)


async def _send(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": int(answer.status), "headers": answer.headers})
    await send({"type": "http.response.body", "body": answer.body})


def _method(endpoint: str, path: str) -> str:
    if endpoint == "infer":
        return inference.method_of(path)
    return "POST" if endpoint in ("predict", "explain") else "GET"


def _told(refused: RefusedError, endpoint: str) -> bytes:
    """Return the body of a refusal; the open inference protocol has one text for it."""
    if endpoint == "infer":
        return _ENCODER.encode({"error": report(refused.messages)})
    return _ENCODER.encode(refused.to_json())

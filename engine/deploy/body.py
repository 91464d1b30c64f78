"""The body of a request: received whole within its limits, and what its headers say that it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from http import HTTPStatus
from typing import Any, NamedTuple

from engine.data.bodies import TableKind
from engine.deploy import inference
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.tasks.task import Scores

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = Mapping[bytes, bytes]
# What makes of the scores of rows the body of an answer.
Tell = Callable[[Scores], bytes]

JSON = b"application/json"
TABLES: Mapping[str, TableKind] = {
    "application/vnd.apache.arrow.stream": "arrow",
    "application/vnd.apache.parquet": "parquet",
}
# The rest of a body that is too large is read and thrown away up to this multiple of the limit, so that a
# client that writes first and reads afterwards sees the answer and no broken pipe.
DRAIN_FACTOR = 4


class DisconnectedError(Exception):
    """The client went away, so nobody is left to be answered."""


class Reader(NamedTuple):
    """What reads a body, and the content type of the answer; a small table may hold very many rows."""

    read: Callable[[bytes], tuple[Rows, Tell]]
    kind: bytes
    is_table: bool


async def received(headers: Headers, receive: Receive, served: Served) -> bytes:
    """Return the whole body, never holding more than the limit.

    Raises
    ------
    RefusedError
        If it is larger than that.
    DisconnectedError
        If the client leaves before its end.
    """
    chunks: list[bytes] = []
    n_bytes = 0
    announced = int(headers.get(b"content-length", b"0"))
    more = True
    while more and n_bytes <= served.max_bytes * DRAIN_FACTOR:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        chunk = message.get("body", b"")
        n_bytes += len(chunk)
        if max(n_bytes, announced) <= served.max_bytes:
            chunks.append(chunk)
        more = message.get("more_body", False)
    if max(n_bytes, announced) > served.max_bytes:
        what = f"the body is larger than {served.limits.max_body_mib:g} MiB"
        raise RefusedError.of(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, what, close=True)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def reader_of(endpoint: str, path: str, headers: Headers, served: Served) -> Reader:
    """Return what reads the body of a request to `POST /predict` or to the open inference protocol.

    Raises
    ------
    RefusedError
        If the headers say that it is what is not read.
    """
    table = _table_of(headers)
    if endpoint == "infer":
        if table is not None or b"inference-header-content-length" in headers:
            what = "tensors are read as JSON: no binary data, no other content type"
            raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, what, close=True)
        return Reader(partial(inference.read, path=path, served=served), JSON, is_table=False)
    wanted = headers.get(b"accept", b"").decode("latin-1").lower()
    answer_as = TABLES.get(wanted)
    if endpoint == "explain":
        return Reader(partial(_explained, table=table, served=served), JSON, is_table=True)
    tell: Tell = served.answer if answer_as is None else partial(served.answer_table, kind=answer_as)
    kind = JSON if answer_as is None else wanted.encode("latin-1")
    if table is not None:
        return Reader(lambda body: (served.read_table(body, table), tell), kind, is_table=True)
    return Reader(lambda body: (served.read(body), tell), kind, is_table=False)


def _explained(body: bytes, *, table: TableKind | None, served: Served) -> tuple[Rows, Tell]:
    rows = served.read(body) if table is None else served.read_table(body, table)
    served.reasons.require(rows.n)
    return rows, partial(served.explain, rows=rows)


def _table_of(headers: Headers) -> TableKind | None:
    """Return which table a body is, None for JSON, by its content type.

    Raises
    ------
    RefusedError
        If it says that it is anything else.
    """
    if headers.get(b"content-encoding", b"identity") != b"identity":
        what = "a compressed body is not read"
        raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, what, close=True)
    given = headers.get(b"content-type", b"")
    if given == JSON:
        return None
    kind, _, parameters = given.decode("latin-1").lower().partition(";")
    named = parameters.replace(" ", "").replace('"', "")
    if kind.strip() == "application/json" and named in ("", "charset=utf-8"):
        return None
    if kind.strip() in TABLES and not named:
        return TABLES[kind.strip()]
    what = f"the content type must be application/json in UTF-8, or {' or '.join(TABLES)}"
    raise RefusedError.of(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, what, close=True)

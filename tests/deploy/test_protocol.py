"""Whatever the pieces in which requests come, they are answered in order, by the short way as by the long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.deploy.door import Answer, Door
from engine.deploy.meters import meters
from engine.deploy.served import Served
from engine.runs.bundle import load_bundle
from tests.talking import talk_to

RECORD = {"age": 40, "hours": None, "sex": "Male", "job": "clerk", "member": True, "since": "1990-05-01"}
BODY = json.dumps({"records": [RECORD]}).encode()
WRONG = json.dumps({"records": [RECORD | {"age": "old"}]}).encode()

Heard = list[tuple[int, Mapping[str, str], bytes]]


async def beyond(_scope: Any, _receive: Any, send: Any) -> None:
    """Answer what the door lets through."""
    await send({"type": "http.response.start", "status": 299, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


class Counting(Door):
    """A door that knows how it was asked."""

    n_called = n_at_once = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Count what takes the long way."""
        self.n_called += scope["type"] == "http"
        await super().__call__(scope, receive, send)

    def at_once(self, scope: Mapping[str, Any], body: bytes | bytearray) -> Answer | None:
        """Count what takes the short way."""
        answer = super().at_once(scope, body)
        self.n_at_once += answer is not None
        return answer


@pytest.fixture(scope="module")
def door(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Counting:
    """Return the door of a small bundle."""
    bundle = load_bundle(tiny.write_tiny(tmp_path_factory.mktemp("protocol") / "bundle"))
    return Counting(beyond, served=Served(bundle), meters=meters())


def request(body: bytes = BODY, *headers: str, path: str = "/predict", version: str = "1.1") -> bytes:
    """Return the bytes of a request."""
    lines = [f"POST {path} HTTP/{version}", "host: a", f"content-length: {len(body)}", *headers]
    if not any(header.startswith("content-type") for header in headers):
        lines.append("content-type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


async def heard(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str], bytes]:
    """Return the status, the headers and the body of the next answer."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    return int(first.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


def say(door: Door, *pieces: bytes, n_answers: int) -> Heard:
    """Send pieces, each a packet of its own, and return the answers."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Heard:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.002)
        return [await heard(reader) for _ in range(n_answers)]

    return talk_to(door, talk)


def counted(door: Counting, *pieces: bytes) -> tuple[int, int, int]:
    """Return the status of one request, and how many went the short way and the long one."""
    before = door.n_at_once, door.n_called
    ((status, _, _),) = say(door, *pieces, n_answers=1)
    return status, door.n_at_once - before[0], door.n_called - before[1]


def test_which_way(door: Counting) -> None:
    """What is here whole, small and plain takes the short way; the rest the long one, with the same rules."""
    assert counted(door, request()) == (200, 1, 0)
    assert counted(door, request(WRONG)) == (422, 1, 0)
    assert counted(door, request(b"{")) == (400, 1, 0)
    assert counted(door, request()[:-5], request()[-5:]) == (200, 0, 1)
    assert counted(door, request()[: -len(BODY)], BODY) == (200, 0, 1)
    assert counted(door, request(path="/predict?explain=false")) == (200, 0, 1)
    assert counted(door, request(BODY, "content-type: Application/JSON")) == (200, 0, 1)
    assert counted(door, request(BODY, "content-type: text/csv")) == (415, 0, 1)
    assert counted(door, request(path="/elsewhere")) == (299, 0, 1)
    assert counted(door, request(BODY + b" " * 70_000)) == (200, 0, 1)


@pytest.mark.parametrize("kind", ["arrow.stream", "parquet"])
def test_the_last_of_two_content_types(door: Counting, kind: str) -> None:
    """What says that it is JSON, and then that it is a table, is read as a table: not at once."""
    table = f"content-type: application/vnd.apache.{kind}"
    assert counted(door, request(BODY, "content-type: application/json", table)) == (422, 0, 1)
    assert counted(door, request(BODY, table, "content-type: application/json")) == (200, 1, 0)


def test_what_fails_at_once_is_answered(tiny: ModuleType, tmp_path: Path) -> None:
    """A fault that no door foresaw is a 500, as it would be on the long way."""

    class Broken(Counting):
        def at_once(self, scope: Mapping[str, Any], body: bytes | bytearray) -> Answer | None:
            raise AssertionError(len(scope), len(body))

    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle"))
    broken = Broken(beyond, served=Served(bundle), meters=meters())
    assert say(broken, request(), n_answers=1)[0][0] == 500


def test_many_that_nobody_waits_for(door: Counting) -> None:
    """Who sends thousands of requests without reading an answer is let go."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Heard:
        with pytest.raises(OSError, match=r"reset|Broken pipe|lost"):
            for _ in range(200):
                writer.write(request(b"{}", path="/predict?explain=false") * 500)
                await writer.drain()
                await asyncio.sleep(0)
        del reader
        return []

    assert talk_to(door, talk) == []


def test_both_ways_say_the_same(door: Counting) -> None:
    """The answer by the short way is that of the long way, headers and all, but for the moment."""
    for body in (BODY, WRONG, b"{", b"", b'{"records": []}'):
        whole = request(body, "x-request-id: mine")
        (short,) = say(door, whole, n_answers=1)
        # The first byte of the body comes alone; one that has none is asked with a query.
        pieces = (
            (whole[:-1], whole[-1:]) if body else (whole.replace(b"/predict", b"/predict?explain=false"),)
        )
        (long,) = say(door, *pieces, n_answers=1)
        assert {k: v for k, v in short[1].items() if k != "date"} == {
            k: v for k, v in long[1].items() if k != "date"
        }
        assert (short[0], short[2]) == (long[0], long[2])


def test_the_first_of_several_in_a_packet(door: Counting) -> None:
    """Requests that come together are answered in their order."""
    whole = b"".join(request(BODY, f"x-request-id: r{number}") for number in range(20))
    answers = say(door, whole, n_answers=20)
    assert [answer[1]["x-request-id"] for answer in answers] == [f"r{number}" for number in range(20)]
    assert {answer[0] for answer in answers} == {200}


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 900), max_size=6))
def test_any_pieces(door: Counting, cuts: list[int]) -> None:
    """Three requests, cut anywhere, have three answers in order."""
    whole = request(BODY, "x-request-id: a") + request(WRONG, "x-request-id: b") + request(path="/nowhere")
    ends = [0, *sorted({cut for cut in cuts if cut < len(whole)}), len(whole)]
    pieces = [whole[start:end] for start, end in pairwise(ends)]
    assert [answer[0] for answer in say(door, *pieces, n_answers=3)] == [200, 422, 299]


@pytest.mark.parametrize(
    "last", [request(BODY, "connection: close"), request(BODY, version="1.0"), request(BODY, "expect: x")]
)
def test_the_last_of_a_connection(door: Counting, last: bytes) -> None:
    """Who wants the connection closed is answered, and it is; with a word that nobody knows it goes on."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Heard:
        writer.write(last)
        answer = await heard(reader)
        if b"expect" in last:
            writer.write(request(BODY, "connection: close"))
            await heard(reader)
        assert await reader.read() == b""
        return [answer]

    ((status, headers, _),) = talk_to(door, talk)
    assert status == 200
    assert headers.get("connection") == ("close" if b"connection" in last else None)


def test_who_waits_to_be_told_to_go_on(door: Counting) -> None:
    """A client that asks before it sends its body is told to, even where body and question come together."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Heard:
        writer.write(request(BODY, "expect: 100-continue"))
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        return [await heard(reader)]

    assert talk_to(door, talk)[0][0] == 200


def test_a_service_that_ends_refuses(door: Counting) -> None:
    """Once it drains, the short way refuses as the long one, and closes the connection."""
    door.is_draining = True
    try:
        ((status, headers, _),) = say(door, request(), n_answers=1)
    finally:
        door.is_draining = False
    assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")


def test_what_may_wait_takes_the_long_way(tiny: ModuleType, tmp_path: Path) -> None:
    """A bundle whose rows are batched, or cached, answers through tasks."""
    for name, options in (("batched", {"batching": "always"}), ("limited", {"max_body_mib": 0.0001})):
        bundle = load_bundle(tiny.write_tiny(tmp_path / name, **options))
        door = Counting(beyond, served=Served(bundle), meters=meters())
        assert counted(door, request()) == (200 if name == "batched" else 413, 0, 1)


def test_versions_that_no_header_holds(tiny: ModuleType, tmp_path: Path) -> None:
    """A version of several lines, which a stranger's bundle may have, makes no header of its own."""
    bundle = load_bundle(tiny.write_tiny(tmp_path / "bundle"))
    manifest = msgspec.structs.replace(bundle.manifest, model_version="a\r\nx-evil: 1")
    door = Counting(beyond, served=Served(replace(bundle, manifest=manifest)), meters=meters())
    ((status, headers, _),) = say(door, request(), n_answers=1)
    assert (status, headers["x-model-version"], "x-evil" in headers) == (200, "a??x-evil: 1", False)

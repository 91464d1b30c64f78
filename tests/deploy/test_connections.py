"""Connections that ask nothing, never come to an end or read nothing are let go, whatever they send."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.deploy import protocol
from tests.talking import Talk, talk_to

BODY = b"a" * (16 << 20)
WHOLE = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
# The first byte of a body that is no longer waited for.
HALF = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n"


async def answer(scope: Any, _: Any, send: Any) -> None:
    """Answer at once: a large body where it is asked for."""
    body = BODY if scope["path"] == "/large" else b"{}"
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": body})


def with_server(talk: Talk[None]) -> None:
    """Talk to a server of ours that waits for a second."""
    talk_to(answer, talk, keep_alive_s=1)


@pytest.mark.parametrize(("first", "then"), [(WHOLE, b"\r\n"), (HALF, b"a")])
def test_what_belongs_to_no_request_keeps_no_connection(first: bytes, then: bytes) -> None:
    """A byte after the answer, be it an empty line or of a body, is no new request."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await reader.readuntil(b"{}")
        writer.write(then)
        assert await reader.read() == b""

    with_server(talk)


def test_headers_without_end() -> None:
    """Headers that go on are refused, and a request of usual headers after another is not."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(3):
            writer.write(WHOLE[:-2] + b"x: " + b"a" * 60_000)
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.write(b"\r\n\r\n")
            assert (await reader.readuntil(b"{}")).startswith(b"HTTP/1.1 200")
        writer.write(WHOLE[:-2] + b"x: ")
        for _ in range(3):
            await asyncio.sleep(0.05)
            writer.write(b"a" * 30_000)
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")

    with_server(talk)


def test_an_answer_that_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stands still is cut off with most of the answer unread; who reads on, slowly, has all of it."""
    monkeypatch.setattr(protocol, "_UNREAD_S", 0.5)

    async def reading(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE.replace(b"/ ", b"/large ", 1))
        await reader.readuntil(b"\r\n\r\n")
        n_read = 0
        while n_read < len(BODY):
            n_read += len(await reader.read(1 << 20))
            await asyncio.sleep(0.01)

    async def waiting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE.replace(b"/ ", b"/large ", 1))
        await asyncio.sleep(1.5)
        assert len(await reader.read()) < len(BODY)

    with_server(reading)
    with_server(waiting)

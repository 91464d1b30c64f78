import asyncio
import json
import logging
from collections.abc import MutableMapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl
import pytest

from engine.deploy.door import INLINE_BYTES, Door
from engine.graph import Graph
from engine.models.assemble import Artifact
from engine.names import TASKS
from engine.runs.bundle import load_bundle
from engine.tasks.task import Target


def ask(door: Door, body: bytes, *, path: str = "/predict") -> tuple[int, dict[str, Any]]:
    """Send one whole request through the door, without a server."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": path, "headers": headers}
    asyncio.run(door(scope, receive, send))  # type: ignore[arg-type]
    return sent[0]["status"], json.loads(sent[1]["body"])


async def beyond(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Answer what the door lets through."""
    del receive
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"path": scope["path"]}).encode()})


def test_other_paths_are_handed_on(bundle_folder: Path) -> None:
    """Every path but the door's two goes to the pipeline behind it, untouched."""
    door = Door(beyond, bundle=load_bundle(bundle_folder))
    assert ask(door, b"", path="/metrics") == (299, {"path": "/metrics"})
    assert ask(door, b"", path="/predict/x") == (299, {"path": "/predict/x"})


def test_slow_scoring_is_504(tiny: ModuleType, tmp_path: Path, record: dict[str, object]) -> None:
    """Records that are not scored in time are answered as such, and not waited for."""
    folder = tiny.write_tiny(tmp_path / "bundle", timeout_s=1e-4)
    body = json.dumps({"records": [record] * 1000}).encode()
    assert len(body) > INLINE_BYTES
    status, answer = ask(Door(beyond, bundle=load_bundle(folder)), body)
    assert status == 504
    assert (
        answer["error"]["messages"][0]["what"] == "not scored within 0.0001 s: send fewer records at a time"
    )


def test_our_fault_is_500(
    tiny: ModuleType, tmp_path: Path, record: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """A model that gives no finite number is a fault of ours: logged in full, told without a detail."""
    target = Target("income", "continuous")
    graph = Graph()
    distance = graph.node("Sub", [graph.input("age", np.float64), graph.constant(40.0)])
    inverse = graph.node("Div", [graph.constant(1.0), distance])
    TASKS.load("regression").decide(graph, inverse, target=target, threshold=None)  # type: ignore[attr-defined]
    folder = tiny.write_tiny(
        tmp_path / "bundle",
        task="regression",
        artifact=Artifact(graph.build().SerializeToString()),
        golden=tiny.tiny_frame(0).drop("person").with_columns(prediction=pl.lit(0.0)),
    )
    door = Door(beyond, bundle=load_bundle(folder))
    near = json.dumps({"records": [record | {"age": 44}]}).encode()
    assert ask(door, near)[1]["predictions"] == [{"prediction": 0.25}]
    with caplog.at_level(logging.ERROR, "engine.serve"):
        status, answer = ask(door, json.dumps({"records": [record]}).encode())
    assert status == 500
    assert [message["what"] for message in answer["error"]["messages"]] == [
        "this is a fault of the service, not of the request; its log says more"
    ]
    assert "the model gave a value that is not finite, first in row 0" in caplog.text

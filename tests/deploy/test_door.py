import asyncio
import json
import logging
from collections.abc import MutableMapping
from dataclasses import replace
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
from engine.report.words import escape
from engine.runs.bundle import load_bundle
from engine.tasks.task import Target


def ask(door: Door, body: bytes, *, path: str = "/predict") -> tuple[int, dict[str, Any]]:
    """Post one whole request through the door, without a server."""
    sent = sent_by(door, body, method="POST", path=path)
    return sent[0]["status"], json.loads(sent[1]["body"])


def sent_by(door: Door, body: bytes, *, method: str, path: str) -> list[MutableMapping[str, Any]]:
    """Return what the door sends back for one whole request."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    asyncio.run(door(scope, receive, send))  # type: ignore[arg-type]
    return sent


async def beyond(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Answer what the door lets through."""
    del receive
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"path": scope["path"]}).encode()})


def test_other_paths_are_handed_on(bundle_folder: Path) -> None:
    """Every path but the door's own goes to the pipeline behind it, untouched."""
    door = Door(beyond, bundle=load_bundle(bundle_folder))
    assert ask(door, b"", path="/metrics") == (299, {"path": "/metrics"})
    assert ask(door, b"", path="/predict/x") == (299, {"path": "/predict/x"})


def test_the_page_is_the_services_own(bundle_folder: Path) -> None:
    """`GET /` names every column and loads nothing; what a recipe says is literal in it."""
    bundle = load_bundle(bundle_folder)
    name = "<img src=x>"
    schema = replace(bundle.schema, columns=(replace(bundle.schema.columns[0], name=name, role="feature"),))
    for served in (bundle, replace(bundle, schema=schema)):
        sent = sent_by(Door(beyond, bundle=served), b"", method="GET", path="/")
        headers, html = dict(sent[0]["headers"]), sent[1]["body"].decode()
        assert sent[0]["status"] == 200
        assert headers[b"content-type"] == b"text/html; charset=utf-8"
        assert headers[b"content-security-policy"] == b"default-src 'none'; style-src 'unsafe-inline'"
        assert all(escape(column.name) in html for column in served.schema.features)
        assert not any(word in html for word in ("http:", "https:", "//", "<script", "<img", 'src="'))
    assert ask(Door(beyond, bundle=bundle), b"", path="/")[0] == 405


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
    assert "the model gave a value that is not finite for 1 of 1 rows" in caplog.text

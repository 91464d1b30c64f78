import asyncio
import gc
import json
import logging
import threading
import time
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from engine.deploy.door import Door
from engine.deploy.meters import meters
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import INLINE_BYTES, Served
from engine.graph import Graph
from engine.models.assemble import Artifact
from engine.names import TASKS
from engine.report.words import escape
from engine.runs.bundle import Bundle, load_bundle
from engine.tasks.task import Scores, Target


def ask(door: Door, body: bytes, *, path: str = "/predict") -> tuple[int, dict[str, Any]]:
    """Post one whole request through the door, without a server."""
    sent = sent_by(door, body, method="POST", path=path)
    return sent[0]["status"], json.loads(sent[1]["body"])


def sent_by(door: Door, body: bytes, *, method: str, path: str) -> list[MutableMapping[str, Any]]:
    """Return what the door sends back for one whole request."""
    sent: list[MutableMapping[str, Any]] = []
    asyncio.run(door(*request_of(body, sent, method=method, path=path)))  # type: ignore[arg-type]
    return sent


def request_of(
    body: bytes, sent: list[MutableMapping[str, Any]], *, method: str = "POST", path: str = "/predict"
) -> tuple[MutableMapping[str, Any], Any, Any]:
    """Return what an ASGI app is called with; what it sends is appended to `sent`."""

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    return {"type": "http", "method": method, "path": path, "headers": headers}, receive, send


def door_of(bundle: Bundle) -> Door:
    """Return a door with nothing but `beyond` behind it."""
    return Door(beyond, served=Served(bundle), meters=meters())


async def beyond(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
    """Answer what the door lets through."""
    del receive
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps({"path": scope["path"]}).encode()})


def test_other_paths_are_handed_on(bundle_folder: Path) -> None:
    """Every path but the door's own goes to the pipeline behind it, untouched."""
    door = door_of(load_bundle(bundle_folder))
    assert ask(door, b"", path="/metrics") == (299, {"path": "/metrics"})
    assert ask(door, b"", path="/predict/x") == (299, {"path": "/predict/x"})


def test_docs_are_of_what_answers_now(bundle_folder: Path) -> None:
    """They are made when they are first asked, once; a bundle that takes over has its own."""
    bundle = load_bundle(bundle_folder)
    made: list[str] = []

    def docs(described: Bundle) -> dict[str, str]:
        made.append(described.model_version)
        return {"version": described.model_version}

    door = Door(beyond, served=Served(bundle), meters=meters(), docs=docs)
    assert not made
    told = [json.loads(sent_by(door, b"", method="GET", path="/docs.json")[1]["body"]) for _ in range(2)]
    other = msgspec.structs.replace(bundle.manifest, model_version="another")
    door.swap(Served(replace(bundle, manifest=other)))
    told.append(json.loads(sent_by(door, b"", method="GET", path="/docs.json")[1]["body"]))
    assert [each["version"] for each in told] == [bundle.model_version, bundle.model_version, "another"]
    assert made == [bundle.model_version, "another"]


def test_the_page_is_the_services_own(bundle_folder: Path) -> None:
    """`GET /` names every column and loads nothing; what a recipe says is literal in it."""
    bundle = load_bundle(bundle_folder)
    # No row of this schema could be scored to see how long it takes.
    bundle = replace(bundle, limits=msgspec.structs.replace(bundle.limits, batching="never"))
    name = "<img src=x>"
    schema = replace(bundle.schema, columns=(replace(bundle.schema.columns[0], name=name, role="feature"),))
    for served in (bundle, replace(bundle, schema=schema)):
        sent = sent_by(door_of(served), b"", method="GET", path="/")
        headers, html = dict(sent[0]["headers"]), sent[1]["body"].decode()
        assert sent[0]["status"] == 200
        assert headers[b"content-type"] == b"text/html; charset=utf-8"
        assert headers[b"content-security-policy"] == b"default-src 'none'; style-src 'unsafe-inline'"
        assert all(escape(column.name) in html for column in served.schema.features)
        assert not any(word in html for word in ("http:", "https:", "//", "<script", "<img", 'src="'))
    assert ask(door_of(bundle), b"", path="/")[0] == 405


def test_slow_scoring_is_504(tiny: ModuleType, tmp_path: Path, record: dict[str, object]) -> None:
    """Records that are not scored in time are answered as such, and not waited for."""
    folder = tiny.write_tiny(tmp_path / "bundle", timeout_s=1e-4)
    body = json.dumps({"records": [record] * 1000}).encode()
    assert len(body) > INLINE_BYTES
    status, answer = ask(door_of(load_bundle(folder)), body)
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
    door = door_of(load_bundle(folder))
    near = json.dumps({"records": [record | {"age": 44}]}).encode()
    assert ask(door, near)[1]["predictions"] == [{"prediction": 0.25}]
    with caplog.at_level(logging.ERROR, "engine.serve"):
        status, answer = ask(door, json.dumps({"records": [record]}).encode())
    assert status == 500
    assert [message["what"] for message in answer["error"]["messages"]] == [
        "this is a fault of the service, not of the request; its log says more"
    ]
    assert "the model gave a value that is not finite for 1 of 1 rows" in caplog.text


def test_too_many_large_requests_are_429(tiny: ModuleType, tmp_path: Path, record: dict[str, object]) -> None:
    """Of three large requests at once, where two may be, one is told to come again; then all is as before."""
    folder = tiny.write_tiny(tmp_path / "bundle", max_concurrent=2, timeout_s=10)
    door = door_of(load_bundle(folder))
    body = json.dumps({"records": [record] * 1000}).encode()

    async def three() -> list[int]:
        sent: list[list[MutableMapping[str, Any]]] = [[], [], []]
        await asyncio.gather(*(door(*request_of(body, each)) for each in sent))
        return [each[0]["status"] for each in sent]

    async def twice() -> list[list[int]]:
        return [sorted(await three()) for _ in range(2)]

    assert asyncio.run(twice()) == [[200, 200, 429]] * 2


def test_what_was_refused_is_let_go(bundle_folder: Path) -> None:
    """A large body that is refused is held by nothing once it is answered, not even until the next collection."""
    door = door_of(load_bundle(bundle_folder))
    body = json.dumps({"records": [{"strange": "x" * 100}] * 900}).encode()
    assert len(body) > INLINE_BYTES
    gc.collect()
    gc.disable()
    try:
        assert ask(door, body)[0] == 422
        # The thread that read the body lets go a moment after it has told what it found.
        ends = time.monotonic() + 5
        while held := sum(issubclass(type(each), RefusedError) for each in gc.get_objects()):
            if time.monotonic() > ends:
                break
            time.sleep(0.01)
    finally:
        gc.enable()
    assert held == 0


def test_as_many_work_as_the_recipe_says(
    bundle_folder: Path, tiny: ModuleType, tmp_path: Path, record: dict[str, object]
) -> None:
    """As many large requests are scored side by side as `max_concurrent` says, forty being no bound."""
    n_together = 45
    meeting = threading.Barrier(n_together)

    class Meeting(Served):
        def score(self, rows: Rows) -> Scores:
            meeting.wait(timeout=8)
            return super().score(rows)

    folder = tiny.write_tiny(tmp_path / "bundle", max_concurrent=n_together, timeout_s=10)
    door = door_of(load_bundle(bundle_folder))
    door.swap(Meeting(load_bundle(folder)))
    body = json.dumps({"records": [record] * 1000}).encode()

    async def together() -> list[int]:
        sent: list[list[MutableMapping[str, Any]]] = [[] for _ in range(n_together)]
        await asyncio.gather(*(door(*request_of(body, each)) for each in sent))
        return [each[0]["status"] for each in sent]

    assert asyncio.run(together()) == [200] * n_together


def test_a_draining_door(bundle_folder: Path, record: dict[str, object]) -> None:
    """A service that ends is not ready and takes no new requests; what only looks at it goes on."""
    door = door_of(load_bundle(bundle_folder))
    body = json.dumps({"records": [record]}).encode()
    assert ask(door, body)[0] == 200
    door.is_draining = True
    assert ask(door, body)[0] == 503
    assert sent_by(door, b"", method="GET", path="/readyz")[0]["status"] == 503
    assert sent_by(door, b"", method="GET", path="/livez")[0]["status"] == 299


def test_an_unsure_model_abstains(tiny: ModuleType, tmp_path: Path, record: dict[str, object]) -> None:
    """Below `deploy.abstain_below` there is no prediction, only the probabilities; at it and above there is."""
    folder = tiny.write_tiny(tmp_path / "bundle", abstain_below=0.7)
    bundle = load_bundle(folder)
    rows = [record | {"age": age} for age in range(17, 91)]
    _, answer = ask(door_of(bundle), json.dumps({"records": rows}).encode())
    plain = bundle.predict_records(rows)["prediction"].to_list()
    for each, prediction in zip(answer["predictions"], plain, strict=True):
        assert each["abstained"] is (max(each["probabilities"].values()) < 0.7)
        assert each["prediction"] == (None if each["abstained"] else prediction)
    assert {each["abstained"] for each in answer["predictions"]} == {True, False}

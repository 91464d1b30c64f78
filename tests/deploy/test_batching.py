"""Rows of many requests scored together, and rows that were asked for before."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client import REGISTRY

from engine.deploy.batching import MAX_ROWS, Batcher, is_slow
from engine.deploy.cache import Cache
from engine.deploy.door import Door
from engine.deploy.meters import meters
from engine.deploy.refusal import RefusedError
from engine.deploy.rows import Rows
from engine.deploy.served import Served
from engine.errors import EngineError
from engine.recipe.spec import CacheSpec
from engine.runs.bundle import load_bundle
from engine.tasks.task import Scores


class Model:
    """Doubles its one column; stands still while `gate` is closed, and keeps what it was asked."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.asked: list[list[object]] = []

    def score(self, rows: Rows) -> Scores:
        """Score rows; one below zero is a fault of all."""
        self.asked.append(list(rows.columns["x"]))
        assert self.gate.wait(timeout=10)
        values = 2 * np.array(self.asked[-1], dtype=np.float64)
        if (values < 0).any():
            raise EngineError.of("below zero")
        return Scores(values, values)


def rows_of(*values: float) -> Rows:
    """Return rows of one column."""
    return Rows(len(values), {"x": list(values)})


def batcher_of(model: Model, **bounds: int) -> Batcher:
    """Return a batcher of a model."""
    return Batcher(model.score, **{"max_rows": 100, "max_requests": 10} | bounds, tell=lambda _: None)  # type: ignore[arg-type]


async def while_busy(batcher: Batcher, model: Model, requests: list[Rows]) -> list[Any]:
    """Return what comes of requests that arrive while the model scores another."""
    model.gate.clear()
    first = asyncio.create_task(batcher.score(rows_of(1)))
    await asyncio.sleep(0.01)
    others = [asyncio.create_task(batcher.score(rows)) for rows in requests]
    await asyncio.sleep(0.01)
    model.gate.set()
    assert (await first).values.tolist() == [2]
    found = await asyncio.gather(*others, return_exceptions=True)
    return [each.values.tolist() if isinstance(each, Scores) else each for each in found]


def test_what_waited_is_the_next_batch() -> None:
    """A request that finds the model idle is scored alone; those that come meanwhile are one batch."""
    model = Model()
    found = asyncio.run(while_busy(batcher_of(model), model, [rows_of(3), rows_of(), rows_of(4, 5)]))
    assert found == [[6], [], [8, 10]]
    assert model.asked == [[1], [3, 4, 5]]


def test_a_fault_is_its_own_requests() -> None:
    """Where a batch can't be scored each of its requests is scored alone, and only the wrong one fails."""
    model = Model()
    found = asyncio.run(while_busy(batcher_of(model), model, [rows_of(3), rows_of(-1), rows_of(4)]))
    assert (found[0], found[2]) == ([6], [8])
    assert isinstance(found[1], EngineError)
    assert model.asked == [[1], [3, -1, 4], [3], [-1], [4]]


@pytest.mark.parametrize("bounds", [{"max_rows": 3}, {"max_requests": 2}])
def test_what_waits_is_bounded(bounds: dict[str, int]) -> None:
    """Beyond the bound of rows or of requests a request is refused at once, with 429."""
    model = Model()
    requests = [rows_of(3, 3), rows_of(4), rows_of(5)]
    found = asyncio.run(while_busy(batcher_of(model, **bounds), model, requests))
    assert found[:2] == [[6, 6], [8]]
    assert isinstance(found[2], RefusedError)
    assert found[2].status == 429


def test_a_batch_is_bounded() -> None:
    """What waits goes into as many batches as its rows need; one large request is a batch of its own."""
    model = Model()
    requests = [rows_of(*[1.0] * (MAX_ROWS - 1)), rows_of(2), rows_of(3), rows_of(*[4.0] * (2 * MAX_ROWS))]
    asyncio.run(while_busy(batcher_of(model, max_rows=10**6), model, requests))
    assert [len(batch) for batch in model.asked] == [1, MAX_ROWS, 1, 2 * MAX_ROWS]


def test_who_gave_up_takes_no_place() -> None:
    """A request that is no longer waited for is not scored."""
    model = Model()
    batcher = batcher_of(model)

    async def leave() -> None:
        model.gate.clear()
        first = asyncio.create_task(batcher.score(rows_of(1)))
        await asyncio.sleep(0.01)
        gone, stays = (asyncio.create_task(batcher.score(rows_of(value))) for value in (2, 3))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        assert (await stays).values.tolist() == [6]
        await first

    asyncio.run(leave())
    assert model.asked == [[1], [3]]


Ask = Callable[[Door, bytes], tuple[int, dict[str, Any]]]


async def post(door: Door, content: object) -> tuple[int, dict[str, Any]]:
    """Post one request through the door."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": json.dumps(content).encode(), "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    await door({"type": "http", "method": "POST", "path": "/predict", "headers": headers}, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


def door_of(served: Served) -> Door:
    """Return a door with nothing behind it."""

    async def nothing(*_: Any) -> None:
        """Answer nothing."""

    return Door(nothing, served=served, meters=meters())


def records_of(frame: Any) -> list[dict[str, object]]:
    """Return the feature columns of a frame as JSON records."""
    return [{**row, "since": row["since"].isoformat()} for row in frame.drop("person").iter_rows(named=True)]


def test_each_gets_its_own(tiny: ModuleType, tmp_path: Path) -> None:
    """Of two hundred requests at once each gets what it would alone, and one that is wrong its own refusal."""
    records = records_of(tiny.tiny_frame(200, seed=9))
    door = door_of(Served(load_bundle(tiny.write_tiny(tmp_path / "bundle", batching="always"))))
    plain = door_of(Served(load_bundle(tiny.write_tiny(tmp_path / "plain", batching="never"))))
    assert (door.served.is_at_once, plain.served.is_at_once) == (False, True)
    requests = [{"records": [record]} for record in records]
    requests[77] = {"records": [records[77] | {"age": 3}]}

    async def ask(door: Door) -> list[tuple[int, dict[str, Any]]]:
        return await asyncio.gather(*(post(door, request) for request in requests))

    batches = REGISTRY.get_sample_value("engine_batch_rows_count") or 0.0
    together, alone = asyncio.run(ask(door)), asyncio.run(ask(plain))
    assert [status for status, _ in together].count(200) == 199
    assert together[77] == alone[77]
    assert together[77][0] == 422
    for (_, given), (_, expected) in zip(together, alone, strict=True):
        for one, other in zip(given.get("predictions", ()), expected.get("predictions", ()), strict=True):
            assert one["prediction"] == other["prediction"]
            assert one["probabilities"] == pytest.approx(other["probabilities"], rel=0, abs=1e-12)
    assert 1 <= (REGISTRY.get_sample_value("engine_batch_rows_count") or 0.0) - batches < 20


def test_a_batch_that_takes_too_long_is_504(
    tiny: ModuleType, tmp_path: Path, record: dict[str, object]
) -> None:
    """Who waits for a model that does not come back is answered in time, and the next one as ever."""
    gate = threading.Event()

    class Stuck(Served):
        def score(self, rows: Rows) -> Scores:
            gate.wait(timeout=10)
            return super().score(rows)

    folder = tiny.write_tiny(tmp_path / "bundle", batching="always", timeout_s=0.1)
    door = door_of(Stuck(load_bundle(folder)))

    async def ask() -> list[int]:
        late = await asyncio.gather(*(post(door, {"records": [record]}) for _ in range(3)))
        gate.set()
        await asyncio.sleep(0.05)
        return [status for status, _ in (*late, await post(door, {"records": [record]}))]

    assert asyncio.run(ask()) == [504, 504, 504, 200]


def test_small_models_are_not_batched(bundle_folder: Path) -> None:
    """A model whose row takes microseconds is scored where the request is read; a slow one is not."""
    bundle = load_bundle(bundle_folder)
    assert not is_slow(bundle)

    class Slow:
        def score_columns(self, *_: object) -> None:
            threading.Event().wait(0.001)

    assert is_slow(replace(bundle, _scorer=Slow()))  # type: ignore[arg-type]


def test_known_rows_are_not_scored_again(tiny: ModuleType, tmp_path: Path) -> None:
    """Rows that come again are answered from the cache, the same to the last digit, and counted."""
    asked: list[int] = []

    class Counting(Served):
        def score(self, rows: Rows) -> Scores:
            asked.append(rows.n)
            return super().score(rows)

    cache = CacheSpec(entries=100, ttl_s=60)
    door = door_of(Counting(load_bundle(tiny.write_tiny(tmp_path / "bundle", cache=cache))))
    records = records_of(tiny.tiny_frame(6, seed=12))

    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("engine_cache_total", {"outcome": outcome}) or 0.0

    before = counted("hit"), counted("miss")

    async def ask() -> list[Any]:
        wanted = [
            records[:3],
            records[:3],
            records[1:6],
            [records[5] | {"age": float(str(records[5]["age"]))}],
        ]
        return [(await post(door, {"records": each}))[1]["predictions"] for each in wanted]

    first, again, partly, _ = asyncio.run(ask())
    assert again == first
    assert partly[:2] == first[1:]
    assert asked == [3, 3]
    assert (counted("hit") - before[0], counted("miss") - before[1]) == (6, 6)


def test_the_cache_is_bounded_and_forgets(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps the rows asked for last, as many as it may, as long as it may, and of its own bundle alone."""
    manifest = load_bundle(bundle_folder).manifest
    now = [0.0]
    monkeypatch.setattr("engine.deploy.cache.monotonic", lambda: now[0])
    model = Model()

    async def fresh(rows: Rows) -> Scores:
        return model.score(rows)

    def ask(cache: Cache, *values: float) -> list[list[object]]:
        """Return what the model was asked for."""
        model.asked.clear()
        scores = asyncio.run(cache.scores(rows_of(*values), fresh))
        assert scores.values.tolist() == scores.decisions.tolist() == [2 * value for value in values]
        return list(model.asked)

    cache = Cache(manifest, entries=3, ttl_s=10, tell=lambda *_: None)
    assert ask(cache, 1, 2, 3) == [[1, 2, 3]]
    assert ask(cache, 1) == []
    assert ask(cache, 4, 1) == [[4]]
    assert len(cache) == 3
    assert ask(cache, 2) == [[2]]
    now[0] = 11.0
    assert ask(cache, 1, 2) == [[1, 2]]
    other = Cache(
        msgspec.structs.replace(manifest, model_version="2"), entries=3, ttl_s=1, tell=lambda *_: None
    )
    other._known = cache._known
    assert ask(other, 2) == [[2]]

"""A canary answers its share, the same keys always, and is out when it fails once."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.deploy.door import Door
from engine.deploy.meters import meters as door_meters
from engine.deploy.observe import Asked, Exchange
from engine.deploy.refusal import RefusedError
from engine.deploy.served import INLINE_BYTES, Served
from engine.errors import BundleError, RecipeError
from engine.operate.canary import Canary, Share, place
from engine.operate.life import Life, canary_of
from engine.operate.meters import meters

CHAMPION, CANDIDATE = "20260101-000000-aaaaaaaa", "20260101-000001-bbbbbbbb"
JSON = {b"content-type": b"application/json"}
Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def candidate(make_served: Callable[..., Served]) -> Served:
    """Give a candidate of the champion's schema."""
    return make_served(CANDIDATE)


def canary_with(candidate: Served, share: Share, told: list[str] | None = None) -> Canary:
    """Return a canary that tells a list."""
    return Canary(candidate, share, meters=meters(), tell=[].append if told is None else told.append)


def asked(content: object, request_id: str = "a", endpoint: str = "predict", path: str = "/predict") -> Asked:
    """Return a request as the door hands it on."""
    return Asked(endpoint, path, JSON, request_id.encode(), json.dumps(content).encode(), True)


def test_a_share_of_ids(champion: Served, candidate: Served, records: Records) -> None:
    """About the share of many ids is the candidate's, and always the same ones."""
    body = {"records": records[:1]}
    chosen = [
        [
            number
            for number in range(1000)
            if canary.candidate_for(asked(body, f"id-{number}"), champion) is candidate
        ]
        for canary in (canary_with(candidate, Share(0.1)) for _ in range(2))
    ]
    assert chosen[0] == chosen[1]
    assert 70 < len(chosen[0]) < 130
    more = canary_with(candidate, Share(0.3))
    # Whoever was the candidate's stays so as the share grows.
    assert all(more.candidate_for(asked(body, f"id-{number}"), champion) for number in chosen[0])


def test_a_key_has_one_answerer(champion: Served, candidate: Served, records: Records) -> None:
    """By a column, be it an id, requests of one value go one way; those of several or none to the champion."""
    for key in ("person", "age"):
        canary = canary_with(candidate, Share(0.5, key))
        for record in records:
            expected = candidate if place(str(record[key]).encode()) < 0.5 else None
            for request_id in "abc":
                assert (
                    canary.candidate_for(asked({"records": [record] * 2}, request_id), champion) is expected
                )
                columns = {name: [cell] for name, cell in record.items()}
                assert canary.candidate_for(asked({"columns": columns}, request_id), champion) is expected
        everyone = canary_with(candidate, Share(1.0, key))
        assert everyone.candidate_for(asked({"records": records}), champion) is None
        assert everyone.candidate_for(asked({"records": "no"}), champion) is None
    without = {name: cell for name, cell in records[0].items() if name != "person"}
    assert (
        canary_with(candidate, Share(1.0, "person")).candidate_for(asked({"records": [without]}), champion)
        is None
    )


def test_what_a_request_names(champion: Served, candidate: Served) -> None:
    """A request of the open protocol is the champion's where it names its version, or it alone has that name."""
    path = f"/v2/models/tiny_income/versions/{CHAMPION}/infer"
    canary = canary_with(candidate, Share(1.0))
    assert canary.candidate_for(asked({}, "a", "infer", path), champion) is None
    bare = asked({}, "a", "infer", "/v2/models/tiny_income/infer")
    assert canary.candidate_for(bare, champion) is candidate
    manifest = msgspec.structs.replace(candidate.bundle.manifest, name="Other")
    other = Served(replace(candidate.bundle, manifest=manifest))
    assert canary_with(other, Share(1.0)).candidate_for(bare, champion) is None
    assert canary_with(other, Share(1.0)).candidate_for(asked({}), champion) is other


def test_a_new_champion(
    champion: Served,
    candidate: Served,
    make_served: Callable[..., Served],
    with_rules: Callable[..., Served],
) -> None:
    """A canary stays beside a champion that takes the same, and is out beside itself and one that takes more."""
    body = asked({"records": []})
    wider = make_served("20260101-000002-cccccccc")
    wider = with_rules(wider, "sex", values=None)
    for other, words in (
        (make_served("20260101-000003-dddddddd"), None),
        (make_served(CANDIDATE), "it is the champion now"),
        (wider, "'sex' has another rule values"),
    ):
        told: list[str] = []
        canary = canary_with(candidate, Share(1.0), told)
        assert canary.candidate_for(body, champion) is candidate
        assert canary.candidate_for(body, other) is (candidate if words is None else None)
        assert canary.candidate_for(body, champion) is (candidate if words is None else None)
        assert told == [] if words is None else words in told[0]


class Broken(Served):
    """A bundle whose model fails."""

    def score(self, rows: Any) -> Any:
        """Fail."""
        raise ArithmeticError(rows.n)


class Seen:
    """Keeps what an observer sees."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def saw(self, exchange: Exchange) -> None:
        """Keep how it was answered."""
        self.statuses.append(exchange.status)

    def close(self) -> None:
        """Do nothing."""


def request_of(body: bytes, sent: list[Any]) -> tuple[dict[str, Any], Any, Any]:
    """Return what a door is called with; what it sends is appended to `sent`."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    return {"type": "http", "path": "/predict", "method": "POST", "headers": headers}, receive, send


def post(door: Door, body: bytes) -> tuple[int, dict[bytes, bytes], dict[str, Any]]:
    """Return the status, the headers and the body of one request to a door."""
    sent: list[Any] = []
    asyncio.run(door(*request_of(body, sent)))
    return sent[0]["status"], dict(sent[0]["headers"]), json.loads(sent[1]["body"])


@pytest.fixture
def door(champion: Served) -> Iterator[Door]:
    """Give a door of the champion."""

    async def nothing(*_: object) -> None:
        raise AssertionError

    door = Door(nothing, served=champion, meters=door_meters())
    yield door
    if door.observer is not None:
        door.observer.close()


def test_an_answer_says_whose_it_is(door: Door, candidate: Served, records: Records) -> None:
    """The candidate's answers bear its version, in the body and in the header."""
    Life(tell=print, canary=candidate.bundle, share=Share(1.0)).begin(door)
    status, headers, body = post(door, json.dumps({"records": records[:2]}).encode())
    assert (status, headers[b"x-model-version"], body["model_version"]) == (
        200,
        CANDIDATE.encode(),
        CANDIDATE,
    )
    assert len(body["predictions"]) == 2


@pytest.mark.parametrize("kind", ["fails", "refuses"])
def test_one_failure_and_it_is_out(
    door: Door,
    candidate: Served,
    records: Records,
    with_rules: Callable[..., Served],
    kind: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The champion answers the request that a candidate fails, or refuses alone, and all that come after."""
    from prometheus_client import REGISTRY

    told: list[str] = []
    served: Served = Broken(candidate.bundle)
    if kind == "refuses":
        served = with_rules(candidate, "age", min=99)
    canary = canary_with(served, Share(1.0), told)
    canary._champion = door.served  # It was judged by then; what it does on rows is what counts.
    door.canary, door.observer = canary, canary
    body = json.dumps({"records": records[:1]}).encode()
    with caplog.at_level(logging.ERROR, "engine.serve"):
        answers = [post(door, body) for _ in range(2)]
    assert [(status, content["model_version"]) for status, _, content in answers] == [(200, CHAMPION)] * 2
    assert len(told) == 1
    assert f"canary {CANDIDATE} is out: it gave no answer where the champion did: " in told[0]
    assert ("ArithmeticError(1)" if kind == "fails" else "records[0].age") in told[0]
    assert "is out" in caplog.text
    assert REGISTRY.get_sample_value("engine_canary_in", {"model_version": CANDIDATE}) == 0


def test_what_the_champion_refuses_is_no_failure(door: Door, candidate: Served) -> None:
    """A request that is wrong is refused once, and the candidate stays."""
    told: list[str] = []
    door.canary = canary_with(candidate, Share(1.0), told)
    door.observer = door.canary
    status, _, body = post(door, b'{"records": [{}]}')
    assert (status, told) == (422, [])
    assert body["error"]["messages"]
    assert door.canary.candidate_for(asked({"records": []}), door.served) is candidate


def test_what_both_refuse_is_let_go(door: Door, candidate: Served) -> None:
    """A request that is wrong is held by nothing once it is answered, not even until the next collection."""
    door.canary = door.observer = canary_with(candidate, Share(1.0))
    gc.collect()
    gc.disable()
    try:
        assert post(door, b'{"records": [{}]}')[0] == 422
        held = [each for each in gc.get_objects() if type(each) is RefusedError]
    finally:
        gc.enable()
    assert held == []


def test_out_in_one_process_is_out_in_all(
    champion: Served, candidate: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one worker took out is out in another once it looks, and in one that begins; one tells of it."""
    told: list[str] = []

    def worker() -> Canary:
        return Canary(candidate, Share(1.0), meters=meters(), tell=told.append, out=tmp_path / "out")

    first, second = worker(), worker()
    body = asked({"records": []})
    assert [each.candidate_for(body, champion) for each in (first, second)] == [candidate] * 2
    first.failed(candidate, ArithmeticError())
    # It looked within this second.
    assert second.candidate_for(body, champion) is candidate
    monkeypatch.setattr("engine.operate.canary._LOOK_S", 0.0)
    assert [each.candidate_for(body, champion) for each in (first, second, worker())] == [None] * 3
    assert len(told) == 1


def test_choosing_is_within_the_limits(make_served: Callable[..., Served], candidate: Served) -> None:
    """A large request that is chosen for counts among those at work, and is late when it takes too long."""
    n_chosen = 0

    class Slow(Canary):
        def candidate_for(self, asked: Asked, champion: Served) -> Served | None:
            nonlocal n_chosen
            n_chosen += 1
            time.sleep(0.5)
            return super().candidate_for(asked, champion)

    async def nothing(*_: object) -> None:
        raise AssertionError

    served = make_served(max_concurrent=1, timeout_s=0.1)
    door = Door(nothing, served=served, meters=door_meters())
    door.canary = Slow(candidate, Share(1.0), meters=meters(), tell=print)
    door.observer = seen = Seen()
    body = b" " * (INLINE_BYTES + 1)

    async def two() -> list[int]:
        sent: list[list[Any]] = [[], []]
        await asyncio.gather(*(door(*request_of(body, each)) for each in sent))
        return [each[0]["status"] for each in sent]

    assert asyncio.run(two()) == [504, 429]
    assert (n_chosen, sorted(seen.statuses)) == (1, [429, 504])


def test_who_may_be_a_canary(champion: Served, tiny: Any, tmp_path: Path) -> None:
    """A candidate that would refuse what is right, or a key that no request has, is refused before it begins."""
    narrower = tiny.write_tiny(tmp_path / "other", model_version=CANDIDATE, task="regression")
    with pytest.raises(BundleError, match="is of another kind"):
        canary_of(narrower, champion.bundle, Share(0.1))
    good = tiny.write_tiny(tmp_path / "good", model_version=CANDIDATE)
    assert canary_of(good, champion.bundle, Share(0.1, "person")).model_version == CANDIDATE
    with pytest.raises(RecipeError, match="'persn' is no column that a request has") as refused:
        canary_of(good, champion.bundle, Share(0.1, "persn"))
    assert refused.value.messages[0].suggestion == "person"

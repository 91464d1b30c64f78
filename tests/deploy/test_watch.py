"""The watch for another bundle goes on whatever it meets, and tells of each trouble once."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from engine.deploy import watch
from engine.deploy.door import Asgi, Door
from engine.deploy.meters import meters
from engine.deploy.served import Served
from engine.durable import append_journal
from engine.runs.bundle import load_bundle
from engine.runs.manifest import write_manifest
from engine.runs.run import find_run

GOOD, NEXT = "20260101-000000-aaaaaaaa", "20260101-000001-bbbbbbbb"
BROKEN = "20260101-000002-cccccccc"
Step = Callable[[], None]
Find = Callable[[], Path]


@pytest.fixture
def runs(tiny: ModuleType, tmp_path: Path) -> Path:
    """Give a folder with two runs of the name `tiny`, the first promoted."""
    for run in (GOOD, NEXT):
        (tmp_path / "tiny" / run).mkdir(parents=True)
        tiny.write_tiny(tmp_path / "tiny" / run / "bundle", model_version=run)
        (tmp_path / "tiny" / run / "facts.json").write_text("{}")
    promote(tmp_path, GOOD)
    return tmp_path


def promote(runs: Path, run: str) -> None:
    """Write that a run is the champion."""
    append_journal(runs / "tiny" / "champions.jsonl", {"run": run})


def champion_of(runs: Path) -> Find:
    """Return what finds the champion's bundle, as the command does."""
    return lambda: find_run("tiny@champion", root=runs).path / "bundle"


def watched(find: Find, *steps: Step, monkeypatch: pytest.MonkeyPatch) -> tuple[str, list[str]]:
    """Watch while each step is done and then looked at some times; return who serves, and what was told."""
    monkeypatch.setattr(watch, "PERIOD_S", 0.01)
    told: list[str] = []

    async def beyond(*_: object) -> None:
        raise AssertionError

    async def go() -> str:
        n_looks = 0

        def look() -> Path:
            nonlocal n_looks
            n_looks += 1
            return find()

        app: Asgi = beyond
        door = Door(app, served=Served(load_bundle(find())), meters=meters())
        watching = asyncio.create_task(
            watch.Watcher(door, find=look, tell=told.append, meters=meters()).watch()
        )
        for step in steps:
            step()
            before = n_looks
            while n_looks < before + 5:
                assert not watching.done(), watching.exception()
                await asyncio.sleep(0.01)
        watching.cancel()
        return door.served.bundle.model_version

    return asyncio.run(asyncio.wait_for(go(), 20)), told


@pytest.mark.parametrize("line", ['{"why": "no run"}', '["a list"]', "no JSON"])
def test_a_damaged_journal_ends_no_watch(runs: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """A line that names nobody is told once; the bundle serves on, and the next champion takes over."""
    journal = runs / "tiny" / "champions.jsonl"

    def damage() -> None:
        with journal.open("a") as file:
            file.write(line + "\n")

    serves, told = watched(champion_of(runs), damage, lambda: promote_after(journal), monkeypatch=monkeypatch)
    assert serves == NEXT
    assert len(told) == 2
    assert told[0].startswith(f"stays with {GOOD}: ")
    assert told[1] == f"serves {NEXT}"


def promote_after(journal: Path) -> None:
    """Mend the journal by hand, as an operator would, and promote the next run."""
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:1]))
    append_journal(journal, {"run": NEXT})


def test_what_passes_is_tried_again(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that can't be opened for a moment, as no descriptor is left, takes over in the next."""
    champion = [runs / "tiny" / GOOD / "bundle"]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)

    def exhaust() -> None:
        # Not 0: `poll` refuses more descriptors than the limit, which ends servers of other tests' threads.
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        champion.append(runs / "tiny" / NEXT / "bundle")

    def recover() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    try:
        serves, told = watched(lambda: champion[-1], exhaust, recover, monkeypatch=monkeypatch)
    finally:
        recover()
    assert serves == NEXT
    assert len(told) == 2
    assert "Too many open files" in told[0]


def test_a_bundle_that_fails_to_load_is_tried_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a bundle raises as it is loaded, it is refused, told once, and the next one takes over."""
    folder = runs / "tiny" / NEXT / "bundle"
    journal = runs / "tiny" / "champions.jsonl"
    broken = runs / "tiny" / BROKEN
    shutil.copytree(folder, broken / "bundle")
    (broken / "facts.json").write_text("{}")
    (broken / "bundle" / "model.onnx").write_bytes(b"no graph")
    (broken / "bundle" / "manifest.json").unlink()
    told_of = json.loads((folder / "manifest.json").read_text())
    write_manifest(
        broken / "bundle",
        **{
            key: told_of[key]
            for key in ("name", "model_version", "engine_version", "recipe_sha256", "passed")
        },
    )

    def steps(run: str) -> Step:
        return lambda: append_journal(journal, {"run": run})

    serves, told = watched(champion_of(runs), steps(BROKEN), steps(NEXT), monkeypatch=monkeypatch)
    assert serves == NEXT
    assert len(told) == 2
    assert told[0].startswith(f"stays with {GOOD}: ")

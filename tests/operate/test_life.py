"""All of it beside a real service: what is kept of requests, and who answers them, until SIGTERM."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pytest

from engine.cli import main
from engine.durable import append_journal
from engine.operate.canary import place
from engine.operate.report import compare
from tests.started import started

CHAMPION, CANDIDATE = "20260101-000000-aaaaaaaa", "20260101-000001-bbbbbbbb"
MISSED = "20260101-000002-cccccccc"


@pytest.fixture(scope="module")
def runs(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with a champion, a candidate, and a run whose gates were missed."""
    root = tmp_path_factory.mktemp("runs")
    for run, missed in ((CHAMPION, ()), (CANDIDATE, ()), (MISSED, ("roc_auc",))):
        (root / "tiny" / run).mkdir(parents=True)
        tiny.write_tiny(root / "tiny" / run / "bundle", model_version=run, missed=missed)
        (root / "tiny" / run / "facts.json").write_text("{}")
        (root / "tiny" / run / "recipe.json").write_text('{"deploy": {"kind": "bento"}}')
    promote(root, CHAMPION)
    return root


def promote(runs: Path, run: str) -> None:
    """Write that a run is the champion."""
    line = {"run": run, "before": None, "who": "a", "why": "b", "when": "c", "back": False}
    append_journal(runs / "tiny" / "champions.jsonl", line)


@contextmanager
def serving(runs: Path, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Serve the champion by the command."""
    command = [sys.executable, "-m", "engine", "serve", "tiny@champion", "--port", "0", "--runs", str(runs)]
    with started([*command, *more]) as found:
        yield found


def ask(port: int, records: list[dict[str, Any]]) -> Counter[tuple[int, str]]:
    """Ask for one record after the other, each by its own id; return who answered which."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    seen: Counter[tuple[int, str]] = Counter()
    for record in records:
        headers = {"content-type": "application/json", "x-request-id": f"of-{record['person']}"}
        connection.request("POST", "/predict", json.dumps({"records": [record]}), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
        assert answer.status == 200, content
        seen[record["person"], content["model_version"]] += 1
    connection.close()
    return seen


def metrics(port: int) -> str:
    """Return what Prometheus would read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    told = connection.getresponse().read().decode()
    connection.close()
    return told


@pytest.mark.slow
def test_a_life(runs: Path, tiny: ModuleType, tmp_path: Path) -> None:
    """Keys keep their answerers, the log has every request, the shadow the champion's; the swap ends both."""
    frame = tiny.tiny_frame(40, seed=5)
    records = json.loads(frame.write_json())
    log = tmp_path / "log"
    options = ("--log", str(log), "--shadow", CANDIDATE, "--canary", CANDIDATE, "--share", "0.5")
    with serving(runs, "--watch", *options, "--key", "person") as (process, port):
        first, again = ask(port, records), ask(port, records)
        told = metrics(port)
        promote(runs, CANDIDATE)
        assert process.stderr is not None
        assert process.stderr.readline() == f"serves {CANDIDATE}\n"
        after = ask(port, records)
        process.terminate()
        assert process.wait(timeout=30) == 0
        errors = process.stderr.read()
    assert first == again
    sides = {person: CANDIDATE if place(str(person).encode()) < 0.5 else CHAMPION for person in range(40)}
    assert dict(list(first)) == sides
    assert {version for _, version in after} == {CANDIDATE}
    assert "it is the champion now" in errors
    n_champion = sum(version == CHAMPION for version in sides.values())
    assert 10 < n_champion < 30
    answered = (
        f'engine_canary_answers_total{{model_version="{CHAMPION}",outcome="answered"}} {2 * n_champion}.0'
    )
    assert answered in told
    kept = {
        version: pl.read_parquet(log / "answers" / version / "*.parquet") for version in (CHAMPION, CANDIDATE)
    }
    assert kept[CHAMPION].height == 2 * n_champion
    assert kept[CANDIDATE].height == 120 - 2 * n_champion
    # What is sensitive is in no file.
    assert all(b"Female" not in file.read_bytes() for file in log.rglob("*.parquet"))
    (found,) = compare(log)
    assert (found.n_rows, found.n_other, list(found.faults)) == (2 * n_champion, 0, [])
    assert not [file for file in log.rglob("*") if file.is_file() and file.suffix != ".parquet"]


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (
            ["--shadow", MISSED],
            4,
            f"the gates of {MISSED} were missed (roc_auc): it can't be packaged or served",
        ),
        (["--canary", CHAMPION], 2, "this is the champion itself"),
        (["--canary", "nobody"], 2, "there is no run 'nobody' in "),
        (["--share", "0.5"], 2, "this says which requests a canary answers, and there is none"),
        (["--canary", CANDIDATE, "--share", "5%"], 2, "'5%' is not a share: a number above 0 and at most 1"),
        (["--canary", CANDIDATE, "--key", "sexx"], 2, "'sexx' is no column that a request has"),
        (["--log", f"runs/tiny/{CHAMPION}/bundle"], 2, "a run or a bundle, which is never written to"),
        (["--log", "file"], 2, "can't be written to: File exists"),
    ],
)
def test_what_is_refused(
    runs: Path,
    options: list[str],
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What can't go on beside a service is told before the service begins, and leaves nothing behind."""
    monkeypatch.chdir(runs.parent)
    options = [option.replace("runs/", f"{runs.name}/", 1) for option in options]
    (runs.parent / "file").write_text("")
    before = sorted(runs.rglob("*"))
    assert main(["serve", CHAMPION, "--port", "0", "--runs", str(runs), *options]) == code
    said = capsys.readouterr()
    assert (said.out, words in said.err) == ("", True), said.err
    assert sorted(runs.rglob("*")) == before

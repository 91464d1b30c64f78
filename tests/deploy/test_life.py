"""A service that follows its champion, and one that is ended while it is asked."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from engine.data.schema import Schema
from engine.deploy.watch import what_narrows
from engine.durable import append_journal
from engine.runs.bundle import load_bundle
from engine.tasks.task import Target
from tests.started import started


class Asker(threading.Thread):
    """Asks again and again until told to stop; in the moments between, whoever is asked can do something else."""

    def __init__(self, port: int, body: bytes) -> None:
        super().__init__()
        self.port = port
        self.body = body
        self.is_ending = False
        self.seen: Counter[tuple[int, str]] = Counter()
        self.broken = 0

    def run(self) -> None:
        """Ask; a connection that is closed between two requests is opened again, as clients do."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        while not self.is_ending:
            try:
                connection.request("POST", "/predict", self.body, {"content-type": "application/json"})
                answer = connection.getresponse()
                content = json.loads(answer.read())
                self.seen[answer.status, str(content.get("model_version"))] += 1
                if answer.status == 503:
                    self.is_ending = True
            except ConnectionRefusedError:
                self.is_ending = True
            except (OSError, http.client.HTTPException):
                self.broken += 1
                connection.close()
                if self.broken > 3:
                    self.is_ending = True
            time.sleep(0.002)
        connection.close()


@contextmanager
def asked(port: int, body: bytes, *, n_clients: int) -> Iterator[list[Asker]]:
    """Ask from several threads while the block lasts."""
    askers = [Asker(port, body) for _ in range(n_clients)]
    for asker in askers:
        asker.start()
    try:
        yield askers
    finally:
        for asker in askers:
            asker.is_ending = True
        for asker in askers:
            asker.join(timeout=30)


@contextmanager
def following(runs: Path) -> Iterator[tuple[subprocess.Popen[str], int, list[str]]]:
    """Serve the champion of `tiny` by the command; yield the process, its port, and what it tells."""
    command = [sys.executable, "-m", "engine", "serve", "--watch", "tiny@champion", "--port", "0"]
    told: list[str] = []
    with started([*command, "--runs", str(runs)]) as (process, port):
        assert process.stderr is not None
        errors = process.stderr
        listener = threading.Thread(target=lambda: told.extend(iter(errors.readline, "")))
        listener.start()
        try:
            yield process, port, told
        finally:
            process.kill()
            process.wait(timeout=20)
            listener.join(timeout=10)


def wait_for(told: list[str], words: str, *, before: int) -> None:
    """Return when something new that was told holds the words."""
    deadline = time.monotonic() + 20
    while not any(words in line for line in told[before:]):
        if time.monotonic() > deadline:
            pytest.fail(f"nothing was told of '{words}': {told}")
        time.sleep(0.02)


@pytest.mark.slow
def test_swaps_and_an_end_lose_no_request(
    tiny: ModuleType, tmp_path: Path, record: dict[str, object]
) -> None:
    """Under load, good champions take over, bad ones never do, and SIGTERM ends it: no request is lost."""
    folder = tmp_path / "runs" / "tiny"
    kinds: dict[str, dict[str, Any]] = {
        "20260101-000000-aaaaaaaa": {},
        "20260101-000001-bbbbbbbb": {"max_concurrent": 32},
        "20260101-000002-cccccccc": {"task": "regression"},
        "20260101-000003-dddddddd": {"missed": ("roc_auc",)},
        "20260101-000004-eeeeeeee": {},
    }
    for run, options in kinds.items():
        (folder / run).mkdir(parents=True)
        tiny.write_tiny(folder / run / "bundle", model_version=run, **options)
        (folder / run / "facts.json").write_text("{}")
        (folder / run / "recipe.json").write_text('{"deploy": {"kind": "bento"}}')
    one, two, other, missed, changed = kinds
    model = folder / changed / "bundle" / "model.onnx"
    model.write_bytes(bytes(64) + model.read_bytes()[64:])

    def name(run: str) -> None:
        """Name a champion as no command would."""
        line = {"run": run, "before": None, "who": "a", "why": "b", "when": "c", "back": False}
        append_journal(folder / "champions.jsonl", line)

    name(one)
    body = json.dumps({"records": [record]}).encode()
    with following(tmp_path / "runs") as (process, port, told), asked(port, body, n_clients=4) as askers:
        for run, words in [
            (two, f"serves {two}"),
            (other, "is of another kind or has other classes"),
            (missed, "were missed (roc_auc)"),
            (changed, "SHA-256 is not the one in the manifest"),
            ("gone", "the champion gone is no longer there"),
            (one, f"serves {one}"),
            (two, f"serves {two}"),
        ]:
            n_told = len(told)
            name(run)
            wait_for(told, words, before=n_told)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
    seen = sum((asker.seen for asker in askers), Counter())
    assert {key for key, n in seen.items() if n} <= {(200, one), (200, two), (503, "None")}
    assert min(seen[200, one], seen[200, two]) > 10
    assert sum(asker.broken for asker in askers) == 0


def test_what_a_bundle_may_not_take_away(bundle_folder: Path) -> None:
    """A column that takes less than before, or is new, narrows; one that takes more doesn't."""
    before = load_bundle(bundle_folder)

    def narrowed(name: str, /, **rules: Any) -> str:
        return what_narrows(before, replace(before, schema=_with(before.schema, name, **rules)))

    assert what_narrows(before, before) == ""
    assert narrowed("age", min=18) == "'age' has another rule min"
    assert narrowed("age", min=16, max=None) == ""
    assert narrowed("hours", nullable=False) == "'hours' has another rule nullable"
    assert narrowed("member", nullable=True) == ""
    assert narrowed("sex", values=("Female",)) == "'sex' has another rule values"
    assert narrowed("sex", values=("Female", "Male", "Other")) == ""
    assert narrowed("job", pattern="[a-z]+") == "'job' has another rule pattern"
    assert narrowed("job", storage="int64") == "'job' has another type"
    assert narrowed("note", role="feature") == "'note' is a new column"
    assert narrowed("job", name="jobs") == "'jobs' is a new column"
    assert narrowed("hours", role="ignore") == ""
    # Rows may be named, and the name is then judged.
    assert narrowed("person", min=1) == "'person' has another rule min"
    assert narrowed("person", role="ignore") == ""
    assert narrowed("note", role="id") == "'note' was left out, and is judged now"
    dated = replace(before, schema=_with(before.schema, "since", format="%d.%m.%Y"))
    assert what_narrows(before, dated) == ""
    assert what_narrows(dated, before) == "'since' has another format"
    # What is left out may stand in a request too.
    for name in ("job", "note"):
        fewer = tuple(column for column in before.schema.columns if column.name != name)
        without = replace(before, schema=replace(before.schema, columns=fewer))
        assert what_narrows(before, without) == f"'{name}' is no longer known"
    other = replace(before, target=Target("income", "binary", ("no", "yes")))
    assert what_narrows(before, other) == "the target 'income' is of another kind or has other classes"


def test_what_a_bundle_may_not_read_otherwise(bundle_folder: Path) -> None:
    """A text that means null from now on, or no longer, narrows where the column took it and takes it no more."""
    before = load_bundle(bundle_folder)

    def read(null_values: tuple[str, ...], /, **rules: Any) -> str:
        schema, data = _with(before.schema, "job", **rules), before.data
        now = data.model_copy(update={"null_values": null_values})
        return what_narrows(replace(before, schema=schema), replace(before, schema=schema, data=now))

    assert read(("", "?", "none")) == ""
    assert read(("", "?", "none"), nullable=False) == "'job' no longer takes the text 'none'"
    assert read(("", "?", "none"), nullable=False, values=("clerk",)) == ""
    assert read(("",)) == ""
    assert read(("",), values=("clerk",)) == "'job' no longer takes the text '?'"


def _with(schema: Schema, name: str, /, **rules: Any) -> Schema:
    columns = (replace(column, **rules) if column.name == name else column for column in schema.columns)
    return replace(schema, columns=tuple(columns))


def test_what_a_bundle_may_not_let_in_less_of(bundle_folder: Path) -> None:
    """Smaller limits narrow, larger ones don't; and a bundle that can tell why gives way to none that can't."""
    before = load_bundle(bundle_folder)

    def limited(**limits: float) -> str:
        return what_narrows(before, replace(before, limits=msgspec.structs.replace(before.limits, **limits)))

    assert limited(max_records=500) == "max_records is 500, and was 1000"
    assert limited(max_body_mib=0.5) == "max_body_mib is 0.5, and was 1"
    assert limited(timeout_s=1.5) == "timeout_s is 1.5, and was 2"
    assert limited(max_records=2000, max_body_mib=2.0, timeout_s=3.0, max_concurrent=1) == ""
    files = before.manifest.files
    kept = {**files, "margin.parquet": files["model.onnx"]}
    explained = replace(before, manifest=msgspec.structs.replace(before.manifest, files=kept))
    assert what_narrows(explained, before) == "?explain=true is no longer answered"
    assert what_narrows(before, explained) == what_narrows(explained, explained) == ""

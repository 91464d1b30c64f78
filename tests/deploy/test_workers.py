"""Several processes behind one socket: what is lost is replaced, and nobody else notices."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import psutil
import pytest

from engine.cli import main
from tests.started import REPOSITORY, begin

# A supervisor whose workers answer nothing, but live as a real one's do.
SUPERVISE = """
import sys
from engine.deploy import workers
from engine.deploy.listen import listen
workers.HUNG_S = 0.5
say = lambda words: print(words, flush=True)
with listen("127.0.0.1", 0) as listening:
    supervisor = workers.Supervisor([sys.executable, "-c", sys.argv[1]], listening, 2, say)
    sys.exit(supervisor.run(lambda: say("ready")))
"""
WORKER = """
import signal, sys, time
from engine.deploy.workers import post
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    post().beat()
    time.sleep(0.05)
"""


@contextmanager
def told_by(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], Callable[[str, int], None]]]:
    """Run a supervisor; give its process, and what waits until so many lines of it hold some words."""
    process = begin(command, errors=subprocess.STDOUT)
    assert process.stdout is not None
    lines: list[str] = []
    output = process.stdout
    listener = threading.Thread(target=lambda: lines.extend(iter(output.readline, "")))
    listener.start()

    def wait(words: str, n: int) -> None:
        deadline = time.monotonic() + 30
        while sum(words in line for line in lines) < n:
            if time.monotonic() > deadline or (process.poll() is not None and not listener.is_alive()):
                pytest.fail(f"'{words}' was not told {n} times: {lines}")
            time.sleep(0.02)

    process.lines = lines  # type: ignore[attr-defined]
    try:
        yield process, wait
    finally:
        workers = psutil.Process(process.pid).children() if process.poll() is None else []
        for each in [*workers, process]:
            each.kill()
        process.wait(timeout=20)
        listener.join(timeout=20)
        output.close()


def test_the_lost_are_replaced_and_the_end_is_clean() -> None:
    """A worker that is killed, and one that stands still, are replaced; SIGTERM ends all with exit code 0."""
    with told_by([sys.executable, "-c", SUPERVISE, WORKER]) as (process, wait):
        wait("answers", 2)
        first, second = psutil.Process(process.pid).children()
        first.kill()
        wait(f"worker {first.pid} was ended by signal 9; another takes its place", 1)
        wait("answers", 3)
        second.suspend()
        wait(f"worker {second.pid} hangs: no sign of it for 0.5 s; another takes its place", 1)
        wait("answers", 4)
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0
        assert not any(each.is_running() for each in workers)


@pytest.mark.parametrize(("worker", "code"), [("raise SystemExit(4)", 4), ("import os; os.abort()", 1)])
def test_what_can_not_begin_is_not_begun_again(worker: str, code: int) -> None:
    """Where the first worker does not begin the supervisor ends as it did, and was never ready."""
    ended = subprocess.run(
        [sys.executable, "-c", SUPERVISE, worker], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (code, "")


class Asker(threading.Thread):
    """Asks on one connection after the other until told to stop, and counts what came of it.

    Between two it waits for a moment: who asks is not to take the cores from who is being replaced.
    """

    def __init__(self, port: int, body: bytes) -> None:
        super().__init__()
        self.port, self.body, self.is_ending = port, body, False
        self.n_answered = self.n_broken = 0

    def run(self) -> None:
        """Ask; an answer other than 200 counts as broken."""
        while not self.is_ending:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                connection.request("POST", "/predict", self.body, {"content-type": "application/json"})
                is_right = connection.getresponse().status == 200
                self.n_answered += is_right
                self.n_broken += not is_right
            except (OSError, http.client.HTTPException):
                self.n_broken += 1
            finally:
                connection.close()
            time.sleep(0.01)


@pytest.mark.slow
def test_others_answer_while_one_is_replaced(
    tiny: ModuleType, tmp_path: Path, record: dict[str, object]
) -> None:
    """Under load a worker is killed: what was not in it is answered. Without a supervisor workers end."""
    run = tmp_path / "runs" / "tiny" / "20260101-000000-aaaaaaaa"
    run.mkdir(parents=True)
    tiny.write_tiny(run / "bundle")
    (run / "facts.json").write_text("{}")
    (run / "recipe.json").write_text('{"deploy": {"kind": "bento"}}')
    command = [sys.executable, "-m", "engine", "serve", str(run), "--workers", "2", "--port", "0"]
    with told_by(command) as (process, wait):
        wait("answers", 2)
        lines: list[str] = process.lines  # type: ignore[attr-defined]
        (url,) = [line.strip() for line in lines if line.startswith("http")]
        body = json.dumps({"records": [record]}).encode()
        askers = [Asker(int(url.rpartition(":")[2]), body) for _ in range(4)]
        for asker in askers:
            asker.start()
        try:
            time.sleep(0.3)
            psutil.Process(process.pid).children()[0].kill()
            wait("was ended by signal 9; another takes its place", 1)
            wait("answers", 3)
            before = [asker.n_answered for asker in askers]
            time.sleep(0.3)
        finally:
            for asker in askers:
                asker.is_ending = True
            for asker in askers:
                asker.join(timeout=30)
        assert sum(asker.n_broken for asker in askers) <= len(askers)
        assert all(asker.n_answered > n for asker, n in zip(askers, before, strict=True))
        workers = psutil.Process(process.pid).children()
        assert len(workers) == 2
        process.kill()
        _, left = psutil.wait_procs(workers, timeout=20)
        for each in left:
            each.kill()
        assert left == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--workers", "0"],
            "command line: --workers\n  '0' is not a number of processes: a whole number from 1 to 256\n",
        ),
        (
            ["--workers", "2", "--grpc-port", "0"],
            "command line: --grpc-port\n  each process would choose a port of its own\n"
            "  try: --grpc-port 3001\n",
        ),
    ],
)
def test_what_can_not_be_asked_of_workers(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A number that is none, and a port that each would choose for itself, are mistakes of the command line."""
    (tmp_path / "facts.json").write_text("{}")
    assert main(["serve", str(tmp_path), *options]) == 2
    assert capsys.readouterr().err == words


def test_a_worker_imports_nothing_from_where_it_is_begun(tmp_path: Path) -> None:
    """An `engine.py` in the working directory is not run: the worker ends as a service without a bundle does."""
    (tmp_path / "facts.json").write_text("{}")
    (tmp_path / "recipe.json").write_text('{"deploy": {"kind": "bento"}}')
    (tmp_path / "engine.py").write_text("raise SystemExit(77)")
    ended = subprocess.run(
        [sys.executable, "-P", "-m", "engine", "serve", str(tmp_path), "--workers", "2", "--port", "0"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "there is no bundle here" in ended.stderr

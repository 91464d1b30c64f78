"""What goes wrong with a service, at full size: hostile bodies, slow clients, lost workers, bad bundles.

Every case asks real processes on loopback and prints what it saw: PASS where answers were bounded, no good
request was lost and memory stayed. The suite keeps a small one of each. `python faults.py NAME …` runs some.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import psutil
from batch import make_table
from serving import HERE, PYTHON, bodies, make_bundle

from engine.durable import append_journal
from engine.errors import BundleError
from engine.runs.bundle import load_bundle
from engine.runs.manifest import Manifest, write_manifest

NAME = "adult"
HEADERS = {"content-type": "application/json"}
# What memory may grow by while nothing of a fault is left: allocators keep some of what they were given.
GROWTH_MIB = 64
BATCH_ROWS = 1_000_000
# What a request may take while champions change.
SLOW_S = 1.0
HEAD = (
    b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 90000\r\n\r\n{"
)


@dataclass(frozen=True)
class Place:
    """What the cases have: a run that serves, a body of one good row, and a folder of their own."""

    run: Path
    good: bytes
    folder: Path

    @property
    def bundle(self) -> Path:
        """Return the bundle of the run."""
        return self.run / "bundle"


@dataclass
class Service:
    """A running `engine serve`, and what it told so far."""

    process: subprocess.Popen[str]
    told: list[str]
    port: int = 0

    def ask(self, body: bytes, *, timeout: float = 60, **headers: str) -> tuple[int, bytes]:
        """Return the status and the body of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("POST", "/predict", body, HEADERS | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that answer."""
        return psutil.Process(self.process.pid).children() or [psutil.Process(self.process.pid)]

    def mib(self) -> float:
        """Return the resident memory of the processes that answer."""
        return sum(worker.memory_info().rss for worker in self.workers()) / 2**20

    def wait(self, words: str, *, n: int = 1, seconds: float = 60) -> float:
        """Return after how many seconds something was told for the n-th time."""
        started = time.monotonic()
        while sum(words in line for line in self.told) < n:
            if time.monotonic() > started + seconds:
                raise AssertionError(f"'{words}' was not told {n} times: {self.told[-5:]}")
            time.sleep(0.02)
        return time.monotonic() - started


@contextmanager
def serving(*options: str) -> Iterator[Service]:
    """Run `engine serve` until the block is left."""
    command = [PYTHON, "-m", "engine", "serve", *options, "--port", "0"]
    process = subprocess.Popen(
        command,
        cwd=HERE.parent,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    service = Service(process, [])
    output = process.stdout
    listener = threading.Thread(target=lambda: service.told.extend(iter(output.readline, "")))
    listener.start()
    try:
        service.wait("http://127.0.0.1:")
        (url,) = [line.strip() for line in service.told if line.startswith("http")]
        service.port = int(url.rpartition(":")[2])
        service.ask(b"{}")
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=60)
        listener.join()
        output.close()


class Asker(threading.Thread):
    """A client that asks one right question after the other until told to ask another, and counts answers."""

    def __init__(self, port: int, body: bytes) -> None:
        super().__init__()
        self.port, self.body, self.is_ending = port, body, False
        self.seen: Counter[tuple[int, str]] = Counter()
        self.slowest_s = 0.0

    def run(self) -> None:
        """Ask until told to stop, or nobody listens any more."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        while not self.is_ending:
            started = time.monotonic()
            try:
                connection.request("POST", "/predict", self.body, HEADERS)
                answer = connection.getresponse()
                answer.read()
                self.seen[answer.status, answer.headers.get("x-model-version", "")] += 1
                self.is_ending |= answer.status == 503
            except ConnectionRefusedError:
                return
            except (OSError, http.client.HTTPException):
                self.seen[0, ""] += 1
                connection.close()
            self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        connection.close()


@contextmanager
def asked(port: int, body: bytes, *, n_clients: int) -> Iterator[list[Asker]]:
    """Ask right questions from several threads while the block lasts."""
    askers = [Asker(port, body) for _ in range(n_clients)]
    for asker in askers:
        asker.start()
    try:
        yield askers
    finally:
        for asker in askers:
            asker.is_ending = True
        for asker in askers:
            asker.join()


def counted(askers: list[Asker]) -> dict[int, int]:
    """Return how many answers of each status came; 0 is none at all."""
    total: Counter[int] = Counter()
    for asker in askers:
        for (status, _), n in asker.seen.items():
            total[status] += n
    return dict(total)


def hostile(place: Place) -> str:
    """Bodies that no reader should meet are refused, each in bounded time, and memory stays."""
    record = json.loads(place.good)["records"][0]
    named = {
        "malformed": (b'{"records": [{]}', 400),
        "10,000 deep": (b"[" * 10_000 + b"]" * 10_000, 400),
        "NaN": (json.dumps({"records": [record | {"age": float("nan")}]}).encode(), 400),
        "invalid UTF-8": (b'{"records": [{"workclass": "\xff\xfe"}]}', 400),
        "100 MB": (b" " * 100_000_000, 413),
        "1M rows": (json.dumps({"records": [{}] * 1_000_000}).encode(), 422),
        "1M rows in a Parquet file": (_parquet_of(place, n_rows=1_000_000), 422),
    }
    with serving(str(place.run)) as service:
        for body, _ in named.values():
            _asked_once(service, body)
        before, seconds = service.mib(), {}
        for name, (body, expected) in named.items():
            kind = {"content-type": "application/vnd.apache.parquet"} if body[:4] == b"PAR1" else {}
            started = time.monotonic()
            for _ in range(3):
                status = _asked_once(service, body, **kind)
                assert status == expected, f"{name}: {status}"
            seconds[name] = (time.monotonic() - started) / 3
        assert service.ask(place.good)[0] == 200
        grown = service.mib() - before
    slowest = max(seconds, key=lambda name: seconds[name])
    assert grown < GROWTH_MIB, f"memory grew by {grown:.0f} MiB"
    return f"slowest: {slowest}, {seconds[slowest]:.2f} s; RSS {before:.0f} {grown:+.0f} MiB"


def _asked_once(service: Service, body: bytes, **headers: str) -> int:
    """Return the status; a client that is cut off while it writes reads the answer that came before."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=60)
    try:
        connection.putrequest("POST", "/predict")
        for name, value in (HEADERS | headers | {"content-length": str(len(body))}).items():
            connection.putheader(name, value)
        connection.endheaders()
        try:
            connection.send(body)
        except (BrokenPipeError, ConnectionResetError):
            return 413
        try:
            return connection.getresponse().status
        except ConnectionResetError:
            return 413
    finally:
        connection.close()


def _parquet_of(place: Place, *, n_rows: int) -> bytes:
    path = place.folder / "many.parquet"
    make_table(path, n_rows=1)
    pl.concat([pl.read_parquet(path)] * n_rows).write_parquet(path)
    return path.read_bytes()


def idle(place: Place) -> str:
    """Let a thousand clients connect and say half a request: others are answered, and they are let go."""
    with serving(str(place.run)) as service, ExitStack() as stack:
        before = service.mib()
        sockets = []
        for at in range(1000):
            each = stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
            each.sendall((b"", HEAD)[at % 2])
            sockets.append(each)
        with asked(service.port, place.good, n_clients=4) as askers:
            time.sleep(3)
        held = service.mib() - before
        started = time.monotonic()
        for each in sockets:
            while each.recv(4096):
                pass
        let_go = time.monotonic() - started
        total = counted(askers)
        assert set(total) == {200}, total
        slowest = max(asker.slowest_s for asker in askers)
        assert service.ask(place.good)[0] == 200
    assert held < GROWTH_MIB, f"memory grew by {held:.0f} MiB"
    return (
        f"{total[200]} answered meanwhile, slowest {slowest:.2f} s; all let go after {let_go:.0f} s; "
        f"RSS {before:.0f} {held:+.0f} MiB"
    )


def slow(place: Place) -> str:
    """Two hundred clients that send a byte a second are answered 408 in time, and others at once."""
    with serving(str(place.run)) as service, ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(("127.0.0.1", service.port), timeout=60))
            for _ in range(200)
        ]
        started = time.monotonic()
        for each in sockets:
            each.sendall(HEAD)
        waiting, statuses, last = set(sockets), Counter[bytes](), 0.0
        with asked(service.port, place.good, n_clients=2) as askers:
            while waiting and time.monotonic() < started + 60:
                for each in list(waiting):
                    each.setblocking(False)
                    try:
                        found = each.recv(4096)
                        statuses[found[9:12]] += 1
                        waiting.discard(each)
                        last = time.monotonic() - started
                    except BlockingIOError:
                        each.setblocking(True)
                        each.sendall(b" ")
                time.sleep(1)
        total = counted(askers)
        assert set(total) == {200}, total
    assert statuses == {b"408": 200}, statuses
    return f"200 answers 408, the last after {last:.0f} s; {total[200]} others answered"


def worker(place: Place) -> str:
    """Of two workers under load one is killed, then one is stopped: both come back, others are answered."""
    with serving(str(place.run), "--workers", "2") as service:
        service.wait("answers", n=2)
        with asked(service.port, place.good, n_clients=16) as askers:
            time.sleep(1)
            service.workers()[0].kill()
            back = service.wait("answers", n=3)
            time.sleep(1)
        total = counted(askers)
        broken = total.pop(0, 0)
        assert set(total) == {200}, total
        assert broken <= 16, f"{broken} requests were lost"
        service.workers()[0].suspend()
        hung = service.wait("hangs")
        replaced = service.wait("answers", n=4)
    assert service.process.returncode == 0, service.told[-3:]
    return (
        f"{total[200]} answered, {broken} of 16 connections lost with the killed one, back in {back:.1f} s; "
        f"stopped one noticed after {hung:.0f} s, replaced {replaced:.1f} s later"
    )


def sigterm(place: Place) -> str:
    """End it at full load by SIGTERM: each request is answered or told 503, and the exit code is 0."""
    with serving(str(place.run)) as service, asked(service.port, place.good, n_clients=64) as askers:
        time.sleep(3)
        started = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        code = service.process.wait(timeout=60)
        took = time.monotonic() - started
    total = counted(askers)
    assert code == 0, f"exit code {code}"
    assert set(total) <= {200, 503}, total
    return f"{total[200]} answered, {total.get(503, 0)} told to ask another; ended after {took:.1f} s"


def swaps(place: Place) -> str:
    """Name a hundred champions under load, good, corrupt, slow and narrower: only the good ones serve."""
    folder = place.folder / "runs" / NAME
    kinds: dict[str, Callable[[Path], None]] = {
        "good1": lambda _: None,
        "good2": lambda _: None,
        "corrupt": _flip,
        "narrower": _narrow,
        "slow": _slow,
    }
    for name, change in kinds.items():
        shutil.copytree(place.run, folder / name)
        _sealed(folder / name / "bundle", _contract(folder / name / "bundle"), version=name)
        change(folder / name / "bundle")
    bad = ["corrupt", "narrower", "missing", "corrupt", "narrower", "slow"] * 9
    order = [each for turn, name in enumerate(bad) for each in (f"good{turn % 2 + 1}", name)]
    _name(folder, "good2")
    with serving("--watch", f"{NAME}@champion", "--runs", str(folder.parent)) as service:
        before = 0.0
        with asked(service.port, place.good, n_clients=4) as askers:
            for turn, champion in enumerate(order[:100]):
                if turn == 2 * len(kinds) + 2:
                    # One of each was looked at: what is kept from here on is kept for ever.
                    before = service.mib()
                n_told = len(service.told)
                _name(folder, champion)
                deadline = time.monotonic() + 30
                while len(service.told) == n_told:
                    assert time.monotonic() < deadline, f"nothing was told of {champion}"
                    time.sleep(0.02)
        grown = service.mib() - before
    total = counted(askers)
    versions = {version for asker in askers for (_, version), n in asker.seen.items() if n}
    assert set(total) == {200}, total
    assert versions == {"good1", "good2"}, versions
    assert grown < 2 * GROWTH_MIB, f"memory grew by {grown:.0f} MiB"
    refused = sum("stays with" in line for line in service.told)
    slowest = max(asker.slowest_s for asker in askers)
    return (
        f"{total[200]} answered, slowest {slowest:.2f} s; {refused} of 100 refused; "
        f"RSS {before:.0f} {grown:+.0f} MiB"
    )


def _name(folder: Path, run: str) -> None:
    """Name a champion as no command would, good or bad."""
    line = {"run": run, "before": None, "who": "faults", "why": "to see", "when": "now", "back": False}
    append_journal(folder / "champions.jsonl", line)


def _contract(bundle: Path) -> Any:
    """Return the contract of a bundle, with the time limit that slow ones miss."""
    contract = json.loads((bundle / "schema.json").read_bytes())
    contract["limits"]["timeout_s"] = SLOW_S
    return contract


def _narrow(bundle: Path) -> None:
    """Have a bundle take fewer ages than were taken."""
    contract = _contract(bundle)
    for column in contract["schema"]["columns"]:
        if column["name"] == "age":
            column["max"] = 30
    _sealed(bundle, contract)


def _slow(bundle: Path) -> None:
    """Have a bundle keep so many golden rows that they take longer than a request may."""
    golden = pl.read_parquet(bundle / "golden.parquet")
    pl.concat([golden] * 2500).write_parquet(bundle / "golden.parquet")
    _sealed(bundle, _contract(bundle))


def _sealed(bundle: Path, contract: object, *, version: str | None = None) -> None:
    manifest = msgspec.json.decode((bundle / "manifest.json").read_bytes(), type=Manifest)
    (bundle / "schema.json").write_text(json.dumps(contract))
    (bundle / "manifest.json").unlink()
    write_manifest(
        bundle,
        name=manifest.name,
        model_version=version or manifest.model_version,
        engine_version=manifest.engine_version,
        recipe_sha256=manifest.recipe_sha256,
        passed=manifest.passed,
        missed=manifest.missed,
    )


def _flip(bundle: Path) -> None:
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / "model.onnx").write_bytes(content)


def bits(place: Place) -> str:
    """One bit changed at fifty places of a bundle: each is refused by its hash, before any parser sees it."""
    draw = random.Random(0)  # noqa: S311 (places, no secrets)
    files = sorted(path for path in place.bundle.iterdir() if path.name != "manifest.json")
    weights = [path.stat().st_size for path in files]
    copied = place.folder / "flipped"
    load_bundle(place.bundle)
    for _ in range(50):
        shutil.copytree(place.bundle, copied)
        (path,) = draw.choices(files, weights)
        content = bytearray(path.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        (copied / path.name).write_bytes(content)
        try:
            load_bundle(copied)
            words = "it was taken"
        except BundleError as error:
            words = str(error)
        assert "SHA-256 is not the one in the manifest" in words, f"{path.name} was changed: {words}"
        shutil.rmtree(copied)
    return "50 of 50 refused by their SHA-256"


def batch(place: Place) -> str:
    """`engine predict` killed at ten moments and begun again: each row once, the same bytes."""
    table, whole, killed = (place.folder / name for name in ("rows.parquet", "whole.parquet", "out.parquet"))
    make_table(table, n_rows=BATCH_ROWS)
    command = [PYTHON, "-m", "engine", "predict", str(place.run), str(table), "--quiet", "-o"]
    started = time.monotonic()
    subprocess.run([*command, str(whole)], cwd=HERE.parent, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - started
    draw = random.Random(0)  # noqa: S311 (moments, no secrets)
    n_killed = 0
    for _ in range(10):
        before = len(list(place.folder.glob(".out*/*")))
        process = subprocess.Popen([*command, str(killed)], cwd=HERE.parent, stderr=subprocess.DEVNULL)
        # Some shards further on, and somewhere in the next.
        while len(list(place.folder.glob(".out*/*"))) < before + 2 and process.poll() is None:
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.05))
        n_killed += process.poll() is None
        process.kill()
        process.wait()
    subprocess.run([*command, str(killed)], cwd=HERE.parent, check=True, stdout=subprocess.DEVNULL)
    given, expected = (hashlib.sha256(path.read_bytes()).hexdigest() for path in (killed, whole))
    n_rows = pl.scan_parquet(killed).select(pl.len()).collect().item()
    left = [path.name for path in place.folder.iterdir() if path.name.startswith(".out")]
    assert n_killed == 10, f"only {n_killed} kills came before the end"
    assert (given, n_rows, left) == (expected, BATCH_ROWS, []), (given == expected, n_rows, left)
    return f"{n_killed} kills; {n_rows:,} rows, the bytes of the uninterrupted run of {took:.0f} s"


CASES: dict[str, Callable[[Place], str]] = {
    each.__name__: each for each in (hostile, idle, slow, worker, sigterm, swaps, bits, batch)
}


def main() -> None:
    """Run the cases, print a line of each, and fail if one did."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", metavar="NAME", help=f"of {', '.join(CASES)}; default: all")
    parser.add_argument("--run", type=Path, help="a run of the census recipe that is there already")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"unknown: {', '.join(unknown)}")
    n_failed = 0
    with tempfile.TemporaryDirectory() as made:
        run = options.run.resolve() if options.run else make_bundle(Path(made) / "runs").parent
        good = bodies(run / "bundle")[1]
        for name, case in CASES.items():
            if options.cases and name not in options.cases:
                continue
            folder = Path(made) / name
            folder.mkdir()
            try:
                verdict, words = "PASS", case(Place(run, good, folder))
            except Exception as fault:  # noqa: BLE001 (one case that fails must not hide the others)
                verdict, words = "FAIL", f"{type(fault).__name__}: {fault}"
                n_failed += 1
            print(f"{verdict}  {name:8} {words}", flush=True)
            shutil.rmtree(folder, ignore_errors=True)
    sys.exit(1 if n_failed else 0)


if __name__ == "__main__":
    main()

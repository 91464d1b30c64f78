"""What serving costs: `engine serve` against a minimal app, the usual Bento and peers, the same graph in all.

Each is a server on loopback with one worker; wrk asks them in turn, many times round, while the others are
stopped. Printed are medians and ratios to the minimal app: CPU of the server a request, throughput at 16
connections, p50 at one, with one row and with 100, and how far `engine serve` is ahead of each; then memory,
and the CPU of starts beside the usual Bento's. Needs `wrk` on the path; `--peers` installs other servers,
each in a virtual environment of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import psutil
from peers import OPEN_PROTOCOL, PEERS, Peer, interpreters

HERE = Path(__file__).parent
SERVERS = HERE / "servers"
PYTHON = sys.executable
TICKS = os.sysconf("SC_CLK_TCK")
# Of a start, beside that of the usual Bento.
START = 0.6
STARTED = ("minimal", "engine serve", "usual Bento")
AHEAD = {"usual Bento": 8.0, **dict.fromkeys(PEERS, 3.0)}
# A peer as nobody has it who does not look for it: told beside the others, without a bound.
del AHEAD["MLServer, in one process"]
Command = Callable[[int], list[str]]


@dataclass(frozen=True)
class Server:
    """A server that answers, and what its start took."""

    url: str
    process: psutil.Process
    start_cpu_s: float

    def cpu_s(self) -> float:
        """Return the CPU seconds of the process and its children, in user and system mode."""
        return cpu_s(self.process)

    def halt(self) -> None:
        """Stop the whole tree, so that what it does in the background takes nothing from others."""
        for each in [self.process, *self.process.children(recursive=True)]:
            each.suspend()

    def go_on(self) -> None:
        """Let the whole tree go on."""
        for each in [*self.process.children(recursive=True), self.process]:
            each.resume()

    def memory_mib(self) -> float:
        """Return the memory of the process that answers: the largest of the tree."""
        tree = [self.process, *self.process.children(recursive=True)]
        return max(each.memory_full_info().pss for each in tree) / 2**20


@dataclass(frozen=True)
class Load:
    """What wrk saw of one server."""

    requests_per_s: float
    p50_ms: float
    cpu_us: float
    n_errors: int


def cpu_s(process: psutil.Process) -> float:
    """Return the CPU seconds of a process tree, the ended children of its living processes included."""
    total = 0.0
    for each in [process, *process.children(recursive=True)]:
        fields = Path(f"/proc/{each.pid}/stat").read_text().rpartition(") ")[2].split()
        total += sum(map(int, fields[11:15])) / TICKS
    return total


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: Command, *, folder: Path, body: bytes, path: str = "/predict") -> Iterator[Server]:
    """Run a server until the block is left; it is given once it has answered a real request."""
    port = free_port()
    url = f"http://127.0.0.1:{port}{path}"
    environment = os.environ | {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder / "bentoml")}
    # What is installed has its byte code.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    started = subprocess.Popen(
        command(port), cwd=SERVERS, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not answers(url, body):
            if started.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"this server does not answer: {' '.join(command(port))}")
            time.sleep(0.1)
        process = psutil.Process(started.pid)
        yield Server(url, process, cpu_s(process))
    finally:
        is_there = started.poll() is None
        below = psutil.Process(started.pid).children(recursive=True) if is_there else []
        started.terminate()
        started.wait(timeout=60)
        # Not every server ends what it has begun.
        for each in psutil.wait_procs(below, timeout=5)[1]:
            each.kill()


def answers(url: str, body: bytes) -> bool:
    request = urllib.request.Request(url, body, {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return len(json.loads(answer.read())) > 0
    except urllib.error.HTTPError as exc:
        # A server that begins knows neither its model nor its routes at once.
        said = exc.read()
        if exc.code in (404, 503) or b"not ready yet" in said:
            return False
        raise SystemExit(f"a server refuses the request: {said!r}") from None
    except OSError:
        return False


def ask(server: Server, script: Path, *, n_connections: int, seconds: int) -> Load:
    """Ask one server for some seconds."""
    command = ["wrk", "-t1", f"-c{n_connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
    before = server.cpu_s()
    done = subprocess.run([*command, server.url], capture_output=True, text=True, check=True)
    used = server.cpu_s() - before
    said = done.stdout
    n_requests = int(found(r"(\d+) requests in", said))
    wrong = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    broken = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    n_errors = (int(wrong[1]) if wrong else 0) + (sum(map(int, broken.groups())) if broken else 0)
    p50, unit = float(found(r"50%\s+([\d.]+)", said)), found(r"50%\s+[\d.]+(us|ms|s)", said)
    p50_ms = p50 * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    return Load(float(found(r"Requests/sec:\s+([\d.]+)", said)), p50_ms, 1e6 * used / n_requests, n_errors)


def found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match is not None, text
    return match[1]


def make_bundle(folder: Path, *options: str, recipe: str = "adult") -> Path:
    """Run a recipe, the census where none is named, and return its bundle."""
    command = [PYTHON, "-m", "engine", "run", recipe, f"runs={folder}", "compute.threads=1", *options]
    subprocess.run([*command, "--quiet"], cwd=HERE.parent, check=True, stdout=subprocess.DEVNULL)
    return max(folder.glob(f"{recipe}/2*")) / "bundle"


def bodies(bundle: Path, path: str = "/predict") -> dict[int, bytes]:
    """Return the bodies that are asked at a path: golden rows, one and a hundred of them."""
    contract = json.loads((bundle / "schema.json").read_bytes())
    features = [column for column in contract["schema"]["columns"] if column["role"] == "feature"]
    rows = pl.read_parquet(bundle / "golden.parquet").select([each["name"] for each in features]).to_dicts()
    asked = {n: (rows * n)[:n] for n in (1, 100)}
    if path == OPEN_PROTOCOL:
        return {
            n: json.dumps({"inputs": list(tensors(features, some))}).encode() for n, some in asked.items()
        }
    return {n: json.dumps({"records": some}).encode() for n, some in asked.items()}


def tensors(features: list[dict[str, str]], rows: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield a tensor a column."""
    kinds = {"int64": "INT64", "float64": "FP64", "boolean": "BOOL"}
    for column in features:
        values = [row[column["name"]] for row in rows]
        kind = kinds.get(column["storage"], "BYTES")
        yield {"name": column["name"], "shape": [len(rows)], "datatype": kind, "data": values}


def wrk_script(folder: Path, body: bytes, *, name: str) -> Path:
    path = folder / f"{name}.lua"
    # A long bracket takes the text as it stands.
    path.write_text(
        'wrk.method = "POST"\nwrk.headers["Content-Type"] = "application/json"\n'
        f"wrk.body = [==[{body.decode()}]==]\n"
    )
    return path


def commands(bundle: Path, inside: Path, pythons: dict[str, str]) -> dict[str, Command]:
    """Return how each variant is started on a port, peers by their own interpreters."""
    engine_serve = [PYTHON, "-m", "engine", "serve"]
    os.environ["BENCH_BUNDLE"] = str(bundle)
    return {
        "minimal": lambda port: [PYTHON, "minimal.py", str(bundle), str(port)],
        "engine serve": lambda port: [*engine_serve, str(bundle.parent), "--port", str(port)],
        "engine serve, log": lambda port: [
            *engine_serve,
            str(bundle.parent),
            "--port",
            str(port),
            "--log",
            tempfile.mkdtemp(),
        ],
        "engine serve, inside": lambda port: [*engine_serve, str(inside.parent), "--port", str(port)],
        "usual Bento": lambda port: [PYTHON, "-m", "bentoml", "serve", "usual:Usual", "--port", str(port)],
        **{name: peer_command(python, PEERS[name], bundle) for name, python in pythons.items()},
    }


def peer_command(python: str, peer: Peer, bundle: Path) -> Command:
    return lambda port: [python, peer.script, str(bundle), str(port), *peer.options]


def measure(
    servers: dict[str, Server], scripts: dict[tuple[str, int], Path], *, rounds: int, seconds: int
) -> None:
    """Ask all servers in turn, `rounds` times, and print medians and their ratios to the first server's."""
    cases = {
        "1 row, 16 connections": (1, 16),
        "1 row, 1 connection": (1, 1),
        "100 rows, 1 connection": (100, 1),
    }
    for title, (n_rows, n_connections) in cases.items():
        seen: dict[str, list[Load]] = {name: [] for name in servers}
        for _ in range(rounds):
            for name, server in servers.items():
                server.go_on()
                load = ask(server, scripts[name, n_rows], n_connections=n_connections, seconds=seconds)
                server.halt()
                seen[name].append(load)
        first = next(iter(seen.values()))
        heads = (("CPU us", 10), ("ratio", 8), ("req/s", 10), ("ratio", 8), ("p50 ms", 10), ("ratio", 8))
        print(f"\n{title:28}{''.join(f'{head:>{width}}' for head, width in heads)}{'errors':>8}")
        for name, loads in seen.items():
            cells = [
                f"{median(loads, field):>10.{digits}f}{median(loads, field) / median(first, field):>8.2f}"
                for field, digits in (("cpu_us", 0), ("requests_per_s", 0), ("p50_ms", 2))
            ]
            print(f"{name:28}{''.join(cells)}{sum(load.n_errors for load in loads):>8}")
        if (n_rows, n_connections) == (1, 16) and "engine serve" in seen:
            ours = median(seen["engine serve"], "requests_per_s")
            for name in (name for name in AHEAD if name in seen):
                ratio = ours / median(seen[name], "requests_per_s")
                print(f"engine serve answers {ratio:.1f} x the requests of {name}, wanted {AHEAD[name]:g}")


def measure_starts(commands: dict[str, Command], *, folder: Path, body: bytes, rounds: int) -> None:
    """Start servers in turn, after one start that writes byte code, and print the CPU until they answer."""
    seen: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            with serving(command, folder=folder, body=body) as server:
                seen[name] += [server.start_cpu_s] if turn else []
    usual = statistics.median(seen["usual Bento"])
    print(f"\n{'':28}{'start, CPU s':>14}{'of the usual Bento':>22}")
    for name, seconds in seen.items():
        took = statistics.median(seconds)
        wanted = f", wanted {START:g}" if name == "engine serve" else ""
        print(f"{name:28}{took:>14.2f}{took / usual:>22.2f}{wanted}")


def median(loads: list[Load], field: str) -> float:
    return statistics.median(getattr(load, field) for load in loads)


def main() -> None:
    """Start the servers, ask them, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    # Many short turns: the speed of a shared processor swings for seconds, and by more than a bound.
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--run", type=Path, help="a run of the census recipe that is there already")
    parser.add_argument("--inside", type=Path, help="the same with deploy.pipeline=inside")
    parser.add_argument("--only", nargs="*", help="names of variants; the minimal app is always there")
    parser.add_argument("--peers", action="store_true", help=f"install and ask {', '.join(PEERS)} as well")
    parser.add_argument("--home", type=Path, help="where peers are installed, and found the next time")
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is not installed: apt-get install wrk")
    with tempfile.TemporaryDirectory() as made, ExitStack() as stack:
        folder = Path(made)
        bundle = options.run.resolve() / "bundle" if options.run else make_bundle(folder / "runs")
        inside = options.inside.resolve() / "bundle" if options.inside else None
        inside = inside or make_bundle(folder / "inside", "deploy.pipeline=inside")
        wanted = [name for name in PEERS if options.peers and name in (options.only or PEERS)]
        pythons = interpreters((options.home or folder / "peers").resolve(), wanted)
        servers, scripts = {}, {}
        chosen = commands(bundle, inside, pythons)
        for name, command in chosen.items():
            if options.only is None or name in ("minimal", *options.only):
                path = PEERS[name].path if name in PEERS else "/predict"
                asked = bodies(bundle, path)
                scripts |= {
                    (name, n): wrk_script(folder, body, name=f"{name}{n}") for n, body in asked.items()
                }
                started = serving(command, folder=folder, body=asked[1], path=path)
                servers[name] = stack.enter_context(started)
        for server in servers.values():
            server.halt()
        try:
            measure(servers, scripts, rounds=options.rounds, seconds=options.seconds)
        finally:
            for server in servers.values():
                server.go_on()
        print(f"\n{'':28}{'memory MiB':>14}")
        for name, server in servers.items():
            print(f"{name:28}{server.memory_mib():>14.0f}")
        stack.close()
        if {"engine serve", "usual Bento"} <= servers.keys():
            starting = {
                name: command for name, command in chosen.items() if name in servers and name in STARTED
            }
            measure_starts(starting, folder=folder, body=bodies(bundle)[1], rounds=5)


if __name__ == "__main__":
    main()

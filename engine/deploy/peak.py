"""How much memory a Bento takes at most: served as a container serves it, and asked the largest requests.

What is measured is the machine's that measures: the same Bento takes some MiB more or less elsewhere.
"""

from __future__ import annotations

import http.client
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from engine.deploy.listen import listen
from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.runs.bundle import Bundle

_START_S, _ANSWER_S, _END_S = 120.0, 60.0, 40.0
_TAIL_LINES = 3


def peak_mib(bento: Path, bundle: Bundle) -> float:
    """Return the peak memory in MiB of all processes that serve a Bento, in a folder as packaging leaves it.

    Raises
    ------
    EngineError
        If the Bento does not answer as many of the largest requests as it lets in side by side, or this
        system does not tell what a process took.
    """
    if not Path("/proc/self/status").is_file():
        raise _unknown("this system does not tell what a process took")
    body = largest_body(bundle)
    with tempfile.TemporaryDirectory(prefix="engine-peak-") as home, (Path(home) / "log").open("w+b") as log:
        probe = listen("127.0.0.1", 0)
        port = int(probe.getsockname()[1])
        probe.close()
        own = {"BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}
        command = [sys.executable, "-m", "bentoml", "serve", str(bento.resolve()), "--port", str(port)]
        process = subprocess.Popen(  # noqa: S603  our own interpreter
            command, cwd=home, env=os.environ | own, stdout=log, stderr=log
        )
        try:
            if not _is_ready(process, port):
                log.seek(0)
                tail = log.read().decode(errors="replace").strip().splitlines()[-_TAIL_LINES:]
                raise _unknown(f"it does not answer: {' '.join(tail)}")
            ask_side_by_side(port, body, bundle.limits.max_concurrent)
            return _peak_of(process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=_END_S)
            finally:
                process.kill()


def ask_side_by_side(port: int, body: bytes, n: int) -> None:
    """Post a body `n` times at once.

    Raises
    ------
    EngineError
        Unless each is answered 200: what was refused took less memory than what is scored.
    """
    with ThreadPoolExecutor(n) as pool:
        statuses = Counter(pool.map(lambda _: _ask(port, "POST", "/predict", body), range(n)))
    if others := [status for status in statuses if status != http.HTTPStatus.OK]:
        told = ", ".join(f"{statuses[one]} with {one or 'no answer'}" for one in others)
        raise _unknown(f"of {n} of the largest requests side by side it answered {told}")


def largest_body(bundle: Bundle) -> bytes:
    """Return the largest body that `POST /predict` takes, of golden rows over and over."""
    features = [column.name for column in bundle.schema.features]
    rows = bundle.golden.select(features).to_dicts()
    encoder = msgspec.json.Encoder()
    n_bytes = max(len(encoder.encode(row)) + 1 for row in rows)
    most = int(bundle.limits.max_body_mib * 1024 * 1024) - len(b'{"records":[]}')
    n_rows = max(1, min(bundle.limits.max_records, most // n_bytes))
    return encoder.encode({"records": list(itertools.islice(itertools.cycle(rows), n_rows))})


def _is_ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        if _ask(port, "GET", "/readyz") == http.HTTPStatus.OK:
            return True
        time.sleep(0.1)
    return False


def _ask(port: int, method: str, path: str, body: bytes | None = None) -> int | None:
    """Return the status of one answer; None where there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
    try:
        connection.request(method, path, body=body, headers={"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        return None
    else:
        return answer.status
    finally:
        connection.close()


def _peak_of(first: int) -> float:
    """Return the sum of the peaks of a process and of all below it: what they share is counted with each."""
    peaks: dict[int, int] = {}
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(") ")[2].split()[1])
            _, _, peak = (folder / "status").read_text().partition("VmHWM:")
        except OSError:
            # It has ended meanwhile.
            continue
        below.setdefault(parent, []).append(int(folder.name))
        # What belongs to the kernel has none.
        peaks[int(folder.name)] = int(peak.split()[0]) if peak else 0
    total, ahead = 0, [first]
    while ahead:
        one = ahead.pop()
        total += peaks.get(one, 0)
        ahead += below.get(one, [])
    return total / 1024


def _unknown(why: str) -> EngineError:
    return EngineError.of(
        f"the Bento's memory can't be measured: {why}",
        try_="the same command with deploy.kubernetes.memory_mib=512, or what it needs",
    )

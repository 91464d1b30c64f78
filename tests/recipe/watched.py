"""Runs commands while every event of the interpreter is watched; a process of its own, for the attack table.

Reads a case from each line of stdin, `{"folder", "arguments"}`, does it in its folder, and prints a line of what
it came to. The first is taken for what a good recipe does.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import time
from pathlib import Path

import polars as pl
from antlr4 import LL1Analyzer

from engine.recipe import mistakes, syntax, unknown
from engine.recipe.spec import Spec

# https://docs.python.org/3/library/audit_events.html
HARMFUL = (
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
    "subprocess.Popen", "socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "urllib.Request",
    "http.client.connect", "ftplib.connect", "smtplib.connect", "webbrowser.open", "pickle.find_class",
    "marshal.loads", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "os.chown", "os.putenv", "os.unsetenv", "os.kill", "shutil.rmtree", "shutil.copyfile", "shutil.move",
    "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect", "code.__new__", "function.__new__",
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_IMPORTING = "<frozen importlib._bootstrap_external>"
_heard: list[str] | None = None


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if _heard is None:
        return
    if event == "import":
        _heard.append(f"import {arguments[0]}")
    elif event == "open":
        path, _, flags = arguments
        if isinstance(flags, int) and flags & _WRITING and path != os.devnull:
            _heard.append(f"open for writing {path!r}")
    elif event == "marshal.loads" and sys._getframe(1).f_code.co_filename == _IMPORTING:
        pass  # the byte code of what is imported, which was told above
    elif event in HARMFUL:
        _heard.append(f"{event} {arguments!r:.200}")


def peak_mib() -> float:
    """Return the most memory this program held; `ru_maxrss` would count what pytest held before the exec."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def do(folder: str, arguments: list[str]) -> dict[str, object]:
    """Do one command, or as `-c` some Python of a test's own, and return what it came to."""
    global _heard  # noqa: PLW0603 (an audit hook can't be taken back, only told to rest)
    from engine.cli import main

    os.chdir(folder)
    told, said = io.StringIO(), io.StringIO()
    before = {str(path) for path in Path().rglob("*")}
    heard: list[str] = []
    _heard = heard
    start = time.process_time()
    with contextlib.redirect_stdout(told), contextlib.redirect_stderr(said):
        code = 0
        if arguments[0] == "-c":
            exec(arguments[1])  # noqa: S102 (a test's own words)
        else:
            code = main(arguments)
    seconds = time.process_time() - start
    _heard = None
    return {
        "code": code,
        "out": told.getvalue(),
        "err": said.getvalue(),
        "heard": heard,
        "seconds": seconds,
        "files": sorted({str(path) for path in Path().rglob("*")} - before),
        "peak_mib": peak_mib(),
    }


if __name__ == "__main__":
    # What goes out of bounds ends here, and takes the machine with it nowhere.
    resource.setrlimit(resource.RLIMIT_CPU, (300, 300))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    # The engine's own table library, loaded by a recipe with a pattern: no attack of any recipe's.
    pl.select(pl.lit("").str.contains("a"))
    # What says which values a key takes loads parts of pydantic, the first time that a recipe is wrong.
    Spec.model_json_schema()
    # What explains a mistake is loaded where there is one: modules of our own, and a part of Hydra's parser.
    assert all((mistakes, syntax, unknown, LL1Analyzer))
    sys.addaudithook(_listen)
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps(do(case["folder"], case["arguments"])), flush=True)  # noqa: T201

"""Processes of commands and of the Ray that they start: which there are, and whether they are gone."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from engine.tuning.watchdog import SESSION


def children(root: int) -> dict[int, str]:
    """Return the processes below one, by pid, with their command lines."""
    below: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            below.setdefault(int(after_name[1]), []).append(int(folder.name))
    ahead, known = list(below.get(root, [])), {}
    while ahead:
        pid = ahead.pop()
        ahead += below.get(pid, [])
        with contextlib.suppress(OSError):
            known[pid] = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()
    return known


def session_folder(root: int) -> Path | None:
    """Return the folder of the Ray session that a process has started."""
    for pid in children(root):
        with contextlib.suppress(OSError):
            for entry in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                if entry.startswith(f"{SESSION}=".encode()):
                    return Path(entry.decode().partition("=")[2])
    return None


def wait_for(look: Callable[[], object], *, seconds: float = 120) -> None:
    """Look again and again until there is something."""
    end = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_gone(pids: Iterable[int], folder: Path | None) -> bool:
    """Tell whether none of some processes lives, and the folder of their session is no more."""
    is_left = folder is not None and folder.exists()
    return not is_left and not any(Path(f"/proc/{pid}/fd").exists() and _lives(pid) for pid in pids)


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False

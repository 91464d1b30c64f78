"""Ends what a Ray session of ours leaves behind, whatever ends the process that started it.

A process of its own, run as `python -I -S watchdog.py FOLDER PID`: it sleeps until its standard input
closes, which the kernel sees to. Ray's own processes follow a killed driver, but its agents linger for a
minute and the session's folder stays.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time

SESSION = "ENGINE_RAY_SESSION"
# A process that was about to start is seen by the next look.
_LOOKS, _PAUSE_S = 100, 0.05


def main(folder: str, driver: int) -> None:
    """Wait for the end of the driver, then kill what belongs to its session and remove the folder."""
    sys.stdin.read()
    n_clean = 0
    for _ in range(_LOOKS):
        ours = [pid for pid in _pids() if pid not in (driver, os.getpid()) and _belongs(pid, folder)]
        for pid in ours:
            _kill(pid)
        n_clean = 0 if ours else n_clean + 1
        if n_clean > 1:
            break
        time.sleep(_PAUSE_S)
    shutil.rmtree(folder, ignore_errors=True)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _belongs(pid: int, folder: str) -> bool:
    """Tell by its environment, or by a file of the folder that it holds: some write over the former."""
    held = f"/proc/{pid}/fd/"
    try:
        with open(f"/proc/{pid}/environ", "rb") as block:
            if f"{SESSION}={folder}".encode() in block.read().split(b"\0"):
                return True
        return any(os.readlink(held + name).startswith(folder + "/") for name in os.listdir(held))
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

"""A service in a process of its own: its first line is where it answers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def begin(command: Sequence[str], *, errors: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """Start a command whose output is read as it comes."""
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )


@contextmanager
def started(command: Sequence[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a service; give its process and port, and end what still runs with the block."""
    process = begin(command)
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        url = process.stdout.readline().strip()
        if not url:
            pytest.fail(process.stderr.read())
        yield process, int(url.rpartition(":")[2])
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=20)
            finally:
                process.kill()
        process.stdout.close()
        process.stderr.close()

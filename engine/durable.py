"""The only way anything is written: aside, fsynced, then renamed into place by one atomic step.

Also the kernel lock that gives a folder one owner, and the append-only journal. A reader never sees half a
file, and a dead owner's lock is released by the kernel.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import EngineError

_PATIENCE_S = (0.001, 0.01, 0.05, 0.1, 0.2)


def fsync_folder(folder: Path) -> None:
    """Make the names inside `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` whole or not at all."""
    with writing(path) as file:
        file.write(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` as UTF-8 to `path` whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: object) -> None:
    """Write `content` as indented JSON, keys in the order given; NaN and infinity are refused."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file beside `path`; on a clean exit it is fsynced and renamed to `path`, else removed."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
        fsync_folder(path.parent)
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def writing_path(path: Path, *, mark: str | None = None) -> Iterator[Path]:
    """Give a path beside `path` to a library that writes by name; then fsync it and rename it to `path`.

    With a `mark`, eight hexadecimal digits, it is the same path each time: for who holds a lock.
    """
    aside = path.with_name(f".{path.name}.{mark or secrets.token_hex(4)}.partial")
    try:
        yield aside
        publish_file(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def publish_file(staged: Path, final: Path) -> None:
    """Fsync the file `staged` and rename it to `final`, over a file that is there."""
    with staged.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(staged, final)
    fsync_folder(final.parent)


def publish_folder(staged: Path, final: Path) -> None:
    """Fsync everything under `staged` and rename the folder to `final`, which must not exist.

    Raises
    ------
    EngineError
        If `final` exists: what is published is never modified.
    """
    for folder, _, files in os.walk(staged):
        for name in files:
            with open(os.path.join(folder, name), "rb") as file:
                os.fsync(file.fileno())
        fsync_folder(Path(folder))
    if final.exists():
        raise EngineError.of(f"{final} exists already and is never written over")
    os.rename(staged, final)
    fsync_folder(final.parent)


def remove_folder(folder: Path) -> None:
    """Remove `folder` so that no reader sees it half gone: rename it aside first."""
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.removed")
    os.rename(folder, aside)
    shutil.rmtree(aside)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the kernel's lock on the file `path`; it ends with the process, however that ends.

    Raises
    ------
    EngineError
        If another process holds it.
    """
    # Whoever asks `is_locked` holds it for an instant, which is no reason to give up.
    for wait_s in (*_PATIENCE_S, None):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if _owns(descriptor, path):
                yield
                return
        finally:
            os.close(descriptor)
        if wait_s is not None:
            time.sleep(wait_s)
    raise EngineError.of(f"another process is at work here: it holds {path}")


def _owns(descriptor: int, path: Path) -> bool:
    """Take the lock, and tell whether it is that of the file at `path`: who held it may have removed it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except (BlockingIOError, FileNotFoundError):
        return False


def is_locked(path: Path) -> bool:
    """Tell whether a living process holds the lock on `path`."""
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        # Shared: two that ask at once must not take each other for an owner.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def append_journal(path: Path, entry: Mapping[str, object]) -> None:
    """Append one fsynced line of JSON to the journal `path`, whole or not at all."""
    line = json.dumps(entry, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    is_new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    size = os.fstat(descriptor).st_size
    try:
        while line:
            # A disk that is all but full takes a part, and says nothing.
            line = line[os.write(descriptor, line) :]
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    finally:
        os.close(descriptor)
    if is_new:
        fsync_folder(path.parent)


def mend_journal(path: Path) -> None:
    """Cut a last line off that a kill has cut short, so that the next entry begins on a line of its own."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        descriptor = os.open(path, os.O_WRONLY)
        try:
            os.ftruncate(descriptor, whole)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_journal(path: Path) -> list[dict[str, object]]:
    """Return the journal's entries in order; a last line that was cut by a kill is left out.

    Raises
    ------
    EngineError
        If a whole line is no entry.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    return [_entry(line, path, number) for number, line in enumerate(lines[:-1], 1) if line]


def _entry(line: bytes, path: Path, number: int) -> dict[str, object]:
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if isinstance(entry, dict):
        return entry
    what = f"line {number} of this journal is damaged: it is no object of JSON"
    cure = "take that line out, and look at the one before"
    raise EngineError.of(what, file=str(path), line=number, try_=cure)

"""A Bento whose bytes follow from its run alone: no clock, no user, no order of a file system in it."""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

_STAMP = re.compile(r"\d{8}-\d{6}")
_CREATED = re.compile(r"^creation_time: .*$", re.MULTILINE)
# The first day that every archiver can write.
_EPOCH = datetime(1980, 1, 1, tzinfo=UTC)


def moment_of(model_version: str) -> datetime:
    """Return when a run began, as its id says; 1980 where the id is no run's.

    Examples
    --------
    >>> moment_of("20261122-181213-0a1b2c3d").isoformat()
    '2026-11-22T18:12:13+00:00'
    """
    found = _STAMP.match(model_version)
    if found is None:
        return _EPOCH
    try:
        return datetime.strptime(found[0], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return _EPOCH


def settle(folder: Path, moment: datetime) -> None:
    """Put a run's moment in place of the clock's, in `bento.yaml` and on every file and folder."""
    manifest = folder / "bento.yaml"
    words, n_found = _CREATED.subn(
        f"creation_time: '{moment.isoformat()}'", manifest.read_text(encoding="utf-8")
    )
    assert n_found == 1
    manifest.write_text(words, encoding="utf-8")
    seconds = moment.timestamp()
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (seconds, seconds))


def pack(folder: Path, archive: IO[bytes], moment: datetime) -> None:
    """Write a settled Bento as the archive that `bentoml import` reads, in the order of names."""
    seconds = int(moment.timestamp())
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=archive, mtime=seconds, compresslevel=6) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.addfile(_entry(".", folder, seconds))
        for path in sorted(folder.rglob("*")):
            entry = _entry(f"./{path.relative_to(folder).as_posix()}", path, seconds)
            if path.is_dir():
                tar.addfile(entry)
                continue
            with path.open("rb") as content:
                tar.addfile(entry, content)


def _entry(name: str, path: Path, seconds: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mtime = seconds
    is_open = path.is_dir() or os.access(path, os.X_OK)
    entry.mode = 0o755 if is_open else 0o644
    if path.is_dir():
        entry.type = tarfile.DIRTYPE
    else:
        entry.size = path.stat().st_size
    return entry

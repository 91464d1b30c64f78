"""What DVC says of a data file: its pointer beside the data, or its lock file above.

Read as files, so DVC need not be installed. Only reported: the engine's own hash says what was read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import EngineError

if TYPE_CHECKING:
    from engine.recipe.text import Plain

_SUFFIX, _LOCK = ".dvc", "dvc.lock"
# How far above the data a lock file is looked for.
_MAX_ABOVE = 8
# A larger file is not hashed anew for a note: its size alone is compared.
_MAX_HASHED = 2**30
_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class Pointer:
    """An output that DVC tracks.

    Attributes
    ----------
    file
        The pointer's own name, relative to the data's folder.
    stage
        The stage of the pipeline that makes the file, empty for a file that was added.
    md5
        As DVC has it; of a folder it ends in `.dir`.
    matches
        Whether the file that is there is the one that DVC knows; None where that can't be told.
    """

    file: str
    stage: str
    md5: str
    n_bytes: int | None
    matches: bool | None

    def to_json(self) -> dict[str, object]:
        """Return the form of `data.json`."""
        return asdict(self)


def is_pointer(path: Path) -> bool:
    """Tell whether a file is DVC's note of where another is."""
    return path.suffix == _SUFFIX and "outs" in _mapping(path)


def differing(pointer: Pointer | None) -> tuple[str, ...]:
    """Return a sentence where the file is not the one that DVC knows, else nothing."""
    if pointer is None or pointer.matches is not False:
        return ()
    by = f" by {pointer.file}" if pointer.file else ""
    what = f"the file that was read is not the one that DVC knows{by}"
    return (f"{what}: dvc checkout brings that one back, dvc commit notes this one",)


def find_pointer(path: Path) -> Pointer | None:
    """Return what DVC says of a file, None where it says nothing or can't be read.

    A pointer `<file>.dvc` beside the file comes first, then one of a folder above, then `dvc.lock`.
    """
    path = path.absolute()
    folders = list(path.parents)[:_MAX_ABOVE]
    for folder in folders:
        place = folder / path.relative_to(folder).parts[0]
        pointer = place.with_name(place.name + _SUFFIX)
        if found := _find(pointer, _outs_of_pointer(pointer), path):
            return found
    for folder in folders:
        lock = folder / _LOCK
        if found := _find(lock, _outs_of_lock(lock), path):
            return found
    return None


Out = tuple[str, "dict[str, Plain]"]


def _find(file: Path, outs: Iterator[Out], path: Path) -> Pointer | None:
    """Return the first output that is the file, or a folder that holds it."""
    for stage, out in outs:
        named = out.get("path")
        md5 = out.get("md5")
        if not isinstance(named, str) or not isinstance(md5, str):
            continue
        tracked = (file.parent / named).absolute()
        if tracked != path and tracked not in path.parents:
            continue
        size = out.get("size")
        n_bytes = size if isinstance(size, int) and not isinstance(size, bool) else None
        is_there = tracked == path and path.is_file()
        matches = _matches(path, out, md5, n_bytes) if is_there else None
        return Pointer(_shown(file, path), stage, md5, n_bytes, matches)
    return None


def _shown(file: Path, path: Path) -> str:
    """Return where a file lies from the data's folder."""
    ups = 0
    folder = path.parent
    while folder not in file.parents:
        folder, ups = folder.parent, ups + 1
    return "/".join([".."] * ups + list(file.relative_to(folder).parts))


def _outs_of_pointer(file: Path) -> Iterator[Out]:
    outs = _mapping(file).get("outs")
    for out in outs if isinstance(outs, list) else []:
        if isinstance(out, dict):
            yield "", out


def _outs_of_lock(file: Path) -> Iterator[Out]:
    stages = _mapping(file).get("stages")
    for name, stage in stages.items() if isinstance(stages, dict) else []:
        outs = stage.get("outs") if isinstance(stage, dict) else None
        for out in outs if isinstance(outs, list) else []:
            if isinstance(out, dict):
                yield name, out


def _mapping(file: Path) -> dict[str, Plain]:
    """Return what a pointer says, nothing where it is missing or is no YAML as the engine reads it."""
    if not file.is_file():
        return {}
    # Late: a service, which reads tables too, needs no YAML to start.
    from engine.recipe.text import read

    try:
        value = read(file).value
    except (EngineError, OSError):
        return {}
    return value if isinstance(value, dict) else {}


def _matches(path: Path, out: dict[str, Plain], md5: str, n_bytes: int | None) -> bool | None:
    size = path.stat().st_size
    if n_bytes is not None and n_bytes != size:
        return False
    # Before version 3 DVC hashed a text with its line ends changed, and did not say `hash: md5`.
    if out.get("hash") != "md5" or size > _MAX_HASHED:
        return None
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest() == md5

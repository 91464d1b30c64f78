"""What a recipe has already had: runs of it, finished, interrupted or at work, told by metadata alone.

The data is not read: same size, and not modified since, is what can be said without. `finished` reads it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from engine.data.header import Header
from engine.errors import EngineError
from engine.recipe.spec import Spec
from engine.recipe.urls import is_remote
from engine.runs import facts
from engine.runs.folder import PARTIAL, state_of
from engine.runs.run import Json, Run, list_runs

# A plan is quick, and what a hundred runs ago was the same is found by `engine runs`.
MOST_LOOKED_AT = 100
State = Literal["finished", "interrupted", "failed", "at work"]
_STAMP = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class Earlier:
    """One earlier run of the same recipe.

    Attributes
    ----------
    same_code
        Whether code and versions are those of now; None where it can't be told.
    same_data
        Whether the data has the size it had and was not modified since; None where it can't be told.
    wrote
        The files that an unfinished run has written.
    is_stopped
        Whether the user stopped the search of a finished one.
    """

    run: str
    state: State
    same_code: bool | None
    same_data: bool | None
    wrote: tuple[str, ...] = ()
    is_stopped: bool = False

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        return {
            "run": self.run,
            "state": self.state,
            "same_code": self.same_code,
            "same_data": self.same_data,
            "wrote": list(self.wrote),
            "is_stopped": self.is_stopped,
        }


def find_earlier(spec: Spec, header: Header) -> tuple[Earlier, ...]:
    """Return the runs of exactly this recipe, the latest first; of the finished ones the latest alone.

    Parameters
    ----------
    header
        Of the data that the recipe names now.
    """
    latest = list_runs(Path(spec.runs), name=spec.name)[-MOST_LOOKED_AT:][::-1]
    sha256 = spec.sha256()
    partial = [folder for folder in latest if folder.name.endswith(PARTIAL)]
    whole = [folder for folder in latest if not folder.name.endswith(PARTIAL)]
    unfinished = (_unfinished(folder, spec, header, sha256=sha256) for folder in partial)
    finished = islice(_finished(whole, spec, header, sha256=sha256), 1)
    return (*(run for run in unfinished if run is not None), *finished)


def _finished(folders: list[Path], spec: Spec, header: Header, *, sha256: str) -> Iterator[Earlier]:
    """Yield the finished runs of a recipe, those that would come out the same first."""
    others = []
    for folder in folders:
        made_with = _read(folder / "facts.json")
        if made_with.get("recipe_sha256") != sha256:
            continue
        same_code = made_with.get("code_sha256") == facts.code_sha256()
        same_code = same_code and made_with.get("packages") == facts.packages()
        earlier = Earlier(
            folder.name,
            "finished",
            same_code,
            _same_data(folder, spec, header),
            is_stopped=Run(folder).is_stopped,
        )
        if earlier.same_code and earlier.same_data and not earlier.is_stopped:
            yield earlier
        else:
            others.append(earlier)
    yield from others


def _unfinished(folder: Path, spec: Spec, header: Header, *, sha256: str) -> Earlier | None:
    stored = _read(folder / "recipe.json")
    canonical = json.dumps(stored, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    if not stored or hashlib.sha256(canonical.encode()).hexdigest() != sha256:
        return None
    run = folder.name.removesuffix(PARTIAL)
    source = _read(folder / "data.json").get("source")
    same_code = None
    if isinstance(source, dict):
        digest = facts.identity(recipe_sha256=sha256, data_sha256=str(source.get("sha256")))
        same_code = run.endswith(digest[:8])
    return Earlier(
        run,
        state_of(folder),
        same_code,
        _same_data(folder, spec, header),
        tuple(sorted(entry.name for entry in folder.iterdir())),
    )


def _same_data(folder: Path, spec: Spec, header: Header) -> bool | None:
    """Tell by size and time of modification whether the data is what a run has read."""
    source = _read(folder / "data.json").get("source")
    began = _STAMP.match(folder.name)
    # What a server holds has no time of modification.
    if not isinstance(source, dict) or began is None or is_remote(spec.data.path) or spec.data.join:
        return None
    # A run's id is made after its data was read, and its seconds are cut.
    moment = datetime.strptime(began[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC).timestamp() + 1
    return source.get("n_bytes") == header.n_bytes and spec.data_path().stat().st_mtime <= moment


def _read(file: Path) -> Json:
    """Return a JSON object, empty where the file is missing or damaged."""
    try:
        return Run(file.parent).read(file.name)
    except EngineError:
        return {}

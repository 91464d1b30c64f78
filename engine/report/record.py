"""What lies in a run folder, read once: the only source of every number in a report.

A file that is not there is an absent fact, not a mistake; whoever shows it says so.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
JSON_FILES = ("recipe", "metrics", "gates", "data", "facts", "champion")


@dataclass(frozen=True, slots=True)
class Record:
    """The recorded facts of one run; each JSON file that is absent is None."""

    folder: Path
    recipe: Json
    metrics: Json
    gates: Json
    data: Json
    facts: Json
    recipe_text: str
    champion: Json = None

    @property
    def predictions(self) -> Path:
        """Where the test rows and their predictions lie, if they were kept."""
        return self.folder / "predictions.parquet"


def read(folder: Path) -> Record:
    """Read the recorded facts that lie in `folder`.

    Raises
    ------
    EngineError
        If a file is there but is not JSON.
    """
    nodes = {name: _read_json(folder / f"{name}.json") for name in JSON_FILES}
    text = folder / "recipe.yaml"
    recipe_text = text.read_text(encoding="utf-8") if text.exists() else ""
    return Record(folder=folder, recipe_text=recipe_text, **nodes)


def _read_json(path: Path) -> Json:
    if not path.exists():
        return None
    try:
        node: Json = json.loads(path.read_bytes())
    except ValueError as exc:
        raise EngineError.of(f"{path.name} is not JSON: {exc}", file=str(path)) from exc
    return node


def at(node: Json, *path: str) -> Json:
    """Return what stands under the keys of `path`, None where a key is absent; of a list, places are keys.

    Examples
    --------
    >>> at({"model": {"family": "ridge"}}, "model", "family")
    'ridge'
    >>> at({"model": None}, "model", "family") is None
    True
    >>> at({"gates": ["f1"]}, "gates", "0")
    'f1'
    """
    for key in path:
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return None
    return node


def is_null(node: Json, *path: str) -> bool:
    """Tell whether null was recorded under `path`: a fact that there is nothing, not an absent fact."""
    parent = at(node, *path[:-1])
    return isinstance(parent, dict) and path[-1] in parent and parent[path[-1]] is None


def number(node: Json, *path: str) -> float | None:
    """Return the finite number under `path`, or None: a boolean is not a number here."""
    found = at(node, *path)
    if isinstance(found, bool) or not isinstance(found, int | float) or not math.isfinite(found):
        return None
    return found


def text(node: Json, *path: str) -> str | None:
    """Return the scalar under `path` as the person wrote it, or None when absent, null or not a scalar."""
    found = at(node, *path)
    return None if found is None or isinstance(found, dict | list) else plain(found)


def members(node: Json, *path: str) -> dict[str, Json]:
    """Return the mapping under `path`, empty when absent."""
    found = at(node, *path)
    return found if isinstance(found, dict) else {}


def elements(node: Json, *path: str) -> list[Json]:
    """Return the list under `path`, empty when absent; a recipe may write one text without its brackets."""
    found = at(node, *path)
    return found if isinstance(found, list) else [found] if isinstance(found, str) else []


def threshold_groups(record: Record) -> list[str]:
    """Return what the groups with a threshold of their own are called.

    They are counted where a column's values tell who a person is.
    """
    by = [plain(name) for name in elements(record.facts, "thresholds", "by")]
    own = elements(record.facts, "thresholds", "own")
    if any(at(record.recipe, "schema", "columns", name, "pii") is True for name in by):
        return [f"group {place + 1}" for place in range(len(own))]
    return [", ".join(plain(value) for value in elements(one, "values")) for one in own]


def plain(value: Json) -> str:
    """Return a JSON value in words: strings bare, the rest as JSON writes it.

    Examples
    --------
    >>> plain(True), plain(0.5), plain("a"), plain([1, None])
    ('true', '0.5', 'a', '[1, null]')
    """
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

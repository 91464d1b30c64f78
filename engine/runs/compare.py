"""What changed between two runs: data, code, recipe, versions, metrics with their intervals."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from engine.runs.drift import columns_of, drifts
from engine.runs.run import Json, Run

_ABSENT = object()
_MODEL = ("model.family", "model.estimator")


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs; the values are written as JSON, empty where a run lacks the key."""

    about: str
    key: str
    first: str
    second: str
    psi: float | None = None

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form: a feature that drifted has its `psi`."""
        found: dict[str, object] = {
            "about": self.about,
            "key": self.key,
            "first": self.first,
            "second": self.second,
        }
        return found if self.psi is None else {**found, "psi": self.psi}


def compare(first: Run, second: Run) -> list[Difference]:
    """Return every difference, grouped: data, drift, code, recipe, versions, metrics."""
    told = [
        Difference(about, ".".join(path), _written(one), _written(other))
        for about, left, right in _sections(first, second)
        for path, one, other in _walk(left, right, ())
    ]
    if first.facts["data_sha256"] == second.facts["data_sha256"]:
        # Other training rows of one table are another split, which is told.
        return told
    return told + [
        Difference(
            "drift",
            drift.column,
            drift.first,
            f"{drift.second}; {drift.size} (PSI {drift.psi:.2f})",
            drift.psi,
        )
        for drift in drifts(first, second)
    ]


def set_apart(recipes: Sequence[Json]) -> list[dict[str, str]]:
    """Return the keys that set each of several recipes apart from the others, with its values.

    What belongs to a model (`model.params.C`) is held against recipes of that family and estimator only, and
    these two are left out: who lists runs names them anyway.
    """
    flat = [{".".join(path): value for path, value in _leaves(recipe, ())} for recipe in recipes]
    models = [tuple(str(leaves.pop(key, "")) for key in _MODEL) for leaves in flat]
    everywhere = _varying(flat)
    within = {
        model: _varying([leaves for leaves, its in zip(flat, models, strict=True) if its == model])
        for model in models
    }
    return [
        {
            key: _written(value)
            for key, value in leaves.items()
            if key in (within[model] if key.startswith("model.") else everywhere)
        }
        for leaves, model in zip(flat, models, strict=True)
    ]


def short_keys(recipes: Sequence[Json]) -> dict[str, str]:
    """Return of each key the shortest end that no other key of these recipes has: `seed`, `params.C`."""
    keys = dict.fromkeys(path for recipe in recipes for path, _ in _leaves(recipe, ()))
    ends = Counter(path[-n:] for path in keys for n in range(1, len(path) + 1))
    shortest = {
        path: next((path[-n:] for n in range(1, len(path)) if ends[path[-n:]] == 1), path) for path in keys
    }
    return {".".join(path): ".".join(end) for path, end in shortest.items()}


def _varying(flat: Sequence[Mapping[str, object]]) -> set[str]:
    """Return the keys that not all have with one value."""
    first = flat[0] if flat else {}
    keys = dict.fromkeys(key for leaves in flat for key in leaves)
    return {key for key in keys for leaves in flat if leaves.get(key, _ABSENT) != first.get(key, _ABSENT)}


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
    else:
        yield path, value


def _sections(first: Run, second: Run) -> Iterator[tuple[str, object, object]]:
    for about, told in _TOLD.items():
        yield about, told(first), told(second)


def _data(run: Run) -> Json:
    data = run.read("data.json")
    # A run of an earlier engine has not all of these.
    kept: Json = {
        key: data[key]
        for key in ("n_rows", "n_rows_read", "sample", "content", "dvc", "split")
        if key in data
    }
    found: Json = {"sha256": run.facts["data_sha256"], **kept, "columns": columns_of(run)}
    source = data.get("source")
    version = source.get("version") if isinstance(source, dict) else None
    return found if version is None else {**found, "version": version}


def _code(run: Run) -> Json:
    return {"sha256": run.facts["code_sha256"], "git": run.facts["git"]}


def _versions(run: Run) -> Json:
    return {"python": run.facts["python"], **cast("Json", run.facts["packages"])}


def _scores(run: Run) -> Json:
    parts = cast("dict[str, dict[str, object]]", run.metrics)
    return {
        f"{part} {name}": _Score(value)
        for part in ("validation", "test")
        for name, value in parts[part].items()
    }


@dataclass(frozen=True, slots=True)
class _Score:
    """A score that is compared whole and written with its interval."""

    scored: object

    def __str__(self) -> str:
        scored = cast("Mapping[str, float | None]", self.scored)
        value, low, high = (scored.get(name) for name in ("value", "low", "high"))
        words = "undefined" if value is None else f"{value:.6g}"
        return words if low is None or high is None else f"{words} [{low:.6g}, {high:.6g}]"


_TOLD: Mapping[str, Callable[[Run], Json]] = {
    "data": _data,
    "code": _code,
    "recipe": lambda run: run.read("recipe.json"),
    "versions": _versions,
    "metrics": _scores,
    "gates": lambda run: {"passed": run.passed},
}


def _walk(
    one: object, other: object, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], object, object]]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in dict.fromkeys([*one, *other]):
            yield from _walk(one.get(key, _ABSENT), other.get(key, _ABSENT), (*path, str(key)))
    elif one != other:
        yield path, one, other


def _written(value: object) -> str:
    if value is _ABSENT:
        return ""
    if isinstance(value, _Score):
        return str(value)
    words = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return words if len(words) <= 80 else words[:77] + "…"  # noqa: PLR2004 (a cell's worth)

"""What changed between two runs: data, code, recipe, versions, metrics with their intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from engine.runs.run import Json, Run

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs; the values are written as JSON, empty where a run lacks the key."""

    about: str
    key: str
    first: str
    second: str

    def to_json(self) -> dict[str, str]:
        """Return the documented JSON form."""
        return {"about": self.about, "key": self.key, "first": self.first, "second": self.second}


def compare(first: Run, second: Run) -> list[Difference]:
    """Return every difference, grouped: data, code, recipe, versions, metrics."""
    return [
        Difference(about, ".".join(path), _written(one), _written(other))
        for about, left, right in _sections(first, second)
        for path, one, other in _walk(left, right, ())
    ]


def _sections(first: Run, second: Run) -> Iterator[tuple[str, object, object]]:
    for about, told in _TOLD.items():
        yield about, told(first), told(second)


def _data(run: Run) -> Json:
    data = run.read("data.json")
    return {"sha256": run.facts["data_sha256"], "n_rows": data["n_rows"], "split": data["split"]}


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

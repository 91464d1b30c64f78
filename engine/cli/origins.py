"""Where each value of a recipe comes from: `engine plan --origins`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.recipe.places import Places
from engine.recipe.references import Reference, read
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain


@dataclass(frozen=True, slots=True)
class Through:
    """A reference that a value came through, and where that was written."""

    reference: str
    where: str


@dataclass(frozen=True, slots=True)
class Origin:
    """One value, and where it was written.

    Attributes
    ----------
    value
        As YAML would write it; what the environment gave stands as the `${oc.env:NAME}` that asks for it.
    where
        `file:line` or `command line`: of a value that is another key's, that key's.
    through
        The references from this key to that one, in order.
    holds
        Of a text or a list with other keys' values in it, each reference, and where that key was written.
    """

    key: str
    value: str
    where: str
    through: tuple[Through, ...] = ()
    holds: tuple[Through, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form."""
        return {
            "key": self.key,
            "value": self.value,
            "from": self.where,
            "through": [{"reference": step.reference, "from": step.where} for step in self.through],
            "holds": [{"reference": part.reference, "from": part.where} for part in self.holds],
        }

    def __str__(self) -> str:
        """Say it for people."""
        words = [self.where]
        words += [f"through {step.reference} ({step.where})" for step in self.through]
        words += [f"with {part.reference} ({part.where})" for part in self.holds]
        return ", ".join(words)


def origins_of(spec: Spec) -> list[Origin]:
    """Return where each value of a recipe was written, in the recipe's order."""
    return [_origin(path, _written(value), spec.places) for path, value in _values(spec.to_plain(), ())]


def _values(plain: Plain, path: KeyPath) -> Iterator[tuple[KeyPath, Plain]]:
    if isinstance(plain, dict) and plain:
        for key, inner in plain.items():
            yield from _values(inner, (*path, key))
    else:
        yield path, plain


def _origin(path: KeyPath, value: str, places: Places) -> Origin:
    at, through = path, []
    while (target := _target(at, places)) is not None:
        through.append(Through(str(target[0]), _place(at, places)))
        at = target[1]
    holds = [
        Through(str(piece), _place(_path_of(piece, inner), places))
        for inner, text in places.references.items()
        if inner[: len(at)] == at
        for piece in read(text)
        if isinstance(piece, Reference)
    ]
    return Origin(".".join(path), value, _place(at, places), tuple(through), tuple(holds))


def _target(path: KeyPath, places: Places) -> tuple[Reference, KeyPath] | None:
    """Return the reference that stands for a key, or for one above it, and the key that it leads to."""
    for end in range(len(path), 0, -1):
        if path[:end] in places.references:
            pieces = read(places.references[path[:end]])
            if len(pieces) == 1 and isinstance(pieces[0], Reference):
                return pieces[0], (*_path_of(pieces[0], path[:end]), *path[end:])
            return None
    return None


def _path_of(reference: Reference, path: KeyPath) -> KeyPath:
    return (*path[: -reference.up], *reference.path) if reference.up else reference.path


def _place(path: KeyPath, places: Places) -> str:
    file, line = places.find(path)
    return f"{file}:{line}" if line else file


def _written(value: Plain) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    return "{}" if value == {} else str(value)

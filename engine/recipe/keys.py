"""The keys of a model of the spec, and the words and the command that name one.

What says which key was meant is in `mistakes`, which is loaded where something is wrong.
"""

from __future__ import annotations

import re

from pydantic import BaseModel

from engine.recipe.text import KeyPath, Plain

# Mappings whose keys are a library's, a table's or a person's.
_OTHERS = (
    *(("data", "population"), ("governance", "annex_iv")),
    *(("model", "params"), ("model", "space"), ("tune", "space")),
)
# A name that a shell and a dotted key take as it is.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")


def model_keys(model: type[BaseModel] | None) -> tuple[str, ...]:
    """Return the keys a model takes, as recipes write them."""
    if model is None:
        return ()
    return tuple(sorted(info.alias or name for name, info in model.model_fields.items()))


def options_of(path: KeyPath, model: type[BaseModel]) -> str:
    """Return the command that says what a key takes; of a key with an odd name, what its section does."""
    if not path or path[0] not in model_keys(model):
        return "engine options"
    path = path[:2] if path[:2] in _OTHERS else path
    # The place of a value in a list is no key.
    path = path[: next((at for at, part in enumerate(path) if at and part.isdecimal()), len(path))]
    odd = next((index for index, part in enumerate(path) if not _PLAIN_NAME.fullmatch(part)), len(path))
    return f"engine options {'.'.join(path[: max(odd, 1)])}"


def unknown_words(path: KeyPath) -> str:
    """Say that a key is none of those that may stand where it stands."""
    parent = ".".join(path[:-1])
    return f"'{path[-1]}' is not a key of {parent or 'a recipe'}"


def without(tree: dict[str, Plain], path: KeyPath) -> dict[str, Plain]:
    """Return a mapping without one of its keys; the one that is given stays as it is."""
    name, *below = path
    inner = tree.get(name)
    if below and isinstance(inner, dict):
        return {**tree, name: without(inner, tuple(below))}
    return {key: value for key, value in tree.items() if key != name}

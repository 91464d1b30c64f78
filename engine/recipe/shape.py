"""Where the spec wants a list and where a mapping.

Asked of every recipe, so read from the annotations: to write the JSON Schema takes as long as to compose.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel

from engine.recipe.text import KeyPath, Plain


def clashes(model: type[BaseModel], value: Plain, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Yield where a list stands for a mapping, or a mapping for a list, which no file can be merged over."""
    kinds: tuple[object, ...] = (model,)
    for part in path:
        kinds = tuple(inner for kind in kinds for inner in _inner(kind, part))
    return _clashes(model, kinds, value, path)


def _clashes(
    model: type[BaseModel], kinds: tuple[object, ...], value: Plain, path: KeyPath
) -> Iterator[tuple[KeyPath, str]]:
    takes_mapping, takes_list = any(map(_is_mapping, kinds)), any(map(_is_list, kinds))
    is_clash = (isinstance(value, list) and takes_mapping and not takes_list) or (
        isinstance(value, dict) and takes_list and not takes_mapping
    )
    if is_clash:
        from engine.recipe.expected import expected_at

        given = "a list" if isinstance(value, list) else "a mapping"
        yield path, f"expected {expected_at(model, path, value)}, got {given}"
    elif isinstance(value, dict):
        for key, inner in value.items():
            below = tuple(further for kind in kinds for further in _inner(kind, key))
            if below and isinstance(inner, dict | list):
                yield from _clashes(model, below, inner, (*path, key))


def _is_mapping(kind: object) -> bool:
    return get_origin(kind) is dict or (isinstance(kind, type) and issubclass(kind, BaseModel))


def _is_list(kind: object) -> bool:
    return get_origin(kind) in (tuple, list)


def _inner(kind: object, key: str | int) -> tuple[object, ...]:
    """Return the kinds of value that a kind holds under a key; nothing where it has no such key."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _fields(kind).get(str(key), ())
    if get_origin(kind) is dict:
        return _kinds(get_args(kind)[1])
    return _kinds(get_args(kind)[0]) if _is_list(kind) else ()


@cache
def _fields(model: type[BaseModel]) -> Mapping[str, tuple[object, ...]]:
    fields = model.model_fields.items()
    return {field.alias or name: _kinds(field.annotation) for name, field in fields}


def _kinds(annotation: object) -> tuple[object, ...]:
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(kind for option in get_args(annotation) for kind in _kinds(option))
    return (annotation,)

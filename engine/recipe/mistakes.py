"""Turns what Hydra, OmegaConf and pydantic say into our messages: place, cure, what is allowed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from pydantic import BaseModel

from engine.errors import Message, RecipeError, nearest
from engine.recipe.overrides import Overrides
from engine.recipe.places import COMMAND_LINE, Places
from engine.recipe.text import KeyPath, Plain

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from omegaconf.errors import OmegaConfBaseException
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "a text",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "finite_number": "a finite number",
}


def explain_hydra(error: Exception, given: Overrides, compose_bare: Callable[[], DictConfig]) -> RecipeError:
    """Say which overrides do not fit the recipe, each with the nearest key."""
    from omegaconf import OmegaConf

    plain: object
    try:
        plain = OmegaConf.to_container(compose_bare())
    except Exception:  # noqa: BLE001 (the recipe itself does not compose: Hydra's own words say why)
        plain = None
    mistakes = []
    for key, line in zip(given.keys, given.values, strict=True):
        if isinstance(plain, dict) and not line.startswith("+"):
            wrong = unknown_key(tuple(key.split(".")), plain)
            mistakes += [wrong] if wrong is not None else []
    if not mistakes:
        words = str(error).strip() or type(error).__name__
        return RecipeError.of(words.splitlines()[0][:500], file=COMMAND_LINE if given.values else "")
    return RecipeError(mistakes)


def unknown_key(path: KeyPath, plain: object) -> Message | None:
    """Say which part of a key on the command line the recipe does not have."""
    node, key = plain, ".".join(path)
    for index, part in enumerate(path):
        if not isinstance(node, Mapping):
            above = ".".join(path[:index])
            return Message(f"'{above}' holds one value, so '{key}' can't be set", key, COMMAND_LINE)
        if part not in node:
            known = tuple(sorted(str(name) for name in node if name != "hydra"))
            parent = ".".join(path[:index])
            of = f"a key of {parent}" if parent else "a key of a recipe"
            suggestion = nearest(part, known)
            if suggestion:
                suggestion = ".".join([*path[:index], suggestion, *path[index + 1 :]])
            try_ = f"engine options {path[0]}" if index else "engine options"
            return Message(f"'{part}' is not {of}", key, COMMAND_LINE, None, suggestion, known, try_)
        node = node[part]
    return None


def explain_omegaconf(error: OmegaConfBaseException, places: Places) -> RecipeError:
    """Say which value can't be resolved, and where it stands."""
    key = str(error.full_key or "")
    words = str(error.msg or error).splitlines()[0][:300]
    missing = re.search(r"Environment variable '([^']*)' not found", words)
    if missing:
        words = f"the environment variable {missing[1]} is not set"
    elif isinstance(error, RecursionError) or "recurs" in words.lower():
        words = "the interpolation refers to itself"
    return RecipeError([places.locate(Message(words, key))])


def explain_pydantic(
    details: list[ErrorDetails],
    *,
    model: type[BaseModel],
    plain: Mapping[str, Plain],
    places: Places,
    from_environment: Collection[KeyPath],
) -> list[Message]:
    """Turn pydantic's list into messages, one a key; no value of the environment is in them."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in details:
        is_missing = detail["type"] == "missing"
        by_path.setdefault(_real_path(detail["loc"], plain, is_missing=is_missing), []).append(detail)
    messages = []
    for path, found in by_path.items():
        message = _one(found, path, model, is_secret=path in from_environment)
        if found[0]["type"] == "missing":
            file, line = places.find_missing(path)
            message = replace(message, file=file, line=line)
        messages.append(places.locate(message, path))
    return messages


def _one(found: list[ErrorDetails], path: KeyPath, model: type[BaseModel], *, is_secret: bool) -> Message:
    """Explain what is wrong with one key; a union reports once for each of its members."""
    detail = found[0]
    key, name = ".".join(path), path[-1] if path else ""
    kind, given = detail["type"], detail["input"]
    shown = "a text from the environment" if is_secret else _shown(given)
    try_ = f"engine options {path[0]}" if path and path[0] in model_keys(model) else "engine options"
    if kind == "extra_forbidden":
        known = model_keys(_model_at(model, path[:-1]))
        parent = ".".join(path[:-1])
        of = f"a key of {parent}" if parent else "a key of a recipe"
        return Message(
            f"'{name}' is not {of}", key, suggestion=nearest(name, known), allowed=known, try_=try_
        )
    if kind == "missing":
        return Message(f"'{name}' is missing: it has no default", key, try_=try_)
    if kind == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
        allowed = tuple(word.strip("'") for word in expected.split(", ") if word)
        suggestion = "" if is_secret else nearest(str(given), allowed)
        return Message(f"{shown} is not allowed", key, suggestion=suggestion, allowed=allowed, try_=try_)
    if kind in _EXPECTED:
        kinds = dict.fromkeys(_EXPECTED[other["type"]] for other in found if other["type"] in _EXPECTED)
        *most, last = kinds
        expected = f"{', '.join(most)} or {last}" if most else last
        return Message(f"expected {expected}, got {shown}", key, try_=try_)
    words = detail["msg"][0].lower() + detail["msg"][1:]
    return Message(f"{shown}: {words.removeprefix('input ')}", key, try_=try_)


def model_keys(model: type[BaseModel] | None) -> tuple[str, ...]:
    """Return the keys a model takes, as recipes write them."""
    if model is None:
        return ()
    return tuple(sorted(info.alias or name for name, info in model.model_fields.items()))


def _model_at(model: type[BaseModel] | None, path: KeyPath) -> type[BaseModel] | None:
    """Follow a key path through nested models; a mapping's own keys are stepped over."""
    annotation: object = model
    for part in path:
        inner = next(iter(_models_in(annotation)), None)
        if inner is None:
            return None
        fields = {info.alias or name: info for name, info in inner.model_fields.items()}
        if get_origin(annotation) is dict:
            annotation = inner
        elif part in fields:
            annotation = _without_none(fields[part].annotation)
        else:
            return None
    return next(iter(_models_in(annotation)), None)


def _without_none(annotation: object) -> object:
    arguments = [item for item in get_args(annotation) if item is not type(None)]
    is_optional = len(arguments) == 1 and get_origin(annotation) not in (dict, tuple, list, Literal)
    return arguments[0] if is_optional else annotation


def _models_in(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in get_args(annotation) for found in _models_in(argument)]


def _real_path(loc: tuple[int | str, ...], plain: Mapping[str, Plain], *, is_missing: bool) -> KeyPath:
    """Drop what pydantic adds to a location for the members of a union."""
    path: list[str] = []
    node: Plain = dict(plain)
    for part in loc:
        if isinstance(node, dict) and (str(part) in node or (is_missing and part == loc[-1])):
            path.append(str(part))
            node = node.get(str(part))
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            path.append(str(part))
            node = node[part]
        else:
            break
    return tuple(path)


def _shown(value: object) -> str:
    words = f"'{value}'" if isinstance(value, str) else str(value)
    if isinstance(value, bool):
        words = words.lower()
    if value is None:
        words = "null"
    return words if len(words) <= 60 else words[:57] + "…"  # noqa: PLR2004 (a line's worth)

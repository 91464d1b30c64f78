"""Turns what pydantic says of a composed recipe into our messages, each with what was most likely meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args, get_origin

from pydantic import BaseModel

from engine.errors import Message
from engine.recipe.expected import allows_null, expected_at, keys_elsewhere, meant_at, nearest_word
from engine.recipe.keys import model_keys, options_of, unknown_words
from engine.recipe.places import COMMAND_LINE, Places
from engine.recipe.plainly import in_yaml
from engine.recipe.text import KeyPath, Plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_COLUMNS = ("schema", "columns")
# Keys of sections that other tools have at the top.
_ELSEWHERE = ("model.params", "split.test")
_MAX_SHOWN = 60
# Sections of which no option can be chosen.
_NO_GROUPS = ("goal", "schema", "name", "runs", "seed", "recipe_version")
_OPTION = re.compile(r"[a-z][a-z0-9_]*")
# Where one word is a key of more sections than these, none of them was more likely meant.
_MAX_SECTIONS = 2


@dataclass(frozen=True, slots=True)
class Mistake:
    """A message, the key that it is about, and what was most likely meant.

    Attributes
    ----------
    renamed
        The key that was meant instead; empty if none is near.
    meant
        The value that was meant instead; None if none is near.
    with_
        Other keys that were meant as a part of that value.
    """

    message: Message
    path: KeyPath
    kind: Literal["unknown", "missing", "value"]
    renamed: KeyPath = ()
    meant: Plain = None
    with_: tuple[KeyPath, ...] = ()


def explain_pydantic(
    details: list[ErrorDetails],
    *,
    model: type[BaseModel],
    plain: Mapping[str, Plain],
    places: Places,
    from_environment: Collection[KeyPath],
) -> list[Mistake]:
    """Turn pydantic's list into mistakes, one a key; no value of the environment is in them."""
    by_path: dict[KeyPath, ErrorDetails] = {}
    for detail in details:
        by_path.setdefault(_real_path(detail["loc"], plain, is_missing=detail["type"] == "missing"), detail)
    mistakes = []
    above = {path[:end] for path in by_path for end in range(len(path))}
    for path, detail in by_path.items():
        # Of a union both are told: that it is none of the others, and what is wrong with it as what it is.
        if path in above:
            continue
        if detail["type"] == "extra_forbidden":
            mistakes.append(_unknown(path, model, places))
        elif detail["type"] == "missing":
            mistakes.append(_missing(path, model, plain, places))
        else:
            mistakes.append(_value(detail, path, model, is_secret=path in from_environment))
    return list(_told_once(list(_joined_lists(mistakes, plain))))


def meant_key(path: KeyPath, *, model: type[BaseModel], known: Collection[str]) -> KeyPath:
    """Return the key that was most likely meant by one that is not known; empty if none is near.

    `known` are the keys that may stand beside it, and do not yet.
    """
    *above, name = path
    by_case = next((key for key in known if key.casefold() == name.casefold()), "")
    if by_case:
        return (*above, by_case)
    elsewhere = keys_elsewhere(model, name) if len(path) <= 2 else ()  # noqa: PLR2004 (a section's own key)
    if 0 < len(elsewhere) <= _MAX_SECTIONS:
        return tuple(elsewhere[0].split("."))
    top = _ELSEWHERE if len(path) == 1 else ()
    if near := nearest_word(name, (*known, *top)):
        return tuple(near.split(".")) if near in top else (*above, near)
    return ("model", "params", name) if above == ["model"] else ()


def _told_once(mistakes: list[Mistake]) -> Iterator[Mistake]:
    """Leave out that a key is missing where another one stands in its place."""
    renamed = {mistake.renamed for mistake in mistakes}
    return (mistake for mistake in mistakes if mistake.kind != "missing" or mistake.path not in renamed)


def _joined_lists(mistakes: list[Mistake], plain: Mapping[str, Plain]) -> Iterator[Mistake]:
    """Read `{values: a, b}` as the list that was meant: to YAML, `b` is a key that has no value."""
    by_mapping: dict[KeyPath, list[Mistake]] = {}
    for mistake in mistakes:
        if mistake.kind == "unknown" and _at(plain, mistake.path) is None:
            by_mapping.setdefault(mistake.path[:-1], []).append(mistake)
    joined: list[Mistake] = []
    for mistake in mistakes:
        others = by_mapping.get(mistake.path[:-1], [])
        if others and isinstance(mistake.meant, list):
            meant = [*mistake.meant, *(other.path[-1] for other in others)]
            yield replace(
                mistake,
                meant=meant,
                message=replace(mistake.message, suggestion=in_yaml(meant)),
                with_=tuple(other.path for other in others),
            )
            joined += others
        elif mistake not in joined:
            yield mistake


def _unknown(path: KeyPath, model: type[BaseModel], places: Places) -> Mistake:
    known = model_keys(_model_at(model, path[:-1]))
    written = places.written_beside(path)
    free = tuple(key for key in known if key not in written)
    if len(path) == 1:
        known = tuple(sorted((*known, "defaults")))
        free = tuple(key for key in known if key not in written)
    meant = meant_key(path, model=model, known=free)
    shown = ".".join(meant if meant[:-1] != path[:-1] else meant[-1:])
    what = unknown_words(path)
    if len(path) > 1 and meant == path[-1:]:
        what, shown = f"'{path[-1]}' belongs at the top of a recipe, and not in {'.'.join(path[:-1])}", ""
    message = Message(
        what,
        ".".join(path),
        suggestion=shown,
        allowed=known,
        try_=options_of(path[:-1], model),
    )
    return Mistake(message, path, "unknown", renamed=meant)


def _missing(path: KeyPath, model: type[BaseModel], plain: Mapping[str, Plain], places: Places) -> Mistake:
    key, name = ".".join(path), path[-1]
    file, line = places.find_missing(path)
    message = Message(
        f"'{name}' is missing: it has no default", key, file, line, try_=options_of(path, model)
    )
    if file == COMMAND_LINE and path[:2] == _COLUMNS:
        column = path[2]
        others = tuple(other for other in _keys(_at(plain, _COLUMNS)) if other != column)
        message = replace(
            message,
            what=f"'{column}' is not a column of the recipe, and a new one needs its type",
            key=".".join(path[:-1]),
            suggestion=nearest_word(column, others),
            allowed=others,
            try_=f"schema.columns.{column}={{type: …}}",
        )
        return Mistake(message, path[:-1], "unknown")
    if file == COMMAND_LINE:
        near = f"{key}=null" if allows_null(model, path) else ""
        message = replace(message, what=f"'{name}' is taken out, and a recipe needs it", suggestion=near)
    return Mistake(message, path, "missing")


def _value(detail: ErrorDetails, path: KeyPath, model: type[BaseModel], *, is_secret: bool) -> Mistake:
    key, given, try_ = ".".join(path), detail["input"], options_of(path, model)
    shown = "a text from the environment" if is_secret else shown_value(given)
    if detail["type"] == "literal_error":
        expected = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
        words = tuple(word.strip("'") for word in expected.split("', '") if word)
        near = "" if is_secret else nearest_word(str(given), words)
        allowed = tuple(word if word[:1].isalnum() else f"'{word}'" for word in words)
        message = Message(f"{shown} is not allowed", key, suggestion=near, allowed=allowed, try_=try_)
        return Mistake(message, path, "value", meant=near or None)
    meant, remark = (None, "") if is_secret else meant_at(model, path, given)
    suggestion = "" if meant is None or remark else in_yaml(meant)
    expected = expected_at(model, path, given)
    if len(path) == 1 and path[0] not in _NO_GROUPS and isinstance(given, str) and _OPTION.fullmatch(given):
        # What a defaults list says, written where it reads as the section itself.
        try_ = f"defaults: [base, {path[0]}: {given}, _self_]"
    if not expected:
        return Mistake(Message(f"{shown}: {detail['msg'].lower()}", key, try_=try_), path, "value")
    message = Message(f"expected {expected}, got {shown}{remark}", key, suggestion=suggestion, try_=try_)
    return Mistake(message, path, "value", meant=meant)


def shown_value(value: object) -> str:
    """Return a value as a recipe writes it, texts in quotes; of a list or mapping only that it is one."""
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    words = f"'{value}'" if isinstance(value, str) else str(value)
    return words if len(words) <= _MAX_SHOWN else f"{words[: _MAX_SHOWN - 3]}…"


def _at(plain: Mapping[str, Plain], path: KeyPath) -> Plain:
    node: Plain = dict(plain)
    for part in path:
        node = node.get(part) if isinstance(node, dict) else None
    return node


def _keys(node: Plain) -> tuple[str, ...]:
    return tuple(node) if isinstance(node, dict) else ()


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
    return tuple(path)

"""Keys on the command line that a recipe does not have, and those that were meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import replace

from engine.errors import Message, RecipeError
from engine.recipe.defaults import explain_missing
from engine.recipe.keys import options_of, unknown_words
from engine.recipe.mistakes import meant_key
from engine.recipe.overrides import Overrides
from engine.recipe.places import COMMAND_LINE
from engine.recipe.plainly import in_yaml
from engine.recipe.shape import clashes
from engine.recipe.spec import Spec
from engine.recipe.text import Document, KeyPath, Plain

_PREFIX = re.compile(r"\+\+|[+~]|")


def mend(given: Overrides, plain: Mapping[str, Plain]) -> tuple[Overrides, list[Message]]:
    """Return the overrides as they were meant, and say which of them do not fit a composed recipe.

    One without a near key is left out.
    """
    values, keys, mistakes = [], [], []
    for key, line in zip(given.keys, given.values, strict=True):
        prefix, path = _prefix(line), tuple(key.split("."))
        message, meant = _is_there(path, plain, line) if prefix == "+" else (None, path)
        if prefix not in ("+", "++"):
            message, meant = unknown_key(path, plain)
        if message is None and prefix == "~" and _at(path, plain) is None:
            what = f"'{key}' is null already: there is nothing to take out"
            message = Message(what, key, COMMAND_LINE, try_=options_of(path, Spec))
        named = line.partition("=")[2] if prefix == "~" else ""
        if message is None and named and named != in_yaml(_at(path, plain)):
            what = f"'{key}' has another value, so that {line} takes nothing out"
            message = Message(what, key, COMMAND_LINE, None, f"~{key}")
        if message is None:
            values.append(line)
            keys.append(key)
            continue
        mistakes.append(message)
        if meant and prefix != "~":
            renamed = ".".join(meant)
            values.append(renamed + line.removeprefix(prefix).removeprefix(key))
            keys.append(renamed)
    return replace(given, values=tuple(values), keys=tuple(keys)), mistakes


def unexplained(
    error: Exception,
    given: Overrides,
    documents: Mapping[str, Document],
    groups: Mapping[str, Collection[str]],
) -> RecipeError:
    """Say where a file of a group includes what is not there, or has a list for a mapping, or the reverse.

    Of what else went wrong there are Hydra's own words.
    """
    mistakes = explain_missing(str(getattr(error, "missing_cfg_file", "")), documents, groups)
    for name, document in documents.items():
        group = tuple(name.split("/")[:-1])
        for path, what in clashes(Spec, document.value, group):
            line = document.lines.get(path[len(group) :])
            key, try_ = ".".join(path), options_of(path, Spec)
            mistakes.append(Message(what, key, document.file, line, try_=try_))
    if mistakes:
        return RecipeError(mistakes)
    words = str(error.__cause__ or error).strip() or type(error).__name__
    return RecipeError.of(words.splitlines()[0][:500], file=COMMAND_LINE if given.values else "")


def unknown_key(path: KeyPath, plain: object) -> tuple[Message | None, KeyPath]:
    """Say which part of a key the recipe does not have, and return the key that was meant, if one is near."""
    node, key = plain, ".".join(path)
    for index, part in enumerate(path):
        if not isinstance(node, Mapping):
            above = ".".join(path[:index])
            what = f"'{above}' holds one value, so '{key}' can't be set"
            return Message(what, key, COMMAND_LINE, None, above, (), options_of(path[:index], Spec)), ()
        if part not in node:
            known = tuple(sorted(str(name) for name in node if name != "hydra"))
            meant = meant_key(path[: index + 1], model=Spec, known=known)
            full = (*meant, *path[index + 1 :]) if meant else ()
            try_ = options_of(path[:index], Spec)
            what = unknown_words(path[: index + 1])
            return Message(what, key, COMMAND_LINE, None, ".".join(full), known, try_), full
        node = node[part]
    return None, path


def _at(path: KeyPath, plain: Mapping[str, Plain]) -> Plain:
    """Return what stands at a path that is there."""
    node: Plain = dict(plain)
    for part in path:
        node = node[part] if isinstance(node, dict) else None
    return node


def _is_there(path: KeyPath, plain: object, line: str) -> tuple[Message | None, KeyPath]:
    """Say of a key to be added that it is there."""
    message, _ = unknown_key(path, plain)
    if message is not None:
        return None, path
    key = ".".join(path)
    what = f"'{key}' is there already: + adds a key that is not"
    return Message(what, key, COMMAND_LINE, None, line.removeprefix("+")), path


def _prefix(line: str) -> str:
    found = _PREFIX.match(line)
    return found[0] if found else ""

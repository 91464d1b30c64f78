"""Defaults lists: which options a recipe chooses, and what is wrong with the list."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from engine.errors import Message, RecipeError, nearest
from engine.recipe import text
from engine.recipe.find import find_base
from engine.recipe.text import Plain

_EXAMPLE = "defaults: [base, model: lightgbm, _self_]"
_OVERRIDE = "override "


def read_choices(defaults: Plain, document: text.Document) -> tuple[dict[str, str], bool]:
    """Return the option that a recipe's list chooses for each group, and whether the recipe is closed.

    `base` and `_self_` are understood, `group: option` is a choice. Without a list a recipe stands on `base`;
    with an empty one, or `[_self_]`, it is closed: all of it stands in the file.

    Raises
    ------
    RecipeError
        If it is no list, holds something else, says something twice, or has `_self_` before `base`.
    """
    if defaults is None:
        return {}, False
    if not isinstance(defaults, list):
        what = "'defaults' is a list such as [base, model: lightgbm, _self_]"
        line = document.lines.get(("defaults",))
        raise RecipeError.of(what, key="defaults", file=document.file, line=line)
    choices: dict[str, str] = {}
    seen: list[str] = []
    mistakes = []
    for index, entry in enumerate(defaults):
        name, option = _entry(entry)
        wrong = ""
        suggestion = ""
        if name in seen:
            wrong = f"'{name}' stands twice"
        elif option is None and name not in ("base", "_self_"):
            wrong = f"'{name}' is not 'base', '_self_' or 'group: option'"
            suggestion = nearest(name, ["base"])
        elif name == "base" and "_self_" in seen:
            wrong = "'_self_' stands before 'base': the defaults would win over the recipe"
        seen.append(name)
        if wrong:
            line = document.lines.get(("defaults", str(index)))
            mistakes.append(Message(wrong, "defaults", document.file, line, suggestion, (), _EXAMPLE))
        elif option is not None:
            choices[name] = option
    if mistakes:
        raise RecipeError(mistakes)
    return choices, defaults in ([], ["_self_"])


def _entry(entry: Plain) -> tuple[str, str | None]:
    """Return an entry's name and, for a group, its option."""
    if not isinstance(entry, dict):
        return str(entry), None
    ((group, option),) = entry.items()
    return group.removeprefix(_OVERRIDE), "null" if option is None else str(option)


def defaults_list(choices: Mapping[str, str], based: Collection[str], *, closed: bool) -> list[Plain]:
    """Return the list in Hydra's words; `based` are the groups that the base chooses already."""
    if closed:
        only: list[Plain] = ["_self_"]
        return only + [{group: option} for group, option in choices.items()]
    added: list[Plain] = [{group: option} for group, option in choices.items() if group not in based]
    chosen: list[Plain] = [
        {f"{_OVERRIDE}{group}": option} for group, option in choices.items() if group in based
    ]
    # Hydra wants `_self_` before the overriding entries; the primary config still merges after `base`.
    return ["base", *added, "_self_", *chosen]


def base_groups(folders: Sequence[Path]) -> frozenset[str]:
    """Return the groups for which the base chooses an option.

    Raises
    ------
    RecipeError
        If the base is no YAML mapping.
    """
    defaults = text.read(find_base(folders)).mapping().get("defaults")
    entries = defaults if isinstance(defaults, list) else ()
    return frozenset(_entry(entry)[0] for entry in entries if isinstance(entry, dict) and len(entry) == 1)


def explain_cycle(documents: Mapping[str, text.Document]) -> RecipeError:
    """Say which file's defaults lead back to itself."""
    found = [
        Message(
            "the defaults of this file lead back to itself",
            "defaults",
            document.file,
            document.lines.get(("defaults",)),
        )
        for name, document in documents.items()
        if name in _reached(name, documents)
    ]
    return RecipeError(found or [Message("the defaults lead back to themselves", "defaults")])


def _reached(start: str, documents: Mapping[str, text.Document]) -> set[str]:
    reached: set[str] = set()
    ahead = [start]
    while ahead:
        name = ahead.pop()
        if name in documents:
            new = _included(name, documents[name]) - reached
            reached |= new
            ahead.extend(new)
    return reached


def _included(name: str, document: text.Document) -> set[str]:
    """Return the names of the files that a file's defaults include."""
    defaults = document.mapping().get("defaults")
    group = name.rpartition("/")[0]
    entries = [_entry(entry) for entry in (defaults if isinstance(defaults, list) else ()) if entry]
    paths = [inner if option is None else f"{inner}/{option}" for inner, option in entries]
    return {f"{group}/{path}" if group else path for path in paths if path != "_self_"}

"""Defaults lists: which options a recipe chooses, and what is wrong with the list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from engine.errors import Message, RecipeError, nearest
from engine.recipe import text
from engine.recipe.find import find_base
from engine.recipe.text import Plain

_EXAMPLE = "defaults: [base, model: lightgbm, _self_]"
_OVERRIDE = "override "
_MAX_FILES = 60


def read_choices(
    defaults: Plain, document: text.Document, *, groups: Mapping[str, Collection[str]]
) -> tuple[dict[str, str], bool, list[Message]]:
    """Return the option that a recipe's list chooses for each group, and whether the recipe is closed.

    `base` and `_self_` are understood, `group: option` is a choice. Without a list a recipe stands on `base`;
    with an empty one, or `[_self_]`, it is closed: all of it stands in the file. What is wrong with the list
    is returned beside, and the rest is read: an entry that is something else, or says something twice, or
    `_self_` before `base`.
    """
    if defaults is None:
        return {}, False, []
    if not isinstance(defaults, list):
        return _not_a_list(defaults, document)
    choices: dict[str, str] = {}
    seen: list[str] = []
    mistakes = []
    for index, entry in enumerate(defaults):
        wrong, name, option = _read_entry(entry, seen, groups)
        seen.append(name)
        if wrong is not None:
            line = document.lines.get(("defaults", str(index)))
            mistakes.append(replace(wrong, key="defaults", file=document.file, line=line, try_=_EXAMPLE))
        if option is not None:
            choices.setdefault(name, option)
    return choices, defaults in ([], ["_self_"]), mistakes


def _not_a_list(defaults: Plain, document: text.Document) -> tuple[dict[str, str], bool, list[Message]]:
    from engine.recipe.plainly import in_yaml

    choices, meant = {}, ""
    if isinstance(defaults, dict):
        choices = {group: option for group, option in defaults.items() if isinstance(option, str)}
        meant = in_yaml([{group: option} for group, option in choices.items()])
    what = "'defaults' is a list such as [base, model: lightgbm, _self_]"
    line = document.lines.get(("defaults",))
    return choices, False, [Message(what, "defaults", document.file, line, meant)]


def _read_entry(
    entry: Plain, seen: Collection[str], groups: Mapping[str, Collection[str]]
) -> tuple[Message | None, str, str | None]:
    """Return what is wrong with an entry, and its name and option, as meant where that is near."""
    is_one = isinstance(entry, dict) and len(entry) == 1
    if is_one and isinstance(next(iter(cast("dict[str, Plain]", entry).values())), list | dict):
        return _several_options(cast("dict[str, Plain]", entry))
    if not isinstance(entry, str) and not is_one:
        from engine.recipe.plainly import in_yaml

        return Message(f"'{in_yaml(entry)}' is not 'base', '_self_' or 'group: option'"), "", None
    name, option = _entry(entry)
    if name in seen:
        return Message(f"'{name}' stands twice"), name, None
    if option is not None or name == "_self_":
        return None, name, option
    if name == "base":
        is_late = "_self_" in seen
        what = "'_self_' stands before 'base': the defaults would win over the recipe"
        return (Message(what) if is_late else None), name, None
    group, option = _meant(name, groups)
    meant = f"{group}: {option}" if option else nearest(name, ["base", "_self_"])
    return Message(f"'{name}' is not 'base', '_self_' or 'group: option'", suggestion=meant), group, option


def _several_options(entry: dict[str, Plain]) -> tuple[Message, str, None]:
    """Say that an entry gives a group more than one option."""
    from engine.recipe.plainly import in_yaml

    ((group, options),) = entry.items()
    what = f"'{in_yaml(entry)}': a group takes one option"
    several = ",".join(map(str, options if isinstance(options, list) else ()))
    return Message(f"{what}; engine run RECIPE -m {group}={several} makes a run of each"), group, None


def _meant(name: str, groups: Mapping[str, Collection[str]]) -> tuple[str, str | None]:
    """Return the group and option that were meant by `group=option`, `group/option` or an option alone."""
    group, _, option = name.replace("=", "/").partition("/")
    if option:
        return group, option
    owners = [group for group, options in groups.items() if name in options]
    return (owners[0], name) if len(owners) == 1 else (name, None)


def _entry(entry: Plain) -> tuple[str, str | None]:
    """Return an entry's name and, for a group, its option."""
    if not isinstance(entry, dict):
        return str(entry), None
    ((group, option),) = entry.items()
    return group.removeprefix(_OVERRIDE), "null" if option is None else str(option)


def defaults_list(choices: Mapping[str, str], based: Collection[str], *, closed: bool) -> list[Plain]:
    """Return the list in Hydra's words; `based` are the groups that the base chooses already."""
    if closed:
        options: list[Plain] = [{group: option} for group, option in choices.items()]
        return [*options, "_self_"]
    added: list[Plain] = [{group: option} for group, option in choices.items() if group not in based]
    chosen: list[Plain] = [
        {f"{_OVERRIDE}{group}": option} for group, option in choices.items() if group in based
    ]
    # Hydra wants `_self_` before the overriding entries; the primary config still merges after `base`.
    return ["base", *added, "_self_", *chosen]


def chosen_by_base(folders: Sequence[Path]) -> dict[str, str]:
    """Return the option that the base chooses for each group.

    Raises
    ------
    RecipeError
        If the base is no YAML mapping.
    """
    return base_choices(text.read(find_base(folders)).mapping())


def base_choices(base: Mapping[str, Plain]) -> dict[str, str]:
    """Return the option that a base chooses for each group."""
    defaults = base.get("defaults")
    entries = defaults if isinstance(defaults, list) else ()
    named = (_entry(entry) for entry in entries if isinstance(entry, dict) and len(entry) == 1)
    return {group: option for group, option in named if option is not None}


def refuse_too_much(documents: dict[str, text.Document]) -> None:
    """Refuse options that include each other without end, before what they include is multiplied out.

    Raises
    ------
    RecipeError
        If an option is included twice, or the files read so far are too many or hold too much.
    """
    document = next(reversed(documents.values()))
    if len(documents) > _MAX_FILES:
        raise RecipeError.of(f"more than {_MAX_FILES} files include each other", file=document.file)
    if sum(len(other.lines) for other in documents.values()) > text.MAX_NODES:
        raise RecipeError.of(f"all files together hold more than {text.MAX_NODES} values", file=document.file)
    included = Counter(path for name, other in documents.items() for path in _includes(name, other))
    twice = [path for path, count in included.items() if count > 1]
    if twice:
        line = document.lines.get(("defaults",))
        raise RecipeError.of(f"'{twice[0]}' is included twice", key="defaults", file=document.file, line=line)


def _includes(name: str, document: text.Document) -> list[str]:
    """Return the names that an option's defaults include, each as often as it is included."""
    defaults = document.mapping().get("defaults")
    group = name.rpartition("/")[0]
    if not group or not isinstance(defaults, list):
        return []
    added = [entry for entry in defaults if isinstance(entry, str) and entry != "_self_"]
    choices = [entry for entry in defaults if isinstance(entry, dict) and len(entry) == 1]
    for choice in choices:
        ((inner, option),) = choice.items()
        if not inner.startswith(_OVERRIDE):
            added += [f"{inner}/{one}" for one in (option if isinstance(option, list) else [option])]
    return [f"{group}/{path}" for path in added]


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


def explain_missing(
    missing: str, documents: Mapping[str, text.Document], groups: Mapping[str, Collection[str]]
) -> list[Message]:
    """Say which files include an option that is not there; `missing` is its group and name."""
    group, _, option = missing.rpartition("/")
    options = tuple(sorted(groups.get(group, ())))
    what, try_ = f"'{option}' is not an option of {group}", f"engine options {group}"
    return [
        Message(
            what,
            "defaults",
            document.file,
            document.lines.get(("defaults",)),
            nearest(option, options),
            options,
            try_,
        )
        for name, document in documents.items()
        if options and missing in _included(name, document)
    ]


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

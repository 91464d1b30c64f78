"""Which option each group of a recipe takes: told apart from typos, and placed where it was chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from engine.errors import Message, nearest
from engine.recipe import text
from engine.recipe.mistakes import model_keys
from engine.recipe.overrides import Choice
from engine.recipe.places import COMMAND_LINE, Place
from engine.recipe.spec import Spec
from engine.recipe.text import Plain

# What belongs to a family and means nothing to another one.
_FAMILY_KEYS = ("params", "space", "estimator")


class Repository(Protocol):
    """What is asked of Hydra's repository of configs."""

    def get_group_options(self, group_name: str, results_filter: object = ...) -> list[str]:
        """Return the options of a group."""


def known_groups(repository: Repository) -> dict[str, tuple[str, ...]]:
    """Return the options of each group, those of the user's own `conf/` with ours."""
    groups = repository.get_group_options("", None)
    found = {group: tuple(repository.get_group_options(group)) for group in groups}
    return {group: options for group, options in found.items() if options}


def check_choices(
    choices: Mapping[str, str], places: Mapping[str, Place], groups: Mapping[str, Collection[str]]
) -> tuple[dict[str, str], list[Message]]:
    """Return the choices that can be made, a wrong one as it was meant, and what is wrong with others."""
    keys = model_keys(Spec)
    named = tuple(name for name in groups if name in keys)
    sound: dict[str, str] = {}
    mistakes = []
    for group, option in choices.items():
        is_key = group.partition("/")[0] in keys
        options = tuple(groups.get(group, ()))
        if is_key and option in options:
            sound[group] = option
            continue
        if is_key and options:
            what, key, try_ = f"'{option}' is not an option of {group}", group, f"engine options {group}"
            near, known = nearest(option, options), options
            meant = (group, near)
        else:
            is_group = "a group, and not a key of a recipe" if options else "not a group"
            what, key, try_ = f"'{group}' is {is_group}", group if options else "defaults", "engine options"
            near, known = nearest(group, named), named
            meant = (near, option if option in groups.get(near, ()) else "")
        mistakes.append(Message(what, key, *places[group], near, tuple(sorted(known)), try_))
        if all(meant) and meant[0] not in choices:
            sound[meant[0]] = meant[1]
        elif all(meant) and meant[0] == group:
            sound[group] = meant[1]
    return sound, mistakes


def drop_old_family(
    body: dict[str, Plain], choices: Mapping[str, str], given: Sequence[Choice], *, closed: bool
) -> tuple[dict[str, Plain], tuple[str, ...]]:
    """Leave out what the recipe says about a family that the command line replaces.

    A closed recipe (one that was composed before) holds whole groups in its body, so the whole group goes.
    """
    body, notes = dict(body), []
    for choice in given:
        section = body.get(choice.group)
        if not isinstance(section, dict) or choices.get(choice.group) == choice.option:
            continue
        if closed:
            del body[choice.group]
        elif choice.group == "model":
            dropped = [key for key in _FAMILY_KEYS if key in section]
            body["model"] = {key: value for key, value in section.items() if key not in dropped}
            if dropped:
                names = ", ".join(f"model.{key}" for key in dropped)
                notes.append(
                    f"model={choice.option}: the recipe's {names} belong to the old family, left out"
                )
    return body, tuple(notes)


def places_of_choices(
    choices: Mapping[str, str], given: Sequence[Choice], document: text.Document
) -> dict[str, Place]:
    """Return where each group's option was chosen: on the command line, or on a line of the recipe."""
    places: dict[str, Place] = {group: (document.file, _default_line(document, group)) for group in choices}
    return places | {choice.group: (COMMAND_LINE, None) for choice in given}


def _default_line(document: text.Document, group: str) -> int | None:
    lines = (
        line
        for path, line in document.lines.items()
        if path[0] == "defaults" and path[-1].removeprefix("override ") == group
    )
    return next(lines, document.lines.get(("defaults",)))

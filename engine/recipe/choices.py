"""Which option each group of a recipe takes: told apart from typos, and placed where it was chosen."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.errors import Message, nearest
from engine.recipe import text
from engine.recipe.find import groups as options_in
from engine.recipe.find import shipped
from engine.recipe.keys import model_keys
from engine.recipe.overrides import Choice
from engine.recipe.places import COMMAND_LINE, Place
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain

# The keys that say which option of its group a section is.
_NAMING = frozenset({"kind", "family", "device", "depth"})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A recipe's body without the keys of another option, the paths of those, and a note on each group."""

    body: dict[str, Plain]
    paths: frozenset[KeyPath]
    notes: tuple[str, ...]


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
    choices: Mapping[str, str],
    places: Mapping[str, Place],
    groups: Mapping[str, Collection[str]],
    folders: Sequence[Path],
) -> tuple[dict[str, str], list[Message]]:
    """Return the choices that can be made, a wrong one as it was meant, and what is wrong with others.

    No option of the user's own is taken for a wrong one: what is wrong in its file is then not said.
    """
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
        is_ours = meant[1] in options_in(_ours(folders)).get(meant[0], ())
        if is_ours and (meant[0] == group or meant[0] not in choices):
            sound[meant[0]] = meant[1]
    return sound, mistakes


def leave_out_old(
    body: Mapping[str, Plain], given: Mapping[str, str], before: Mapping[str, str], folders: Sequence[Path]
) -> LeftOut:
    """Leave out the recipe's keys that would make another option of the one that the command line chooses.

    Those are the keys in which this option differs from one of the engine's own, such as `kind`, `device` or
    `params`; what all of them say alike, such as `split.test`, stays as the recipe has it. Where nothing else
    was chosen before, the recipe's section is about this very option and stays whole.

    Parameters
    ----------
    given
        The option that the command line chooses for each group.
    before
        What the recipe or the base chose; empty for a recipe that was composed before, which does not say it.
    folders
        Where options are looked up, the first that has one wins.
    """
    kept, paths, notes = dict(body), set(), []
    ours = _ours(folders)
    for group, option in given.items():
        section = body.get(group)
        if not isinstance(section, dict):
            continue
        own = _keys_of(folders, group, option)
        is_another = any(name in section and section[name] != own.get(name) for name in _NAMING & own.keys())
        if before.get(group) == option and not is_another:
            continue
        others = [_keys_of(ours, group, other) for other in options_in(ours).get(group, ())]
        varied = [key for key, value in section.items() if key not in own or value != own[key]]
        old = [key for key in varied if any(_differ(key, own, other) for other in others)]
        kept[group] = {key: value for key, value in section.items() if key not in old}
        paths |= {(group, key) for key in old}
        if old:
            names = ", ".join(f"{group}.{key}" for key in old)
            notes.append(f"{group}={option}: left out of the recipe, as of another option: {names}")
    return LeftOut(kept, frozenset(paths), tuple(notes))


def _ours(folders: Sequence[Path]) -> list[Path]:
    return [folder for folder in folders if folder.is_relative_to(shipped("conf").resolve())]


def _keys_of(folders: Sequence[Path], group: str, option: str) -> dict[str, Plain]:
    files = (folder / group / f"{option}.yaml" for folder in folders)
    file = next((file for file in files if file.is_file()), None)
    return {} if file is None else text.read(file).mapping()


def _differ(key: str, own: Mapping[str, Plain], other: Mapping[str, Plain]) -> bool:
    return (key in own, own.get(key)) != (key in other, other.get(key))


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

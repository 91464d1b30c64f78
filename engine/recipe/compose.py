"""Composes a recipe: the only place that imports Hydra and OmegaConf.

A recipe file, the groups it chooses and the command line become one plain mapping; `load` checks it into a
`Spec`. Groups are looked up in `conf/` of the working directory, then beside the recipe, then ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import Message, RecipeError, nearest
from engine.recipe import text
from engine.recipe.defaults import base_groups, defaults_list, explain_cycle, read_choices
from engine.recipe.find import conf_folders, find_base, find_recipe, shipped
from engine.recipe.mistakes import model_keys
from engine.recipe.overrides import Choice, Overrides, Setting, expand, is_open, read_overrides
from engine.recipe.places import COMMAND_LINE, Layer, Place, Places
from engine.recipe.resolve import resolve
from engine.recipe.safe import refuse_code
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

# What belongs to a family and means nothing to another one.
_FAMILY_KEYS = ("params", "space", "estimator")


@dataclass(frozen=True)
class Composition:
    """A composed recipe before its types are checked.

    `plain` has every interpolation resolved, and no key without a value; `stored` is the same with each
    `${oc.env:…}` left standing, which is what may be kept; `from_environment` are the keys of those.
    `choices` says which option each group took.
    """

    path: Path
    plain: dict[str, Plain]
    stored: dict[str, Plain]
    from_environment: frozenset[KeyPath]
    choices: dict[str, str]
    places: Places
    notes: tuple[str, ...]


def compose(recipe: str | Path, overrides: Sequence[str] = ()) -> Composition:
    """Compose a recipe with command-line overrides in Hydra's grammar.

    Raises
    ------
    RecipeError
        If the recipe is not found, is not sound YAML, names code, or does not compose.
    """
    from engine.recipe.sources import PRIMARY, CheckedSource

    path = find_recipe(recipe)
    document = text.read(path)
    refuse_code(document)
    body = dict(document.mapping())
    folders = conf_folders(path)
    with _hydra(folders) as hydra:
        given = read_overrides(overrides, hydra.config_loader)
        choices, closed = read_choices(body.pop("defaults", None), document)
        body, notes = _drop_old_family(body, choices, given.choices, closed=closed)
        choices |= {choice.group: choice.option for choice in given.choices}
        chosen_at = _chosen_at(choices, given.choices, document)
        _check_choices(choices, chosen_at, hydra)
        based = frozenset() if closed else base_groups(folders)
        CheckedSource.primary = {"defaults": defaults_list(choices, based, closed=closed), **body}
        config = _compose(PRIMARY, given, hydra)
        layers = _layers(given, document, CheckedSource.documents, choices)
        places = Places(layers, chosen_at)
        resolved = resolve(config, places)
        places = replace(places, asked_for=resolved.asked_for)
    if not closed:
        _check_base(resolved.plain, given, folders)
    return Composition(
        path, resolved.plain, resolved.stored, resolved.from_environment, choices, places, notes
    )


@contextmanager
def _hydra(folders: Sequence[Path]) -> Iterator[Hydra]:
    from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
    from hydra._internal.hydra import Hydra
    from hydra.core.global_hydra import GlobalHydra

    from engine.recipe.sources import SCHEME, CheckedSource

    search_path = ConfigSearchPathImpl()
    # Hydra's own settings: needed to compose, dropped from the result.
    search_path.append(provider="hydra", path="pkg://hydra.conf")
    for folder in folders:
        search_path.append(provider=str(folder), path=f"{SCHEME}://{folder}")
    search_path.append(provider="schema", path="structured://")
    GlobalHydra.instance().clear()
    CheckedSource.documents = {}
    CheckedSource.primary = {}
    try:
        yield Hydra.create_main_hydra2(task_name="engine", config_search_path=search_path)
    finally:
        GlobalHydra.instance().clear()
        CheckedSource.primary = None


def _drop_old_family(
    body: dict[str, Plain], choices: dict[str, str], given: Sequence[Choice], *, closed: bool
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


def _check_choices(choices: Mapping[str, str], places: Mapping[str, Place], hydra: Hydra) -> None:
    repository = hydra.config_loader.repository
    keys = model_keys(Spec)
    groups = tuple(name for name in repository.get_group_options("", None) if name in keys)
    mistakes = []
    for group, option in choices.items():
        options = tuple(repository.get_group_options(group)) if repository.group_exists(group) else ()
        is_key = group.partition("/")[0] in keys
        if option in options and is_key:
            continue
        if options and is_key:
            what, key, try_ = f"'{option}' is not an option of {group}", group, f"engine options {group}"
            word, known = option, options
        elif options:
            what, key, try_ = f"'{group}' is a group, and not a key of a recipe", group, "engine options"
            word, known = group, groups
        else:
            what, key, try_ = f"'{group}' is not a group", "defaults", "engine options"
            word, known = group, groups
        mistakes.append(Message(what, key, *places[group], nearest(word, known), tuple(sorted(known)), try_))
    if mistakes:
        raise RecipeError(mistakes)


def _chosen_at(
    choices: Mapping[str, str], given: Sequence[Choice], document: text.Document
) -> dict[str, Place]:
    places: dict[str, Place] = {group: (document.file, _default_line(document, group)) for group in choices}
    return places | {choice.group: (COMMAND_LINE, None) for choice in given}


def _default_line(document: text.Document, group: str) -> int | None:
    lines = (
        line
        for path, line in document.lines.items()
        if path[0] == "defaults" and path[-1].removeprefix("override ") == group
    )
    return next(lines, None)


def _check_base(plain: Mapping[str, Plain], given: Overrides, folders: Sequence[Path]) -> None:
    """Refuse a base of the user's own that leaves out keys of a recipe."""
    base = find_base(folders)
    deleted = {path[0] for path in given.paths() if len(path) == 1}
    left_out = [key for key in model_keys(Spec) if key not in plain and key not in deleted]
    if left_out and base.parent != shipped("conf").resolve():
        what = f"this file stands in for the engine's own base.yaml, and leaves out {', '.join(left_out)}"
        raise RecipeError.of(
            what, file=text.show(base), try_="another name for it, or a copy of the engine's"
        )


def _compose(name: str, given: Overrides, hydra: Hydra) -> DictConfig:
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import open_dict

    from engine.recipe.mistakes import explain_hydra
    from engine.recipe.sources import CheckedSource

    def attempt(overrides: Sequence[str]) -> DictConfig:
        config: DictConfig = hydra.compose_config(
            config_name=name, overrides=list(overrides), run_mode=RunMode.RUN, from_shell=False
        )
        return config

    try:
        config = attempt(given.values)
    except HydraException as error:
        raise explain_hydra(error, given, lambda: attempt([])) from None
    except RecursionError:
        raise explain_cycle(CheckedSource.documents) from None
    with open_dict(config):
        del config["hydra"]
        mistakes = [wrong for setting in given.settings if (wrong := _set(config, setting)) is not None]
    if mistakes:
        raise RecipeError(mistakes)
    return config


def _set(config: DictConfig, setting: Setting) -> Message | None:
    """Set or take out one quoted key."""
    from omegaconf import DictConfig, OmegaConf

    from engine.recipe.mistakes import unknown_key

    *above, last = setting.path
    node = config
    for part in above:
        if part not in node and is_open(setting.path) and not setting.is_delete:
            node[part] = {}
        if part not in node or not isinstance(node[part], DictConfig):
            return unknown_key(setting.path, OmegaConf.to_container(config))
        node = node[part]
    if not setting.is_delete:
        node[last] = _merged(node.get(last), setting.value)
    elif last in node:
        del node[last]
    else:
        return unknown_key(setting.path, OmegaConf.to_container(config))
    return None


def _merged(old: object, new: Plain) -> object:
    from omegaconf import DictConfig, OmegaConf

    return OmegaConf.merge(old, new) if isinstance(old, DictConfig) and isinstance(new, dict) else new


def _layers(
    given: Overrides, document: text.Document, read: dict[str, text.Document], choices: dict[str, str]
) -> tuple[Layer, ...]:
    """Order the documents from the one that wins to the one that loses."""
    chosen = [
        (group, read[f"{group}/{option}"]) for group, option in choices.items() if f"{group}/{option}" in read
    ]
    rest = [
        (name.rpartition("/")[0], file)
        for name, file in read.items()
        if all(file is not other for _, other in chosen)
    ]
    return (
        Layer.of_command_line(given.paths()),
        Layer(document.file, document.lines, ()),
        *(
            Layer(file.file, file.lines, tuple(group.split("/")) if group else ())
            for group, file in chosen + rest
        ),
    )


def expand_overrides(recipe: str | Path, overrides: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Multiply a multirun's overrides out, one tuple for each run.

    Raises
    ------
    RecipeError
        If the recipe is not found or an override can't be multiplied out.
    """
    with _hydra(conf_folders(find_recipe(recipe))) as hydra:
        return expand(overrides, hydra.config_loader)

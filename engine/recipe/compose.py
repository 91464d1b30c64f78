"""Composes a recipe: the only place that imports Hydra and OmegaConf.

A recipe file, the groups it chooses and the command line become one plain mapping; `load` checks it into a
`Spec`. Groups are looked up in `conf/` of the working directory, then beside the recipe, then ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import Message, RecipeError, nearest
from engine.recipe import text
from engine.recipe.find import conf_folders, find_recipe
from engine.recipe.overrides import Choice, Overrides, expand, read_overrides
from engine.recipe.places import Layer, Places
from engine.recipe.safe import refuse_code
from engine.recipe.text import Plain

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

# What belongs to a family and means nothing to another one.
_FAMILY_KEYS = ("params", "space", "estimator")
_CLOSED = ["_self_"]


@dataclass(frozen=True)
class Composition:
    """A composed recipe before its types are checked.

    `plain` has every interpolation resolved; `stored` is the same with each `${oc.env:…}` left as written,
    which is what may be kept. `choices` says which option each group took.
    """

    path: Path
    plain: dict[str, Plain]
    stored: dict[str, Plain]
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
        choices, defaults = _choices(body.pop("defaults", None), document)
        closed = defaults == _CLOSED
        body, notes = _drop_old_family(body, choices, given.choices, closed=closed)
        choices |= {choice.group: choice.option for choice in given.choices}
        _check_choices(choices, given.choices, document, hydra)
        CheckedSource.primary = {"defaults": _defaults(choices, closed=closed), **body}
        config = _compose(PRIMARY, given, hydra)
        layers = _layers(given, document, CheckedSource.documents, choices)
        plain, stored = _resolve(config, Places(layers))
    return Composition(path, plain, stored, choices, Places(layers), notes)


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


def _choices(defaults: Plain, document: text.Document) -> tuple[dict[str, str], list[Plain]]:
    """Read the defaults list: `base` and `_self_` are understood, `group: option` is a choice."""
    if defaults is None:
        defaults = ["base", "_self_"]
    if not isinstance(defaults, list):
        line = document.lines.get(("defaults",))
        raise RecipeError.of(
            "'defaults' is a list such as [base, model: lightgbm, _self_]",
            key="defaults",
            file=document.file,
            line=line,
        )
    choices: dict[str, str] = {}
    mistakes = []
    for index, entry in enumerate(defaults):
        if isinstance(entry, dict):
            ((group, option),) = entry.items()
            choices[group.removeprefix("override ")] = str(option)
        elif entry not in ("base", "_self_"):
            line = document.lines.get(("defaults", str(index)))
            what = f"'{entry}' is not 'base', '_self_' or 'group: option'"
            mistakes.append(Message(what, "defaults", document.file, line, nearest(str(entry), ["base"])))
    if mistakes:
        raise RecipeError(mistakes)
    return choices, defaults


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


def _check_choices(
    choices: dict[str, str], given: Sequence[Choice], document: text.Document, hydra: Hydra
) -> None:
    repository = hydra.config_loader.repository
    from_command_line = {choice.group for choice in given}
    groups = tuple(
        name
        for name in repository.get_group_options("", None)
        if name != "hydra" and repository.group_exists(name)
    )
    mistakes = []
    for group, option in choices.items():
        options = tuple(repository.get_group_options(group)) if repository.group_exists(group) else ()
        if option in options:
            continue
        if options:
            what, word, known = f"'{option}' is not an option of {group}", option, options
        else:
            what, word, known = f"'{group}' is not a group", group, groups
        if group in from_command_line:
            file, line = "command line", None
        else:
            file, line = document.file, _default_line(document, group)
        key = group if options else "defaults"
        try_ = f"engine options {group}" if options else "engine options"
        mistakes.append(Message(what, key, file, line, nearest(word, known), tuple(sorted(known)), try_))
    if mistakes:
        raise RecipeError(mistakes)


def _default_line(document: text.Document, group: str) -> int | None:
    lines = (
        line for path, line in document.lines.items() if path[0] == "defaults" and path[-1].endswith(group)
    )
    return next(lines, None)


def _defaults(choices: dict[str, str], *, closed: bool) -> list[Plain]:
    prefix = "" if closed else "override "
    chosen: list[Plain] = [{f"{prefix}{group}": option} for group, option in choices.items()]
    if closed:
        return ["_self_", *chosen]
    # Hydra wants `_self_` before the overriding entries; the primary config still merges after `base`.
    return ["base", "_self_", *chosen]


def _compose(name: str, given: Overrides, hydra: Hydra) -> DictConfig:
    from hydra.errors import HydraException
    from hydra.types import RunMode
    from omegaconf import open_dict

    from engine.recipe.mistakes import explain_hydra

    def attempt(overrides: Sequence[str]) -> DictConfig:
        config: DictConfig = hydra.compose_config(
            config_name=name, overrides=list(overrides), run_mode=RunMode.RUN, from_shell=False
        )
        return config

    try:
        config = attempt(given.values)
    except HydraException as error:
        raise explain_hydra(error, given, lambda: attempt([])) from None
    with open_dict(config):
        del config["hydra"]
    return config


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
        Layer.of_command_line(given.keys),
        Layer(document.file, document.lines, ()),
        *(
            Layer(file.file, file.lines, tuple(group.split("/")) if group else ())
            for group, file in chosen + rest
        ),
    )


def _resolve(config: DictConfig, places: Places) -> tuple[dict[str, Plain], dict[str, Plain]]:
    """Resolve interpolations twice: with the environment's values, and with their names left standing."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    from engine.recipe.mistakes import explain_omegaconf

    def environment_name(name: str, *default: object) -> str:
        rest = "".join(f",{value}" for value in default)
        return f"${{oc.env:{name}{rest}}}"

    try:
        plain = OmegaConf.to_container(config, resolve=True)
        OmegaConf.register_new_resolver("oc.env", environment_name, replace=True)
        stored = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise explain_omegaconf(error, places) from None
    finally:
        from omegaconf.resolvers import oc

        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    return cast("dict[str, Plain]", plain), cast("dict[str, Plain]", stored)


def expand_overrides(recipe: str | Path, overrides: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Multiply a multirun's overrides out, one tuple for each run.

    Raises
    ------
    RecipeError
        If the recipe is not found or an override can't be multiplied out.
    """
    with _hydra(conf_folders(find_recipe(recipe))) as hydra:
        return expand(overrides, hydra.config_loader)

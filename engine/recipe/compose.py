"""Composes a recipe: the only place that imports Hydra and OmegaConf.

A recipe file, the groups it chooses and the command line become one plain mapping; `load` checks it into a
`Spec`. Groups are looked up in `conf/` of the working directory, then beside the recipe, then ours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from engine.errors import Message, RecipeError
from engine.recipe import text
from engine.recipe.choices import check_choices, known_groups, leave_out_old, places_of_choices
from engine.recipe.defaults import chosen_by_base, defaults_list, explain_cycle, read_choices
from engine.recipe.find import conf_folders, find_base, find_recipe, shipped
from engine.recipe.keys import model_keys, options_of, without
from engine.recipe.links import refuse_linked_folders
from engine.recipe.older import complete
from engine.recipe.overrides import Overrides, Setting, is_open, read_overrides
from engine.recipe.places import Layer, Places
from engine.recipe.references import Veil
from engine.recipe.resolve import resolve
from engine.recipe.safe import refuse_code
from engine.recipe.shape import clashes
from engine.recipe.spec import Spec
from engine.recipe.sweep import expand
from engine.recipe.text import KeyPath, Plain
from engine.recipe.version import CURRENT, check_composed, written_version

if TYPE_CHECKING:
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Composition:
    """A composed recipe before its types are checked.

    `plain` has every interpolation resolved, and no key without a value; `stored` is the same with each
    `${oc.env:…}` left standing, which is what may be kept; `from_environment` are the keys of those.
    `choices` says which option each group took. What is wrong is in `mistakes`, and the rest is composed as
    it was most likely meant; `unknown` are keys of which the value is not known, `referring`
    those that take something of another key's.
    """

    path: Path
    plain: dict[str, Plain]
    stored: dict[str, Plain]
    from_environment: frozenset[KeyPath]
    choices: dict[str, str]
    places: Places
    notes: tuple[str, ...]
    mistakes: tuple[Message, ...] = ()
    unknown: frozenset[KeyPath] = frozenset()
    referring: frozenset[KeyPath] = frozenset()


def compose(recipe: str | Path, overrides: Sequence[str] = (), *, current: int = CURRENT) -> Composition:
    """Compose a recipe with command-line overrides in Hydra's grammar.

    `current` is the newest version of the recipe language that is read.

    Raises
    ------
    RecipeError
        If the recipe is not found, is not sound YAML, names code, or does not compose at all. What does not
        stand in the way of the rest is in the composition's mistakes.
    """
    from omegaconf import OmegaConf

    from engine.recipe.sources import PRIMARY, CheckedSource

    path = find_recipe(recipe)
    document = text.read(path)
    refuse_code(document)
    if document.value is None:
        raise RecipeError.of("the file is empty", file=document.file, try_="engine init DATA --target COL")
    body, clashing = _without_clashes(document.mapping())
    version = written_version(document, current=current)
    folders = conf_folders(path, version=version, current=current)
    refuse_linked_folders(folders, recipe=path)
    with _loader(folders) as loader:
        repository = loader.repository
        given, mistakes = read_overrides(overrides, loader)
        choices, closed, wrong = read_choices(
            body.pop("defaults", None), document, groups=known_groups(repository)
        )
        mistakes += wrong
        body = complete(body) if closed else body
        based = {} if closed else chosen_by_base(folders)
        before = {**based, **choices}
        choices |= {choice.group: choice.option for choice in given.choices}
        chosen_at = places_of_choices(choices, given.choices, document)
        choices, wrong = check_choices(choices, chosen_at, known_groups(repository), folders)
        mistakes += wrong
        asked = {choice.group: choices[choice.group] for choice in given.choices if choice.group in choices}
        left = leave_out_old(body, asked, before, folders)
        CheckedSource.primary = {"defaults": defaults_list(choices, based, closed=closed), **left.body}
        config, given, wrong = _compose(PRIMARY, given, loader)
        mistakes += wrong
        kept = {path: line for path, line in document.lines.items() if path[:2] not in left.paths}
        document = replace(document, lines=kept)
        places = Places(_layers(given, document, CheckedSource.documents, choices), chosen_at)
        composed = CheckedSource.veil.reveal(cast("dict[str, Plain]", OmegaConf.to_container(config)))
        resolved = resolve(composed, places)
        mistakes += (*resolved.mistakes, *map(places.locate, clashing))
        written = {path: text for path, text in _texts(composed) if path in resolved.referring}
        places = replace(places, asked_for=resolved.asked_for, references=written)
    mistakes += map(places.locate, check_composed(resolved.plain.get("recipe_version"), written=version))
    if not closed:
        _check_base(resolved.plain, given, folders)
    return Composition(
        path,
        resolved.plain,
        resolved.stored,
        resolved.from_environment,
        choices,
        places,
        left.notes,
        tuple(mistakes),
        resolved.unknown
        | {places.path_of(message.key) for message in clashing}
        | {(group,) for group in chosen_at if group not in choices},
        resolved.referring,
    )


@contextmanager
def _loader(folders: Sequence[Path]) -> Iterator[ConfigLoaderImpl]:
    """Give Hydra's loader of configs over some folders; the first that has an option wins."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

    from engine.recipe.sources import SCHEME, CheckedSource

    search_path = ConfigSearchPathImpl()
    for folder in folders:
        search_path.append(provider=str(folder), path=f"{SCHEME}://{folder}")
    # Hydra asks for it to be there, and last.
    search_path.append(provider="schema", path="structured://")
    CheckedSource.documents = {}
    CheckedSource.primary = {}
    CheckedSource.veil = Veil()
    try:
        yield ConfigLoaderImpl(config_search_path=search_path)
    finally:
        CheckedSource.primary = None


def _texts(value: Plain, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield from _texts(inner, (*path, key))
    for index, inner in enumerate(value) if isinstance(value, list) else ():
        yield from _texts(inner, (*path, str(index)))


def _without_clashes(body: dict[str, Plain]) -> tuple[dict[str, Plain], list[Message]]:
    """Leave out a list that stands for a mapping, or the reverse, which nothing can be merged with."""
    found = dict(clashes(Spec, body))
    mistakes = []
    for path, what in found.items():
        body = without(body, path)
        mistakes.append(Message(what, ".".join(path), try_=options_of(path, Spec)))
    return body, mistakes


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


def _compose(
    name: str, given: Overrides, loader: ConfigLoaderImpl
) -> tuple[DictConfig, Overrides, list[Message]]:
    """Compose with Hydra; what overrides set that is not there is said, and set where it was meant."""
    from hydra.errors import HydraException
    from omegaconf import OmegaConf, open_dict

    from engine.recipe.sources import CheckedSource
    from engine.recipe.unknown import mend, unexplained

    def attempt(overrides: Sequence[str]) -> DictConfig:
        try:
            return _merge(name, overrides, loader)
        except RecursionError:
            raise explain_cycle(CheckedSource.documents) from None

    mistakes: list[Message] = []
    groups = known_groups(loader.repository)
    try:
        config = attempt(given.values)
    except HydraException as error:
        try:
            bare = attempt(())
        except HydraException:
            raise unexplained(error, given, CheckedSource.documents, groups) from None
        plain = cast("dict[str, Plain]", OmegaConf.to_container(bare))
        given, mistakes = mend(given, plain)
        if not mistakes:
            raise unexplained(error, given, CheckedSource.documents, groups) from None
        try:
            config = attempt(given.values)
        except HydraException:
            config = bare
    with open_dict(config):
        mistakes += [wrong for setting in given.settings if (wrong := _set(config, setting)) is not None]
    return config, given, mistakes


def _merge(name: str, overrides: Sequence[str], loader: ConfigLoaderImpl) -> DictConfig:
    """Merge the files of a defaults list and the overrides, as Hydra does, without Hydra's own settings.

    Those would be half of the work, and nothing of a recipe is among them.
    """
    from hydra._internal.defaults_list import create_defaults_list
    from hydra.errors import ConfigCompositionException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    try:
        parsed, repository = loader._parse_overrides_and_create_caching_repo(name, list(overrides))  # noqa: SLF001
        chosen = create_defaults_list(
            repo=repository,
            config_name=name,
            overrides_list=parsed,
            prepend_hydra=False,
            skip_missing=False,
        )
        config: DictConfig = loader._compose_config_from_defaults_list(  # noqa: SLF001
            defaults=chosen.defaults, repo=repository
        )
        OmegaConf.set_struct(config, value=True)
        loader._apply_overrides_to_config(chosen.config_overrides, config)  # noqa: SLF001
    except OmegaConfBaseException as error:
        raise ConfigCompositionException(str(error)) from error
    return config


def _set(config: DictConfig, setting: Setting) -> Message | None:
    """Set or take out one quoted key."""
    from omegaconf import DictConfig, OmegaConf

    from engine.recipe.unknown import unknown_key

    *above, last = setting.path
    node = config
    for part in above:
        if part not in node and is_open(setting.path) and not setting.is_delete:
            node[part] = {}
        if part not in node or not isinstance(node[part], DictConfig):
            return unknown_key(setting.path, OmegaConf.to_container(config))[0]
        node = node[part]
    if not setting.is_delete:
        node[last] = _merged(node.get(last), setting.value)
    elif last in node:
        del node[last]
    else:
        return unknown_key(setting.path, OmegaConf.to_container(config))[0]
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
    ours = f"{text.show(shipped('conf'))}/"
    return (
        Layer.of_command_line(given.paths()),
        Layer(document.file, document.lines, ()),
        *(
            Layer(file.file, file.lines, tuple(group.split("/")) if group else (), file.file.startswith(ours))
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
    path = find_recipe(recipe)
    with _loader(conf_folders(path, version=written_version(text.read(path)))) as loader:
        return expand(overrides, loader)

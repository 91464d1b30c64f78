"""Recipes that search: what the command line sweeps is what is tried, of one model or of several.

`model.params.NAME=interval(…)` stands for `tune.space.NAME`, and `model=one,other` for `tune.models`: so what
a search tries is written in the recipe that is stored, and that recipe runs again as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from engine.errors import Message
from engine.recipe.compose import Composition, compose, expand_overrides
from engine.recipe.override_text import refuse_text
from engine.recipe.text import Plain

_PARAMS = "model.params."
_OWN_SPACE, _GIVEN_SPACE = "model.space.", "tune.space."
_MODEL = "model"
_TUNE, _MODELS = "tune", "models"


@dataclass(frozen=True)
class Swept:
    """The overrides of a command line, those that sweep what a search can vary apart.

    Attributes
    ----------
    rest
        All others, with the first of the models that are swept.
    space
        The sweep of each param, as it was given.
    models
        The options of the group `model`, where several were given.
    """

    rest: tuple[str, ...]
    space: Mapping[str, str]
    models: tuple[str, ...]

    def __bool__(self) -> bool:
        """Tell whether anything is swept."""
        return bool(self.space or self.models)

    def as_search(self) -> tuple[str, ...]:
        """Return the same as overrides of the keys that a search reads."""
        given = list(self.rest)
        if self.space:
            texts = ", ".join(f"{name}: {_quoted(text)}" for name, text in self.space.items())
            given.append(f"++tune.space={{{texts}}}")
        if self.models:
            given.append(f"tune.models=[{', '.join(map(_quoted, self.models))}]")
        return tuple(given)


def compose_searched(recipe: str | Path, overrides: Sequence[str] = ()) -> Composition:
    """Compose a recipe as `compose` does, with what its search tries, if it searches.

    Raises
    ------
    RecipeError
        As `compose`.
    """
    overrides = _with_texts(overrides)
    swept = read_swept(overrides)
    given = tuple(overrides)
    if swept and is_searched(compose(recipe, swept.rest)):
        given = swept.as_search()
    composition = compose(recipe, given)
    named = _section(composition.plain, _TUNE).get(_MODELS)
    return composition if not isinstance(named, list) else _with_models(composition, recipe, given, named)


def expand_searched(recipe: str | Path, overrides: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Multiply a multirun's lists out as `expand_overrides` does; ranges of params stay, for runs to search.

    Raises
    ------
    RecipeError
        As `expand_overrides`.
    """
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    def is_range(line: str) -> bool:
        is_given = line.lstrip("+").startswith(_GIVEN_SPACE)
        if not (line.lstrip("+").startswith(_PARAMS) or is_given) or refuse_text(line) is not None:
            return False
        try:
            override = OverridesParser.create().parse_override(line)
        except HydraException:
            return False
        return bool(override.is_sweep_override() and (is_given or not override.is_discrete_sweep()))

    overrides = _with_texts(overrides)
    ranges = tuple(line for line in overrides if is_range(line))
    rest = [line for line in overrides if line not in ranges]
    return tuple((*one, *ranges) for one in expand_overrides(recipe, rest))


def is_searched(composition: Composition) -> bool:
    """Tell whether a composed recipe searches."""
    return _section(composition.plain, _TUNE).get("kind", "none") != "none"


def read_swept(overrides: Sequence[str]) -> Swept:
    """Tell the sweeps of params and models from all other overrides; what can't be read is left to others."""
    if not any(_varies(line) for line in overrides):
        return Swept(tuple(overrides), {}, ())
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.core.override_parser.types import ChoiceSweep
    from hydra.errors import HydraException

    parser = OverridesParser.create()
    rest: list[str] = []
    space: dict[str, str] = {}
    models: tuple[str, ...] = ()
    for line in overrides:
        key, _, text = line.lstrip("+").partition("=")
        if not _varies(line) or refuse_text(line) is not None:
            rest.append(line)
            continue
        try:
            override = parser.parse_override(line)
        except HydraException:
            rest.append(line)
            continue
        sweep = override.value() if override.is_sweep_override() else None
        if sweep is None or (key == _MODEL and not isinstance(sweep, ChoiceSweep)):
            rest.append(line)
        elif key == _MODEL:
            models = tuple(str(value) for value in cast("ChoiceSweep", sweep).list)
            rest.append(f"{_MODEL}={models[0]}")
        else:
            space[key.removeprefix(_PARAMS).removeprefix(_GIVEN_SPACE)] = text
    return Swept(tuple(rest), space, models)


def _varies(line: str) -> bool:
    """Tell whether an override is of what a search can vary."""
    return line.lstrip("+").startswith((f"{_MODEL}=", _PARAMS, _GIVEN_SPACE))


def _with_texts(overrides: Sequence[str]) -> tuple[str, ...]:
    """Return overrides in which a space that stands bare is the text that its key takes."""
    return tuple(_with_text(line) if line.lstrip("+").startswith(_OWN_SPACE) else line for line in overrides)


def _with_text(line: str) -> str:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    key, _, text = line.partition("=")
    if refuse_text(line) is not None:
        return line
    try:
        is_bare = OverridesParser.create().parse_override(line).is_sweep_override()
    except HydraException:
        return line
    return f"{key}={_quoted(text)}" if is_bare else line


def _with_models(
    composition: Composition, recipe: str | Path, given: Sequence[str], named: Sequence[Plain]
) -> Composition:
    """Put the whole section of each model that is named in the place of its name."""
    others = [line for line in given if line.partition("=")[0] not in (_MODEL, f"{_TUNE}.{_MODELS}")]
    plain: dict[str, Plain] = {}
    stored: dict[str, Plain] = {}
    twice = dict.fromkeys(name for place, name in enumerate(named) if name in named[:place])
    mistakes = [
        composition.places.locate(Message(f"'{name}' is named more than once", f"{_TUNE}.{_MODELS}"))
        for name in twice
    ]
    for name in named:
        one = compose(recipe, [*others, f"{_MODEL}={name}", f"{_TUNE}.{_MODELS}=[]"])
        wrong = [message for message in one.mistakes if message not in composition.mistakes]
        mistakes += (replace(message, key=f"{_TUNE}.{_MODELS}") for message in wrong if message.key == _MODEL)
        plain[str(name)] = one.plain.get(_MODEL)
        stored[str(name)] = one.stored.get(_MODEL)
    return replace(
        composition,
        plain=_put(composition.plain, plain),
        stored=_put(composition.stored, stored),
        mistakes=(*composition.mistakes, *mistakes),
    )


def _put(whole: Mapping[str, Plain], models: dict[str, Plain]) -> dict[str, Plain]:
    return {**whole, _TUNE: {**_section(whole, _TUNE), _MODELS: models}}


def _section(plain: Mapping[str, Plain], name: str) -> Mapping[str, Plain]:
    section = plain.get(name)
    return section if isinstance(section, dict) else {}


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

"""Command-line overrides in Hydra's grammar: read, told apart, and multiplied out for a multirun."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from engine.errors import Message, RecipeError
from engine.recipe.places import COMMAND_LINE
from engine.recipe.safe import forbidden_in_override
from engine.recipe.text import Plain

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override

# Mappings whose keys are the user's or a library's: setting a new key there is no mistake.
_OPEN = ("model.params.", "model.space.", "schema.columns.", "goal.gates.", "goal.value.", "task.")


@dataclass(frozen=True)
class Choice:
    """An option chosen for a group on the command line."""

    group: str
    option: str


@dataclass(frozen=True)
class Overrides:
    """What the command line says: group choices, and value overrides as Hydra takes them.

    `keys` are the dotted keys that `values` set.
    """

    choices: tuple[Choice, ...]
    values: tuple[str, ...]
    keys: tuple[str, ...]


def read_overrides(given: Sequence[str], loader: ConfigLoader) -> Overrides:
    """Parse overrides and tell group choices from values.

    Raises
    ------
    RecipeError
        If one is not in Hydra's grammar, sweeps without `-m`, or names code.
    """
    choices, values, keys, mistakes = [], [], [], []
    for line, override in _parse(given, loader):
        key = override.key_or_group
        # A sweep has no value that could be read as one.
        value = None if override.is_sweep_override() else cast("Plain", override.value())
        forbidden = forbidden_in_override(override.get_key_element().lstrip("+~"), value)
        if forbidden:
            mistakes.append(Message(forbidden, key, COMMAND_LINE))
        elif override.is_sweep_override():
            what = f"'{line}' has several values: one run takes one value"
            mistakes.append(
                Message(what, key, COMMAND_LINE, try_="the same command with -m for one run a value")
            )
        elif _is_choice(override, loader):
            choices.append(Choice(key, str(value)))
        else:
            opened = key.startswith(_OPEN) and not (override.is_add() or override.is_delete())
            values.append(f"++{line}" if opened and not line.startswith("++") else line)
            keys.append(key)
    if mistakes:
        raise RecipeError(mistakes)
    return Overrides(tuple(choices), tuple(values), tuple(keys))


def expand(given: Sequence[str], loader: ConfigLoader) -> tuple[tuple[str, ...], ...]:
    """Multiply a multirun out: one tuple of overrides for each run, in the order Hydra would take.

    Raises
    ------
    RecipeError
        If one is not in Hydra's grammar or is a range without steps, which only a search can take.
    """
    axes = []
    for line, override in _parse(given, loader):
        if not override.is_sweep_override():
            axes.append([line])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            axes.append([f"{key}={value}" for value in override.sweep_string_iterator()])
        else:
            what = f"'{line}' is a continuous range, and a multirun needs a list of values"
            try_ = f"{override.key_or_group}=choice(…) or range(start,stop,step)"
            raise RecipeError.of(what, key=override.key_or_group, file=COMMAND_LINE, try_=try_)
    return tuple(itertools.product(*axes))


def _is_choice(override: Override, loader: ConfigLoader) -> bool:
    key = override.key_or_group
    whole = "." not in key and not override.is_delete() and isinstance(override.value(), str)
    return bool(whole and loader.repository.group_exists(key))


def _parse(given: Sequence[str], loader: ConfigLoader) -> list[tuple[str, Override]]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create(config_loader=loader)
    parsed, mistakes = [], []
    for line in given:
        try:
            parsed.append((line, parser.parse_override(line)))
        except HydraException as error:
            what = f"'{line}' is not an override: {str(error).splitlines()[0]}"
            mistakes.append(Message(what, "", COMMAND_LINE, try_="key=value, +key=value or ~key"))
    if mistakes:
        raise RecipeError(mistakes)
    return parsed

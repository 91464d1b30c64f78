"""Command-line overrides in Hydra's grammar: read, told apart, and multiplied out for a multirun.

One thing is added to the grammar: a part of a key that holds dots, blanks or letters that Hydra does not know
is written in quotes, as in `schema.columns."body mass".min=0`.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from engine.errors import Message, RecipeError
from engine.recipe.places import COMMAND_LINE
from engine.recipe.safe import forbidden_in_override
from engine.recipe.text import KeyPath, Plain

if TYPE_CHECKING:
    from hydra.core.config_loader import ConfigLoader
    from hydra.core.override_parser.types import Override

# Mappings whose keys are the user's or a library's: setting a new key there is no mistake.
_OPEN = ("model.params.", "model.space.", "schema.columns.", "goal.gates.", "goal.value.", "task.")
_COLUMNS = "schema.columns."
_PART = r"""(?:"[^"]+"|'[^']+'|[^.=\s"']+)"""
_QUOTED_KEY = re.compile(rf"(\+\+|[+~]|)((?=[^=]*[\"']){_PART}(?:\.{_PART})*)(=.*|)", re.DOTALL)
# What stands for a quoted key while Hydra reads the rest of the line.
_STAND_IN = "quoted"


@dataclass(frozen=True)
class Choice:
    """An option chosen for a group on the command line."""

    group: str
    option: str


@dataclass(frozen=True)
class Setting:
    """A value for a key of which a part was quoted, or that key's end."""

    path: KeyPath
    value: Plain
    is_delete: bool


@dataclass(frozen=True)
class Overrides:
    """What the command line says: group choices, and value overrides as Hydra takes them.

    `keys` are the dotted keys that `values` set; `settings` are applied by us, after Hydra's.
    """

    choices: tuple[Choice, ...]
    values: tuple[str, ...]
    keys: tuple[str, ...]
    settings: tuple[Setting, ...]

    def paths(self) -> tuple[KeyPath, ...]:
        """Return the paths of all keys that are set."""
        return (*(tuple(key.split(".")) for key in self.keys), *(setting.path for setting in self.settings))


@dataclass(frozen=True)
class _Line:
    """One override: as it was given, its key as it was given, and what Hydra read of it."""

    given: str
    key: str
    quoted: KeyPath
    override: Override

    def dotted(self) -> str:
        return ".".join(self.quoted) or str(self.override.key_or_group)


def read_overrides(given: Sequence[str], loader: ConfigLoader) -> Overrides:
    """Parse overrides and tell group choices from values.

    Raises
    ------
    RecipeError
        If one is not in Hydra's grammar, sweeps without `-m`, is not finite, or names code.
    """
    choices, values, keys, settings, mistakes = [], [], [], [], []
    for line in _parse(given, loader):
        key, override = line.dotted(), line.override
        wrong = _mistake(line)
        if wrong is not None:
            mistakes.append(wrong)
        elif line.quoted:
            settings.append(Setting(line.quoted, cast("Plain", override.value()), bool(override.is_delete())))
        elif _is_choice(override, loader):
            choices.append(Choice(key, _option(override)))
        else:
            is_open = f"{key}.".startswith(_OPEN) and not (override.is_add() or override.is_delete())
            opened = is_open and not line.given.startswith("++")
            values.append(f"++{line.given}" if opened else line.given)
            keys.append(key)
    if mistakes:
        raise RecipeError(mistakes)
    return Overrides(tuple(choices), tuple(values), tuple(keys), tuple(settings))


def expand(given: Sequence[str], loader: ConfigLoader) -> tuple[tuple[str, ...], ...]:
    """Multiply a multirun out: one tuple of overrides for each run, in the order Hydra would take.

    Raises
    ------
    RecipeError
        If one is not in Hydra's grammar, is a range without steps, which only a search can take, or is a
        glob that no option of a group matches.
    """
    axes = []
    for line in _parse(given, loader):
        override = line.override
        if not override.is_sweep_override():
            axes.append([line.given])
        elif not override.is_discrete_sweep():
            what = f"'{line.given}' is a continuous range, and a multirun needs a list of values"
            try_ = f"{line.key}=choice(…) or range(start,stop,step)"
            raise RecipeError.of(what, key=line.dotted(), file=COMMAND_LINE, try_=try_)
        else:
            axes.append([f"{line.key}={value}" for value in _values(line, loader)])
    return tuple(itertools.product(*axes))


def is_open(path: KeyPath) -> bool:
    """Tell whether a key may be set that is not there yet."""
    return ".".join(path).startswith(_OPEN)


def _values(line: _Line, loader: ConfigLoader) -> Iterable[str]:
    from hydra.core.override_parser.types import Glob

    override, key = line.override, line.dotted()
    if not isinstance(override.value(), Glob):
        return cast("Iterable[str]", override.sweep_string_iterator())
    if not _is_group(key, loader):
        what = f"'{line.given}': a glob chooses among the options of a group, and '{key}' is not a group"
        raise RecipeError.of(what, key=key, file=COMMAND_LINE, try_=f"{line.key}=choice(…)")
    override.config_loader = loader
    found = sorted(override.sweep_string_iterator())
    if not found:
        what = f"'{line.given}' matches no option of {key}"
        options = sorted(loader.get_group_options(key))
        raise RecipeError.of(what, key=key, file=COMMAND_LINE, allowed=options, try_=f"engine options {key}")
    return found


def _mistake(line: _Line) -> Message | None:
    """Say what is wrong with an override that can be read."""
    key, override = line.dotted(), line.override
    # A sweep has no value that could be read as one.
    value = None if override.is_sweep_override() else cast("Plain", override.value())
    written = key if line.quoted else str(override.get_key_element()).lstrip("+~")
    forbidden = forbidden_in_override(written, value, path=line.quoted)
    if forbidden:
        return Message(forbidden, key, COMMAND_LINE)
    if override.is_sweep_override():
        what = f"'{line.given}' has several values: one run takes one value"
        return Message(what, key, COMMAND_LINE, try_="the same command with -m for one run a value")
    number = next((number for number in _numbers(value) if not math.isfinite(number)), None)
    if number is not None:
        return Message(f"expected a finite number, got {number}", key, COMMAND_LINE)
    *column, last = key.removeprefix(_COLUMNS).split(".")
    if not line.quoted and key.startswith(_COLUMNS) and len(column) > 1:
        what = f"'{key}' has more parts than a column's key: a name that holds dots is written in quotes"
        return Message(what, key, COMMAND_LINE, None, f'{_COLUMNS}"{".".join(column)}".{last}')
    return None


def _numbers(value: Plain) -> Iterator[float]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _numbers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner)
    elif isinstance(value, float):
        yield value


def _is_choice(override: Override, loader: ConfigLoader) -> bool:
    return not override.is_delete() and _is_group(str(override.key_or_group), loader)


def _is_group(key: str, loader: ConfigLoader) -> bool:
    return "." not in key and bool(loader.repository.group_exists(key))


def _option(override: Override) -> str:
    """Return the option's name, which is a text however it looks: `null` and `3` may be names of files."""
    value = override.value()
    return value if isinstance(value, str) else str(override.get_value_string())


def _parse(given: Sequence[str], loader: ConfigLoader) -> list[_Line]:
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create(config_loader=loader)
    parsed, mistakes = [], []
    for line in given:
        quoted = _QUOTED_KEY.fullmatch(line)
        try:
            if quoted:
                prefix, key, rest = quoted.groups()
                path = tuple(part[1:-1] if part[0] in "\"'" else part for part in re.findall(_PART, key))
                override = parser.parse_override(f"{prefix}{_STAND_IN}{rest}")
                parsed.append(_Line(line, f"{prefix}{key}", path, override))
            else:
                override = parser.parse_override(line)
                parsed.append(_Line(line, override.get_key_element(), (), override))
        except HydraException as error:
            what = f"'{line}' is not an override: {str(error).splitlines()[0]}"
            mistakes.append(Message(what, "", COMMAND_LINE, try_=_cure(line)))
    if mistakes:
        raise RecipeError(mistakes)
    return parsed


def _cure(line: str) -> str:
    forms = "key=value, +key=value or ~key"
    is_column = line.lstrip("+~").startswith(_COLUMNS)
    return f'{forms}; a column\'s name in quotes: {_COLUMNS}"a name".min=0' if is_column else forms

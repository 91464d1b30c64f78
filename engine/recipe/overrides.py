"""Command-line overrides in Hydra's grammar: read, and told apart.

One thing is added to the grammar: a part of a key that holds dots, blanks or letters that Hydra does not know
is written in quotes, as in `schema.columns."body mass".min=0`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from engine.errors import Message, RecipeError
from engine.recipe.keys import model_keys, options_of, unknown_words
from engine.recipe.override_text import refuse_text, shown
from engine.recipe.places import COMMAND_LINE
from engine.recipe.safe import cure_of, forbidden_in_override
from engine.recipe.shape import clashes
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain
from engine.recipe.unreadable import Unreadable, explain, join_blanks

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
class Line:
    """One override: as it was given, its key as it was given, and what Hydra read of it."""

    given: str
    key: str
    quoted: KeyPath
    override: Override

    def dotted(self) -> str:
        """Return the key with dots, whether or not parts of it were quoted."""
        return ".".join(self.quoted) or str(self.override.key_or_group)


def read_overrides(given: Sequence[str], loader: ConfigLoader) -> tuple[Overrides, list[Message]]:
    """Parse overrides and tell group choices from values; what is wrong with any is returned beside.

    A wrong one is left out, or is read as the nearest right one, so that the rest can be checked: one is not
    in Hydra's grammar, sweeps without `-m`, is not finite, names code, or sets no key of a recipe.
    """
    choices, values, keys, settings = [], [], [], []
    lines, mistakes = _lines(given, loader)
    seen: dict[str, str] = {}
    for line in lines:
        key, override = line.dotted(), line.override
        if key in seen:
            mistakes.append(_twice(key, seen[key], line.given))
            continue
        if not override.is_delete():
            seen[key] = line.given
        if (wrong := mistake(line, is_choice=_is_choice(override, loader))) is not None:
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
    return Overrides(tuple(choices), tuple(values), tuple(keys), tuple(settings)), mistakes


def _lines(given: Sequence[str], loader: ConfigLoader) -> tuple[list[Line], list[Message]]:
    """Read each override, or the one that was meant by it, and say what is wrong."""
    rest, split_up = join_blanks(given)
    read, unreadable = read_lines(rest, loader)
    wrong = [*split_up, *unreadable]
    read += read_lines([one.meant for one in wrong if one.meant], loader)[0]
    unknown = {line.given: found for line in read if (found := _unknown_section(line, loader)) is not None}
    wrong += unknown.values()
    lines = [line for line in read if line.given not in unknown]
    lines += read_lines([one.meant for one in unknown.values() if one.meant], loader)[0]
    return lines, [one.message for one in wrong]


def _unknown_section(line: Line, loader: ConfigLoader) -> Unreadable | None:
    """Say that an override's first part is no key of a recipe, and which override was meant."""
    path = line.quoted or tuple(line.dotted().split("."))
    known = model_keys(Spec)
    is_safe = not forbidden_in_override(line.key.lstrip("+~"), None, path=line.quoted)
    if path[0] in known or not is_safe or is_group(path[0].partition("/")[0], loader):
        return None
    from engine.recipe.mistakes import meant_key

    meant = meant_key(path[:1], model=Spec, known=known)
    suggestion = ".".join((*meant, *path[1:])) if meant else ""
    what = unknown_words(path[:1])
    message = Message(what, line.dotted(), COMMAND_LINE, None, suggestion, known, "engine options")
    value = line.given.removeprefix(line.key)
    return Unreadable(message, f"{suggestion}{value}" if suggestion and not line.quoted else "")


def is_open(path: KeyPath) -> bool:
    """Tell whether a key may be set that is not there yet."""
    return ".".join(path).startswith(_OPEN)


def mistake(line: Line, *, is_choice: bool) -> Message | None:
    """Say what is wrong with an override that can be read."""
    key, override = line.dotted(), line.override
    # A sweep has no value that could be read as one.
    value = None if override.is_sweep_override() else cast("Plain", override.value())
    written = key if line.quoted else str(override.get_key_element()).lstrip("+~")
    forbidden = forbidden_in_override(written, value, path=line.quoted)
    if forbidden:
        return Message(forbidden, key, COMMAND_LINE, try_=cure_of(forbidden))
    if override.is_sweep_override():
        what = f"'{line.given}' has several values: one run takes one value"
        return Message(what, key, COMMAND_LINE, try_=_with_sweeps(override, key))
    number = next((number for number in _numbers(value) if not math.isfinite(number)), None)
    if number is not None:
        return Message(f"expected a finite number, got {number}", key, COMMAND_LINE)
    clash = next(clashes(Spec, value, line.quoted or tuple(key.split("."))), None)
    if clash is not None and not (is_choice or override.is_delete()):
        path, what = clash
        return Message(what, ".".join(path), COMMAND_LINE, try_=options_of(path, Spec))
    *column, last = key.removeprefix(_COLUMNS).split(".")
    if not line.quoted and key.startswith(_COLUMNS) and len(column) > 1:
        what = f"'{key}' has more parts than a column's key: a name that holds dots is written in quotes"
        return Message(what, key, COMMAND_LINE, None, f'{_COLUMNS}"{".".join(column)}".{last}')
    return None


def _with_sweeps(override: Override, key: str) -> str:
    """Say which command takes a sweep: one that runs each value, or one that searches among them."""
    can_search = key == "model" or key.startswith("model.params.")
    if not override.is_discrete_sweep():
        return "tune=bayes with it, to search" if can_search else f"{key}=choice(…) with -m"
    search = ", or tune=grid to search" if can_search else ""
    return f"the same command with -m for one run a value{search}"


def _twice(key: str, first: str, second: str) -> Message:
    """Say that a key is given twice; in a file it may not stand twice either."""
    what = f"'{key}' is given twice: {shown(first)} and {shown(second)}"
    return Message(what, key, COMMAND_LINE, try_=f"one of the two; with -m, {key}=A,B is a run of each")


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
    return not override.is_delete() and is_group(str(override.key_or_group), loader)


def is_group(key: str, loader: ConfigLoader) -> bool:
    """Tell whether a key is a group, of which an override chooses an option."""
    return "." not in key and bool(loader.repository.group_exists(key))


def _option(override: Override) -> str:
    """Return the option's name, which is a text however it looks: `null` and `3` may be names of files."""
    value = override.value()
    return value if isinstance(value, str) else str(override.get_value_string())


def parse(given: Sequence[str], loader: ConfigLoader | None) -> list[Line]:
    """Read every override, or say of every one that can't be read why; a loader tells options from values.

    Raises
    ------
    RecipeError
        If one is not in Hydra's grammar.
    """
    rest, wrong = join_blanks(given)
    lines, more = read_lines(rest, loader)
    if wrong or more:
        raise RecipeError([one.message for one in (*wrong, *more)])
    return lines


def read_lines(given: Sequence[str], loader: ConfigLoader | None) -> tuple[list[Line], list[Unreadable]]:
    """Read every override that can be read, and explain the others."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    parser = OverridesParser.create(config_loader=loader)
    lines, wrong = [], []
    for line in given:
        if (refused := refuse_text(line)) is not None:
            wrong.append(Unreadable(refused))
            continue
        quoted = _QUOTED_KEY.fullmatch(line)
        try:
            if line.lstrip("+~").startswith("="):
                wrong.append(explain(line, ""))
            elif quoted:
                prefix, key, rest = quoted.groups()
                path = tuple(part[1:-1] if part[0] in "\"'" else part for part in re.findall(_PART, key))
                override = parser.parse_override(f"{prefix}{_STAND_IN}{rest}")
                lines.append(Line(line, f"{prefix}{key}", path, override))
            else:
                override = parser.parse_override(line)
                lines.append(Line(line, override.get_key_element(), (), override))
        except HydraException as error:
            wrong.append(explain(line, str(error).splitlines()[0]))
    return lines, wrong

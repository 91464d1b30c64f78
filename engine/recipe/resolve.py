"""Resolves the interpolations of a composed recipe, into its values and into what may be stored of them.

Stored, a value of the environment stands as the `${oc.env:NAME}` that asks for it, and every other `${` is
escaped, so that what is stored reads back to the same recipe and never asks the environment for more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from engine.errors import RecipeError
from engine.recipe.places import Places
from engine.recipe.text import KeyPath, Plain

if TYPE_CHECKING:
    from omegaconf import DictConfig

_ASKED_FOR = "???"
_LITERAL = re.compile(r"(\\*)(\$\{)")
_LITERAL_QUOTED = re.compile(r"(\\*)(\$\{|')")
_TRAILING = re.compile(r"(\\*)\Z")
_WORD = re.compile(r"(?!(?i:null|true|false|nan|inf)\Z)[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Resolved:
    """A recipe's values, what may be stored of them, and which keys the environment gave or no one.

    `asked_for` are the keys that have `???` for a value, which `plain` leaves out.
    """

    plain: dict[str, Plain]
    stored: dict[str, Plain]
    from_environment: frozenset[KeyPath]
    asked_for: frozenset[KeyPath]


def resolve(config: DictConfig, places: Places) -> Resolved:
    """Resolve a config.

    Raises
    ------
    RecipeError
        If an interpolation refers to nothing, to itself, or to a variable that is not set.
    """
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from omegaconf.resolvers import oc

    from engine.recipe.mistakes import explain_omegaconf

    references = _References(_unused_character(config))
    try:
        plain = OmegaConf.to_container(config, resolve=True)
        OmegaConf.register_new_resolver("oc.env", references.refer, replace=True)
        marked = OmegaConf.to_container(config, resolve=True)
    except OmegaConfBaseException as error:
        raise explain_omegaconf(error, places) from None
    except RecursionError:
        raise RecipeError.of("the interpolations refer to themselves") from None
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)
    stored = cast("dict[str, Plain]", references.write(cast("Plain", marked)))
    return Resolved(
        plain=cast("dict[str, Plain]", _without_asked_for(cast("Plain", plain))),
        stored=stored,
        from_environment=frozenset(
            path for path, text in _texts(cast("Plain", marked), ()) if references.mark in text
        ),
        asked_for=frozenset(path for path, text in _texts(cast("Plain", plain), ()) if text == _ASKED_FOR),
    )


@dataclass
class _References:
    """The references to the environment, each a number between two marks until it is written."""

    mark: str
    _written: list[str] = field(default_factory=list)

    def refer(self, name: object, *default: object) -> str:
        """Stand in for `oc.env`: remember what was asked instead of asking."""
        arguments = ",".join(self._argument(value) for value in (name, *default))
        self._written.append(f"${{oc.env:{arguments}}}")
        return f"{self.mark}{len(self._written) - 1}{self.mark}"

    def write(self, value: Plain) -> Plain:
        """Return the value as it may be stored."""
        if isinstance(value, dict):
            return {key: self.write(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.write(inner) for inner in value]
        return self._text(value, quoted=False) if isinstance(value, str) else value

    def _argument(self, value: object) -> str:
        if value is None:
            return "null"
        text = str(value)
        return text if _WORD.fullmatch(text) else f"'{self._text(text, quoted=True)}'"

    def _text(self, text: str, *, quoted: bool) -> str:
        """Escape what is literal: a backslash counts in OmegaConf's grammar before `${` and quotes only."""
        pattern = _LITERAL_QUOTED if quoted else _LITERAL
        literals = re.split(f"{self.mark}([0-9]+){self.mark}", text)
        written = []
        for index, piece in enumerate(literals):
            if index % 2:
                written.append(self._written[int(piece)])
                continue
            escaped = pattern.sub(r"\1\1\\\2", piece)
            is_followed = quoted or index + 1 < len(literals)
            written.append(_TRAILING.sub(r"\1\1", escaped, count=1) if is_followed else escaped)
        return "".join(written)


def _unused_character(config: DictConfig) -> str:
    """Return a character, of Unicode's private ones on, that the config does not hold."""
    from omegaconf import OmegaConf

    words = json.dumps(OmegaConf.to_container(config, resolve=False), ensure_ascii=False)
    return next(character for character in map(chr, range(0xE000, 0x110000)) if character not in words)


def _texts(value: Plain, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, str(index)))
    elif isinstance(value, str):
        yield path, value


def _without_asked_for(value: Plain) -> Plain:
    if isinstance(value, dict):
        return {key: _without_asked_for(inner) for key, inner in value.items() if inner != _ASKED_FOR}
    return value

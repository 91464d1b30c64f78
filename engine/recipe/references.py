r"""The `${…}` of recipes: a text read into pieces, and pieces written as a text.

The language is the part of OmegaConf's that only refers: `${other.key}`, `${.sibling}`, `${a.list[0]}`,
`${oc.env:NAME}`, `${oc.env:NAME,default}`, and `\${` for a plain `${`. Nothing stands inside of another, no
other resolver has a name, and nothing is looked up here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.recipe.text import Plain

# The look behind keeps a long run of backslashes from being read once for each of them.
_OPEN = re.compile(r"(?<!\\)(\\*)\$\{")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
_WORD = r"""[^\s,{}\[\]'"$\\]+"""
_VARIABLE = re.compile(
    rf"\s*oc\.env\s*:\s*(?P<name>{_NAME})\s*"
    rf"(?:,\s*(?P<default>{_QUOTED}|{_WORD}(?:[ \t]+{_WORD})*)\s*)?\}}",
    re.DOTALL,
)
_PART = r"""[^\s.,:\[\]{}()$'"\\]+"""
_INDEX = r"""\[[^\[\]{}$'"\\]+\]"""
_REFERENCE = re.compile(rf"\s*(?P<up>\.*)(?P<path>{_PART}(?:\.{_PART}|{_INDEX})*)\s*\}}")
_STEP = re.compile(rf"({_PART})|\[([^\]]+)\]")
_RESOLVER = re.compile(r"\s*([A-Za-z_][\w.]*)\s*:")
# Begins what stands in for something else: a character that no text needs.
_STAND_IN = "\ufdd0"
_LIST = re.compile(rf"{_STAND_IN}\[([0-9]+)\]")
_LONG = 50


class UnsoundReferenceError(ValueError):
    """A text whose `${` opens nothing that a recipe may say."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A value that the environment gives; without `has_default` the variable must be set."""

    name: str
    default: str | None = None
    has_default: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Another key's value: `path` from the top, or from `up` levels above this key where that is not 0."""

    path: tuple[str, ...]
    up: int = 0

    def __str__(self) -> str:
        """Return the reference as it is shown."""
        return f"${{{'.' * self.up}{'.'.join(self.path)}}}"


Piece = str | Variable | Reference


def read(text: str) -> tuple[Piece, ...]:
    r"""Split a text into what is literal and what refers; of neighbouring pieces one at most is literal.

    Raises
    ------
    UnsoundReferenceError
        If a `${` opens something else.

    Examples
    --------
    >>> read("a ${b.c}")
    ('a ', Reference(path=('b', 'c'), up=0))
    >>> read(r"\${b}")
    ('${b}',)
    """
    pieces: list[Piece] = []
    literal: list[str] = []
    at = 0
    while opened := _OPEN.search(text, at):
        backslashes = len(opened[1])
        literal += [text[at : opened.start()], "\\" * (backslashes // 2)]
        at = opened.end()
        if backslashes % 2:
            literal.append("${")
            continue
        piece, at = _read_one(text, at)
        pieces += [whole] if (whole := "".join(literal)) else []
        pieces.append(piece)
        literal = []
    literal.append(text[at:])
    return (*pieces, *([whole] if (whole := "".join(literal)) or not pieces else []))


def write(pieces: Sequence[str | Variable]) -> str:
    """Return the text that `read` splits into `pieces`.

    A backslash counts before `${` only, so it is doubled there and nowhere else.
    """
    written = []
    for index, piece in enumerate(pieces):
        if isinstance(piece, Variable):
            written.append(_write_variable(piece))
            continue
        escaped = _OPEN.sub(r"\1\1\\${", piece)
        n_trailing = len(escaped) - len(escaped.rstrip("\\")) if index + 1 < len(pieces) else 0
        written.append(escaped + "\\" * n_trailing)
    return "".join(written)


def _read_one(text: str, at: int) -> tuple[Variable | Reference, int]:
    if variable := _VARIABLE.match(text, at):
        default = variable["default"]
        if default is not None and default[0] in "'\"":
            default = _unquote(default)
        elif default == "null":
            return Variable(variable["name"], None, has_default=True), variable.end()
        return Variable(variable["name"], default, has_default=default is not None), variable.end()
    if reference := _REFERENCE.match(text, at):
        path = tuple(part or index.strip() for part, index in _STEP.findall(reference["path"]))
        return Reference(path, len(reference["up"])), reference.end()
    resolver = _RESOLVER.match(text, at)
    if resolver is not None and resolver[1] != "oc.env":
        what = (
            f"'${{{resolver[1][:40]}:…}}' is refused: only ${{oc.env:NAME}} and ${{other.key}} are resolved"
        )
    elif _holds_another(text, at):
        what = "'${' inside of another ${…} is refused: a reference is written out"
    else:
        what = "'${' opens what is no sound ${other.key}; as plain text it is written \\${"
    raise UnsoundReferenceError(what)


def _holds_another(text: str, at: int) -> bool:
    inner, end = text.find("${", at), text.find("}", at)
    return 0 <= inner < end


def _write_variable(variable: Variable) -> str:
    if not variable.has_default:
        return f"${{oc.env:{variable.name}}}"
    if variable.default is None:
        return f"${{oc.env:{variable.name},null}}"
    # In quotes every backslash is doubled, whatever follows it.
    quoted = variable.default.replace("\\", "\\\\").replace("'", "\\'").replace("${", "\\${")
    return f"${{oc.env:{variable.name},'{quoted}'}}"


def _unquote(quoted: str) -> str:
    if "${" in re.sub(r"\\.", " ", quoted, flags=re.DOTALL):
        raise UnsoundReferenceError("'${' inside of another ${…} is refused: a reference is written out")
    return re.sub(r"""\\([\\'"$])""", r"\1", quoted[1:-1])


@dataclass(frozen=True)
class Veil:
    """Hides from a library what it would follow, every `${`, and what it would be slow with, long lists."""

    lists: list[Plain] = field(default_factory=list)

    def hide(self, values: dict[str, Plain]) -> dict[str, Plain]:
        """Return the values with words in the place of what is hidden."""
        return {key: self._hidden(value) for key, value in values.items()}

    def reveal(self, values: dict[str, Plain]) -> dict[str, Plain]:
        """Return the values that were hidden; a `${` that was not is left as it is."""
        return {key: self._revealed(value) for key, value in values.items()}

    def _hidden(self, value: Plain) -> Plain:
        if isinstance(value, dict):
            return self.hide(value)
        if isinstance(value, list) and len(value) > _LONG:
            self.lists.append(value)
            return f"{_STAND_IN}[{len(self.lists) - 1}]"
        if isinstance(value, list):
            return [self._hidden(inner) for inner in value]
        if not isinstance(value, str):
            return value
        return value.replace(_STAND_IN, f"{_STAND_IN}.").replace("${", f"{_STAND_IN}{{")

    def _revealed(self, value: Plain) -> Plain:
        if isinstance(value, dict):
            return self.reveal(value)
        if isinstance(value, list):
            return [self._revealed(inner) for inner in value]
        if not isinstance(value, str) or _STAND_IN not in value:
            return value
        if place := _LIST.fullmatch(value):
            return self.lists[int(place[1])]
        return value.replace(f"{_STAND_IN}{{", "${").replace(f"{_STAND_IN}.", _STAND_IN)

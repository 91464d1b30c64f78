"""Resolves the references of a composed recipe, into its values and into what may be stored of them.

Stored, a value of the environment stands as the `${oc.env:NAME}` that asks for it, and every other `${` is
escaped, so that what is stored reads back to the same recipe and never asks the environment for more. What
the environment gives is text, whatever it looks like. How deep references go, and how much they expand to,
is bounded before it is built.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.errors import Message, RecipeError, nearest
from engine.recipe.places import Places
from engine.recipe.references import Piece, Reference, Variable, read, write
from engine.recipe.text import KeyPath, Plain
from engine.redaction import keep_secret

MAX_DEPTH = 20
MAX_EXPANDED = 1 << 16
_ASKED_FOR = "???"
_TOO_DEEP = f"references follow each other further than {MAX_DEPTH}"
_TOO_LARGE = f"with this one, references expand to more than {MAX_EXPANDED} characters"


@dataclass(frozen=True)
class Resolved:
    """A recipe's values, what may be stored of them, and which keys the environment gave or no one.

    `asked_for` are the keys that have `???` for a value, which `plain` leaves out; `referring` are those that
    take something of another key's. A key that can't be resolved is left out and in `unknown`, as is one that
    needs it; `mistakes` says why, of each that is not for another's sake.
    """

    plain: dict[str, Plain]
    stored: dict[str, Plain]
    from_environment: frozenset[KeyPath]
    asked_for: frozenset[KeyPath]
    referring: frozenset[KeyPath]
    unknown: frozenset[KeyPath] = frozenset()
    mistakes: tuple[Message, ...] = ()


def resolve(config: dict[str, Plain], places: Places) -> Resolved:
    """Resolve a composed recipe whose references are sound.

    What is wrong with a reference, that it leads to nothing, to itself, or to a variable that is not set, is
    in the mistakes.

    Raises
    ------
    RecipeError
        If references follow each other further than `MAX_DEPTH`, or expand to more than `MAX_EXPANDED`.
    """
    resolver = _Resolver(config)
    try:
        mapping = resolver.all()
    except _ReferenceError as error:
        raise RecipeError([error.message(places)]) from None
    plain = {key: _plain(value) for key, value in mapping.items() if not _is_asked_for(value)}
    texts = list(_texts(mapping, ()))
    return Resolved(
        plain=plain,
        stored={key: _stored(value) for key, value in mapping.items()},
        from_environment=frozenset(path for path, text in texts if any(map(_is_given, text.pieces))),
        asked_for=frozenset(path for path, text in texts if text.pieces == (_ASKED_FOR,)),
        referring=frozenset(resolver.referring),
        unknown=frozenset(resolver.unknown),
        mistakes=tuple(error.message(places) for error in resolver.mistakes),
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """What the environment gave for a variable."""

    variable: Variable
    value: str | None


@dataclass(frozen=True, slots=True)
class _Text:
    """A resolved text: what is literal, and what the environment gave."""

    pieces: tuple[str | _Given, ...]


class _Unknown:
    """The value of a key that can't be resolved."""


_Value = bool | int | float | _Text | _Unknown | list["_Value"] | dict[str, "_Value"] | None


class _ReferenceError(Exception):
    """A reference that can't be followed, and the key that holds it."""

    def __init__(self, what: str, path: KeyPath, suggestion: str = "") -> None:
        super().__init__(what)
        self.what, self.path, self.suggestion = what, path, suggestion

    def message(self, places: Places) -> Message:
        return places.locate(Message(self.what, ".".join(self.path), suggestion=self.suggestion), self.path)


class _BoundError(_ReferenceError):
    """References without end: nothing is built of the recipe."""


@dataclass
class _Resolver:
    """Resolves each key once; a key that several others refer to is shared by them."""

    tree: dict[str, Plain]
    referring: set[KeyPath] = field(default_factory=set)
    unknown: set[KeyPath] = field(default_factory=set)
    mistakes: list[_ReferenceError] = field(default_factory=list)
    # path: value, how far references follow each other below it, how much it holds
    _done: dict[KeyPath, tuple[_Value, int, int]] = field(default_factory=dict)
    _open: list[KeyPath] = field(default_factory=list)
    _n_followed: int = 0
    _n_expanded: int = 0

    def all(self) -> dict[str, _Value]:
        """Return the whole tree, resolved."""
        value, _, _ = self._value((), self.tree)
        assert isinstance(value, dict)
        return value

    def _value(self, path: KeyPath, node: Plain) -> tuple[_Value, int, int]:
        """Return a node's value, depth and size."""
        if path in self._done:
            return self._done[path]
        if path in self._open:
            raise _ReferenceError("the interpolation refers to itself", self._open[-1])
        if isinstance(node, str):
            return self._text(path, node)
        if not isinstance(node, dict | list):
            return node, 0, 1
        self._open.append(path)
        keys = list(node) if isinstance(node, dict) else [str(index) for index in range(len(node))]
        children = node.values() if isinstance(node, dict) else node
        found = [self._value((*path, key), child) for key, child in zip(keys, children, strict=True)]
        self._open.pop()
        values = [value for value, _, _ in found]
        depth = max((depth for _, depth, _ in found), default=0)
        size = 1 + sum(size for _, _, size in found)
        value: _Value = values
        if isinstance(node, dict):
            named = zip(keys, values, strict=True)
            value = {key: inner for key, inner in named if not isinstance(inner, _Unknown)}
        elif any(isinstance(inner, _Unknown) for inner in values):
            value = _Unknown()
        self._done[path] = value, depth, size
        return self._done[path]

    def _text(self, path: KeyPath, text: str) -> tuple[_Value, int, int]:
        if "${" not in text:
            return _Text((text,)), 0, len(text)
        # A chain followed for the first time is open from end to end; one followed before has a depth.
        if self._n_followed > MAX_DEPTH:
            raise _BoundError(_TOO_DEEP, path)
        found = self._pieces(text, path)
        depth = max(depth for _, depth, _ in found)
        size = sum(size for _, _, size in found)
        if depth > MAX_DEPTH:
            raise _BoundError(_TOO_DEEP, path)
        self._n_expanded += size
        if self._n_expanded > MAX_EXPANDED:
            raise _BoundError(_TOO_LARGE, path)
        value = found[0][0] if len(found) == 1 else self._join([value for value, _, _ in found], path)
        if isinstance(value, _Unknown):
            self.unknown.add(path)
        self._done[path] = value, depth, size
        return self._done[path]

    def _pieces(self, text: str, path: KeyPath) -> list[tuple[_Value, int, int]]:
        self._open.append(path)
        self._n_followed += 1
        try:
            return [self._piece(piece, path) for piece in read(text)]
        except _BoundError:
            raise
        except _ReferenceError as error:
            self.mistakes.append(error)
            return [(_Unknown(), 0, 0)]
        finally:
            self._n_followed -= 1
            self._open.pop()

    def _piece(self, piece: Piece, path: KeyPath) -> tuple[_Value, int, int]:
        if isinstance(piece, str):
            return _Text((piece,)), 0, len(piece)
        if isinstance(piece, Variable):
            given = self._ask(piece, path)
            return _Text((_Given(piece, given),)), 0, len(given or "")
        self.referring.add(path)
        target, node = self._find(piece, path)
        value, depth, size = self._value(target, node)
        return value, depth + 1, size

    def _find(self, reference: Reference, path: KeyPath) -> tuple[KeyPath, Plain]:
        """Return the path that a reference names, and what stands there."""
        if reference.up > len(path):
            raise _ReferenceError(f"'{reference}' leads above the recipe", path)
        target = (*path[: -reference.up], *reference.path) if reference.up else reference.path
        node: Plain = self.tree
        for index, part in enumerate(target):
            inner = _child(node, part)
            if inner is None:
                known = list(node) if isinstance(node, dict) else []
                near = nearest(part, known)
                shown = ".".join((*target[:index], near, *target[index + 1 :]))
                what = f"'{reference}' refers to nothing: there is no key '{'.'.join(target[: index + 1])}'"
                raise _ReferenceError(what, path, f"${{{shown}}}" if near else "")
            (node,) = inner
        if node == _ASKED_FOR:
            raise _ReferenceError(f"'{reference}' refers to a key that has no value", path)
        return target, node

    def _ask(self, variable: Variable, path: KeyPath) -> str | None:
        given = os.environ.get(variable.name)
        if given is not None:
            keep_secret(given, shown=write([Variable(variable.name)]))
            return given
        if not variable.has_default:
            raise _ReferenceError(f"the environment variable {variable.name} is not set", path)
        return variable.default

    def _join(self, values: list[_Value], path: KeyPath) -> _Text | _Unknown:
        pieces: list[str | _Given] = []
        for value in values:
            if isinstance(value, _Unknown):
                return value
            if isinstance(value, dict | list):
                kind = "keys" if isinstance(value, dict) else "values"
                self.mistakes.append(_ReferenceError(f"a text can't hold the {kind} that it refers to", path))
                return _Unknown()
            for piece in value.pieces if isinstance(value, _Text) else (_shown(value),):
                # Of neighbouring pieces one at most is literal, as `read` has them.
                last = pieces[-1] if pieces else None
                if isinstance(piece, str) and isinstance(last, str):
                    pieces[-1] = last + piece
                else:
                    pieces.append(piece)
        return _Text(tuple(pieces))


def _child(node: Plain, part: str) -> tuple[Plain] | None:
    """Return what stands under a part of a key, or None where nothing does."""
    if isinstance(node, dict) and part in node:
        return (node[part],)
    if isinstance(node, list) and part.isdecimal() and len(part) < 6 and int(part) < len(node):  # noqa: PLR2004 (a list of a recipe is short)
        return (node[int(part)],)
    return None


def _shown(value: bool | float | None) -> str:
    """Write a value into a text, as YAML would."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _is_given(piece: str | _Given) -> bool:
    return isinstance(piece, _Given)


def _is_asked_for(value: _Value) -> bool:
    return isinstance(value, _Text) and value.pieces == (_ASKED_FOR,)


def _plain(value: _Value) -> Plain:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if not _is_asked_for(inner)}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if not isinstance(value, _Text):
        assert not isinstance(value, _Unknown)
        return value
    given = [piece.value if isinstance(piece, _Given) else piece for piece in value.pieces]
    return None if given == [None] else "".join("null" if text is None else text for text in given)


def _stored(value: _Value) -> Plain:
    if isinstance(value, dict):
        return {key: _stored(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_stored(inner) for inner in value]
    if not isinstance(value, _Text):
        assert not isinstance(value, _Unknown)
        return value
    return write([piece.variable if isinstance(piece, _Given) else piece for piece in value.pieces])


def _texts(value: _Value, path: KeyPath) -> Iterator[tuple[KeyPath, _Text]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*path, str(index)))
    elif isinstance(value, _Text):
        yield path, value

"""A draft of a recipe: every mistake of its keys and types, and the rest as it was most likely meant.

A compiler that stops at its first error has its reader run it ten times. So each mistake with a near cure is
mended for the sake of what comes after it, and the rooms check what can be known: a section that can't be
known is in `unknown`, and no one looks at it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel, ValidationError

from engine.errors import MAX_MESSAGES, Message
from engine.recipe.compose import Composition
from engine.recipe.places import Places
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain

if TYPE_CHECKING:
    from engine.recipe.mistakes import Mistake

# A key that was renamed may hold a value that is wrong as well, and that one a key.
_MAX_ROUNDS = 4
# A key may have several details, so these are more than are shown.
_MAX_EXPLAINED = 4 * MAX_MESSAGES
_COLUMNS, _GATES = ("schema", "columns"), ("goal", "gates")
# What other rooms conclude from: without it a column is no longer known.
_TELLING = ("type", "role")
_DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True)
class Draft:
    """What could be read of a recipe.

    Attributes
    ----------
    spec
        Whole where there is no mistake; else without the sections that are in `unknown`.
    mistakes
        Of composition, keys and types, each at its place.
    unknown
        Top-level keys whose values are not known, so that nothing can be said of them.
    written
        How a mended key stands in the recipe.
    """

    spec: Spec
    mistakes: tuple[Message, ...]
    unknown: frozenset[str]
    places: Places
    written: Mapping[KeyPath, KeyPath] = field(default_factory=dict)

    def knows(self, *sections: str) -> bool:
        """Tell whether all these sections can be checked."""
        return self.unknown.isdisjoint(sections)

    def locate(self, message: Message) -> Message:
        """Return a room's message with its place, and its key as it was written."""
        path = self.places.path_of(message.key)
        written = _as_written(path, self.written)
        if written == path:
            return self.places.locate(message)
        return self.places.locate(replace(message, key=".".join(written)), written)


def draft(composition: Composition) -> Draft:
    """Read a composed recipe as far as it can be read."""
    try:
        # JSON is the way in because a strict model takes lists and numbers as JSON has them.
        spec = Spec.model_validate_json(json.dumps(composition.plain))
    except ValidationError as error:
        reading = _Reading(composition, copy.deepcopy(composition.plain))
        return reading.mended(error)
    unknown = frozenset(path[0] for path in composition.unknown)
    return Draft(spec, composition.mistakes, unknown, composition.places)


@dataclass
class _Reading:
    """The rounds of reading and mending; `written` says how a mended key stands in the recipe."""

    composition: Composition
    plain: dict[str, Plain]
    mistakes: list[Message] = field(default_factory=list)
    said: set[KeyPath] = field(default_factory=set)
    written: dict[KeyPath, KeyPath] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)

    def mended(self, error: ValidationError) -> Draft:
        """Say all that is wrong, and mend it until nothing new is found."""
        self.said |= self.composition.unknown
        self.lost |= {path[0] for path in self.composition.unknown}
        wrong: ValidationError | None = error
        for _ in range(_MAX_ROUNDS):
            if wrong is None:
                break
            found = self._explained(wrong)
            if not found:
                break
            for mistake in found:
                self._mend(mistake)
            wrong = self._validated()
            if len(self.mistakes) > MAX_MESSAGES:
                break
        self._lose_the_rest(wrong)
        sections = {name: value for name, value in self.plain.items() if name not in self.lost}
        mistakes = (*self.composition.mistakes, *self.mistakes)
        return Draft(
            _construct(sections), mistakes, frozenset(self.lost), self.composition.places, self.written
        )

    def _explained(self, error: ValidationError) -> list[Mistake]:
        """Return what was not said before, and note it."""
        from engine.recipe.mistakes import explain_pydantic

        found = explain_pydantic(
            error.errors(include_url=False)[:_MAX_EXPLAINED],
            model=Spec,
            plain=self.plain,
            places=self.composition.places,
            from_environment=self.composition.from_environment,
        )
        new = [mistake for mistake in found if not self._is_said(mistake.path)]
        for mistake in new:
            written = _as_written(mistake.path, self.written)
            message = mistake.message
            if written != mistake.path:
                message = replace(message, key=".".join(written))
            self.mistakes.append(self.composition.places.locate(message, written))
            self.said.add(mistake.path)
        return new

    def _is_said(self, path: KeyPath) -> bool:
        return any(path[:end] in self.said for end in range(1, len(path) + 1))

    def _mend(self, mistake: Mistake) -> None:
        """Put what was meant in the place of what is wrong; else take it out, or give its section up."""
        path = mistake.path
        if mistake.kind == "unknown":
            value = _take_out(self.plain, path)
            is_sibling = mistake.renamed[:-1] == path[:-1]
            if mistake.renamed[-1:] in ((), (_DEFAULTS,)):
                return
            if _put(self.plain, mistake.renamed, value, is_new=not is_sibling):
                self.written[mistake.renamed] = _as_written(path, self.written)
        elif mistake.kind == "value" and mistake.meant is not None:
            for other in mistake.with_:
                _take_out(self.plain, other)
            _put(self.plain, path, mistake.meant, is_new=False)
        elif mistake.kind == "value" and path[:2] == _GATES and len(path) > len(_GATES):
            _take_out(self.plain, path[:3])
        elif mistake.kind == "value" and _is_rule(path):
            _take_out(self.plain, path[:4])
        else:
            self.lost.add(path[0])

    def _validated(self) -> ValidationError | None:
        try:
            Spec.model_validate_json(json.dumps(self.plain))
        except ValidationError as error:
            return error
        return None

    def _lose_the_rest(self, error: ValidationError | None) -> None:
        details = error.errors(include_url=False) if error is not None else []
        self.lost |= {str(detail["loc"][0]) for detail in details}


def _as_written(path: KeyPath, written: Mapping[KeyPath, KeyPath]) -> KeyPath:
    for end in range(len(path), 0, -1):
        if path[:end] in written:
            return (*written[path[:end]], *path[end:])
    return path


def _is_rule(path: KeyPath) -> bool:
    """Tell whether a key is a rule of a column, without which the column is still known."""
    return path[:2] == _COLUMNS and len(path) > len(_COLUMNS) + 1 and path[3] not in _TELLING


def _take_out(tree: dict[str, Plain], path: KeyPath) -> Plain:
    *above, name = path
    node: Plain = tree
    for part in above:
        node = node.get(part) if isinstance(node, dict) else None
    return node.pop(name, None) if isinstance(node, dict) else None


def _put(tree: dict[str, Plain], path: KeyPath, value: Plain, *, is_new: bool) -> bool:
    """Set a value below mappings that are there, a mapping over a mapping; where it must be new, no other."""
    *above, name = path
    node: Plain = tree
    for part in above:
        node = node.get(part) if isinstance(node, dict) else None
    if not isinstance(node, dict) or (is_new and name in node):
        return False
    old = node.get(name)
    node[name] = {**old, **value} if isinstance(old, dict) and isinstance(value, dict) else value
    return True


def _construct(sections: Mapping[str, Plain]) -> Spec:
    """Build a spec of the sections that are sound; the others are not there."""
    values: dict[str, object] = dict(sections)
    for name, info in Spec.model_fields.items():
        key, kinds = info.alias or name, (info.annotation, *get_args(info.annotation))
        model = next((one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)), None)
        if model is not None and sections.get(key) is not None:
            values[key] = model.model_validate_json(json.dumps(sections[key]))
    construct: Callable[..., Spec] = Spec.model_construct
    return construct(**values)

"""Where each value of a composed recipe was written: command line, recipe, or a file of a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from engine.errors import EngineError, Message
from engine.recipe.text import KeyPath

COMMAND_LINE = "command line"
Place = tuple[str, int | None]


@dataclass(frozen=True)
class Layer:
    """One document that contributed keys; `package` is where its keys stand in the whole.

    `is_ours` says that it is the engine's own file, in which nobody mends anything.
    """

    file: str
    lines: Mapping[KeyPath, int]
    package: KeyPath
    is_ours: bool = False

    @classmethod
    def of_command_line(cls, paths: Iterable[KeyPath]) -> Layer:
        """Make a layer of the keys overridden on the command line."""
        return cls(COMMAND_LINE, dict.fromkeys(paths, 0), ())

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key, 0 on the command line, or None where this layer does not set it."""
        n = len(self.package)
        return self.lines.get(path[n:]) if path[:n] == self.package else None

    def beside(self, path: KeyPath) -> frozenset[str]:
        """Return the keys that this layer sets in the mapping of a key."""
        above = path[len(self.package) : -1]
        keys = (key for key in self.lines if len(key) == len(above) + 1 and key[:-1] == above)
        return (
            frozenset(key[-1] for key in keys) if path[: len(self.package)] == self.package else frozenset()
        )


@dataclass(frozen=True)
class Places:
    """The layers of a composed recipe, the winning one first, and where its options were chosen.

    The command line and the recipe are the first two layers; `choices` holds the groups that they chose, and
    `asked_for` the keys that a file leaves to the recipe. `references` are the texts that refer to
    other keys, as they were written.
    """

    layers: tuple[Layer, ...]
    choices: Mapping[str, Place] = field(default_factory=dict)
    asked_for: frozenset[KeyPath] = frozenset()
    references: Mapping[KeyPath, str] = field(default_factory=dict)

    def find(self, path: KeyPath) -> Place:
        """Return file and line of a key, or of the nearest key above it that was written."""
        return self._find(path, self.layers)

    def find_missing(self, path: KeyPath) -> Place:
        """Return where a key that has no value belongs: to the recipe, or to the option that lacks it."""
        is_asked_for = path in self.asked_for
        own = self.layers[:2]
        if any(layer.line(path) == 0 for layer in own[:1]):
            return COMMAND_LINE, None
        option = next((layer for layer in self.layers if layer.package and layer.package == path[:1]), None)
        if option is not None and not is_asked_for and len(path) == len(option.package) + 1:
            return option.file, None
        if option is not None and is_asked_for and path[0] in self.choices:
            return self.choices[path[0]]
        return self._find(path[:-1], own)

    def locate(self, message: Message, path: KeyPath | None = None) -> Message:
        """Return the message with file and line filled in from its key.

        What is wrong with one of our options stands where the option was chosen, and what is wrong with one
        of our values where it was taken: in no file of ours is there anything to mend.
        """
        if message.file or not message.key:
            return message
        path = path or self.path_of(message.key)
        if path in self.asked_for:
            file, line = self.find_missing(path)
            return replace(message, file=file, line=line)
        winner = next((layer for layer in self.layers if layer.line(path) is not None), None)
        if winner is None or not winner.is_ours:
            file, line = self.find(path)
            return replace(message, file=file, line=line)
        if path[0] in self.choices:
            file, line = self.choices[path[0]]
            key = path[0] if path[1:] in (("kind",), ("family",)) else message.key
        else:
            (file, line), key = (self._recipe(), None), message.key
        what = message.what if key == path[0] else f"{message.what} (by default)"
        return replace(message, what=what, key=key, file=file, line=line)

    @contextmanager
    def placing(self) -> Iterator[None]:
        """Give an error's messages about keys of the recipe the places of those keys."""
        try:
            yield
        except EngineError as error:
            is_key = [self.path_of(message.key) in self._known for message in error.messages]
            if not any(is_key):
                raise
            located = zip(error.messages, is_key, strict=True)
            raise type(error)([self.locate(message) if key else message for message, key in located]) from (
                error.__cause__
            )

    def is_given(self, path: KeyPath) -> bool:
        """Tell whether the recipe itself or the command line sets a key."""
        return any(layer.line(path) is not None for layer in self.layers[:2])

    def is_default(self, path: KeyPath) -> bool:
        """Tell whether a file of an option, and neither the recipe nor the command line, sets a key."""
        return not self.is_given(path) and any(layer.line(path) is not None for layer in self.layers[2:])

    def is_ours(self, path: KeyPath) -> bool:
        """Tell whether a key has its value from a file that ships with the engine."""
        winner = next((layer for layer in self.layers if layer.line(path) is not None), None)
        return winner is not None and winner.is_ours

    def written_beside(self, path: KeyPath) -> frozenset[str]:
        """Return the keys that were written in the mapping of a key, by whoever wrote that one."""
        layer = next((layer for layer in self.layers if layer.line(path) is not None), None)
        return layer.beside(path) - {path[-1]} if layer is not None else frozenset()

    def path_of(self, key: str) -> KeyPath:
        """Split a dotted key into a path: a name that holds dots itself is known by having been written."""
        return self._split((), key.split("."))[1]

    def in_order(self, messages: Iterable[Message]) -> list[Message]:
        """Sort messages as their reader meets them: command line first, then file by file, line by line."""
        rank = {layer.file: index for index, layer in reversed(list(enumerate(self.layers)))}
        return sorted(messages, key=lambda message: (rank.get(message.file, len(rank)), message.line or 0))

    def _find(self, path: KeyPath, layers: tuple[Layer, ...]) -> Place:
        for end in range(len(path), 0, -1):
            for layer in layers:
                line = layer.line(path[:end])
                if line is not None:
                    return layer.file, line or None
            # A key that only the command line put there has no line of its own.
            if any(key[:end] == path[:end] for layer in layers[:1] for key in layer.lines):
                return COMMAND_LINE, None
        return self._recipe(), None

    def _recipe(self) -> str:
        return self.layers[1].file if len(self.layers) > 1 else ""

    def _split(self, above: KeyPath, parts: list[str]) -> tuple[int, KeyPath]:
        """Return the split of which the most parts are known, and how many."""
        found = (0, (*above, *parts))
        for n in range(len(parts), 0, -1):
            here = (*above, ".".join(parts[:n]))
            if here in self._known:
                n_known, path = self._split(here, parts[n:])
                found = max(found, (n + n_known, path), key=lambda item: item[0])
        return found

    @cached_property
    def _known(self) -> frozenset[KeyPath]:
        paths = {(*layer.package, *path) for layer in self.layers for path in layer.lines}
        return frozenset(path[:end] for path in paths for end in range(1, len(path) + 1))

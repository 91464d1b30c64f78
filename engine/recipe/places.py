"""Where each value of a composed recipe was written: command line, recipe, or a file of a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from engine.errors import Message
from engine.recipe.text import KeyPath

COMMAND_LINE = "command line"


@dataclass(frozen=True)
class Layer:
    """One document that contributed keys; `package` is where its keys stand in the whole."""

    file: str
    lines: Mapping[KeyPath, int]
    package: KeyPath

    @classmethod
    def of_command_line(cls, keys: Iterable[str]) -> Layer:
        """Make a layer of the keys overridden on the command line."""
        return cls(COMMAND_LINE, {tuple(key.split(".")): 0 for key in keys}, ())

    def line(self, path: KeyPath) -> int | None:
        """Return the line of a key, 0 on the command line, or None where this layer does not set it."""
        n = len(self.package)
        return self.lines.get(path[n:]) if path[:n] == self.package else None


@dataclass(frozen=True)
class Places:
    """The layers of a composed recipe, the winning one first."""

    layers: tuple[Layer, ...]

    def find(self, path: KeyPath) -> tuple[str, int | None]:
        """Return file and line of a key, or of the nearest key above it that was written."""
        for end in range(len(path), 0, -1):
            for layer in self.layers:
                line = layer.line(path[:end])
                if line is not None:
                    return layer.file, line or None
        return (self.layers[1].file if len(self.layers) > 1 else ""), None

    def locate(self, message: Message, path: KeyPath | None = None) -> Message:
        """Return the message with file and line filled in from its key."""
        if message.file or not message.key:
            return message
        file, line = self.find(path or tuple(message.key.split(".")))
        return Message(
            message.what, message.key, file, line, message.suggestion, message.allowed, message.try_
        )

    def in_order(self, messages: Iterable[Message]) -> list[Message]:
        """Sort messages as their reader meets them: command line first, then file by file, line by line."""
        rank = {layer.file: index for index, layer in reversed(list(enumerate(self.layers)))}
        return sorted(messages, key=lambda message: (rank.get(message.file, len(rank)), message.line or 0))

"""What a schema asks of the features that no preparation gives; asked before any data is read."""

from __future__ import annotations

from collections.abc import Iterable

from engine.data.schema import Column
from engine.errors import Message

_NOT_PREPARED = ("text", "image")


def unprepared(columns: Iterable[Column]) -> list[Message]:
    """Return what is wrong with columns as features: those of a type that nothing prepares yet."""
    return [
        Message(
            f"'{column.name}' is {column.type}, which no model takes as a feature yet; give it role: ignore",
            key=f"schema.columns.{column.name}.role",
        )
        for column in columns
        if column.role == "feature" and column.type in _NOT_PREPARED
    ]

"""What a schema asks of the features that no preparation gives; asked before any data is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from engine.data.schema import Column
from engine.errors import Message

_NUMBERS = ("integer", "number")
# The types of column that each key of preparation is for.
_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "impute": _NUMBERS,
        "scale": _NUMBERS,
        "encode": ("category", "datetime", "text"),
        "rare": ("category",),
        "unseen": ("category",),
        "terms": ("text",),
    }
)
_ENCODINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"category": ("codes", "onehot", "target"), "datetime": ("cyclic",), "text": ("tfidf", "hashing")}
)


def unprepared(columns: Iterable[Column]) -> list[Message]:
    """Return what is wrong with columns as features: types that nothing prepares, keys of other types."""
    return [message for column in columns for message in _mistakes(column)]


def _mistakes(column: Column) -> Iterator[Message]:
    place = f"schema.columns.{column.name}"
    if column.role == "feature" and column.type == "image":
        what = f"'{column.name}' is image, which no model takes as a feature yet; give it role: ignore"
        yield Message(what, key=f"{place}.role")
    if column.role == "feature" and column.type == "text" and column.encode is None:
        what = f"'{column.name}' is text, which a model takes as a feature by an encode only; or role: ignore"
        yield Message(what, key=f"{place}.encode", allowed=_ENCODINGS["text"])
    for key, types in _TYPES.items():
        if getattr(column, key) is None:
            continue
        if column.role != "feature":
            what = f"{key} prepares what a model sees, and '{column.name}' has the role {column.role}"
            yield Message(what, key=f"{place}.{key}")
        elif column.type not in types:
            what = f"{key} is no preparation of the type {column.type}"
            yield Message(what, key=f"{place}.{key}", allowed=types)
        elif key == "encode" and column.encode not in _ENCODINGS[column.type]:
            what = f"{column.encode} is no encoding of the type {column.type}"
            yield Message(what, key=f"{place}.{key}", allowed=_ENCODINGS[column.type])
    if column.unseen == "error" and column.rare is not None:
        what = "levels that are rare count as unseen, and are in the training rows: they can't be refused"
        yield Message(what, key=f"{place}.rare", try_="unseen: other")

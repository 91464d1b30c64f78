"""The one place that reads YAML: bounded, without tags, with the line of every key.

Plain values follow YAML 1.2's core schema, so `no`, `12:30` and `010` stay the text that was written. Size,
depth and what aliases expand to are bounded before any other library sees the text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from engine.errors import Message, RecipeError

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str, ...]
Events = Iterator[yaml.Event]

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 40
_MAX_NODES = 100_000

# https://yaml.org/spec/1.2.2/#103-core-schema, with decimal integers only
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Document:
    """One YAML file: its value, and the line where each key stands."""

    file: str
    value: Plain
    lines: Mapping[KeyPath, int]

    def mapping(self) -> dict[str, Plain]:
        """Return the value as a mapping; an empty file is an empty mapping.

        Raises
        ------
        RecipeError
            If the file holds a list or a single value.
        """
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise RecipeError.of("a recipe is a mapping of keys to values", file=self.file, line=1)
        return self.value


def read(path: Path, *, shown: str | None = None) -> Document:
    """Read a YAML file; `shown` is its name in messages.

    Raises
    ------
    RecipeError
        If the file is too large, is not UTF-8, or is not YAML as `parse` takes it.
    """
    file = shown or show(path)
    if path.stat().st_size > _MAX_BYTES:
        raise RecipeError.of(f"the file is larger than {_MAX_BYTES} bytes", file=file)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError.of(f"byte {error.start} is not UTF-8", file=file) from None
    return parse(text, file=file)


def parse(text: str, *, file: str) -> Document:
    """Parse YAML text.

    Raises
    ------
    RecipeError
        On a syntax error, a tag, a duplicate key, a number that is not finite, or a bound that is passed.
    """
    builder = _Builder(file)
    try:
        events = iter(yaml.parse(text, Loader=yaml.CSafeLoader))
        value = builder.document(events)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise RecipeError.of(f"not valid YAML: {error.problem}", file=file, line=line) from None
    except yaml.YAMLError as error:
        raise RecipeError.of(f"not valid YAML: {str(error).splitlines()[0]}", file=file) from None
    if builder.mistakes:
        raise RecipeError(builder.mistakes)
    return Document(file=file, value=value, lines=builder.lines)


def show(path: Path) -> str:
    """Return `path` as a person would type it: relative to the working directory when it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass
class _Builder:
    """Builds plain values from parser events and collects what is wrong with them."""

    file: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Message] = field(default_factory=list)
    _anchors: dict[str, tuple[Plain, int]] = field(default_factory=dict)
    _n_nodes: int = 0

    def document(self, events: Events) -> Plain:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                value = self._value(next(events), events, ())
                next(events)
                extra = next(events)
                if isinstance(extra, yaml.DocumentStartEvent):
                    self._mistake("a recipe is one YAML document", extra)
                return value
        return None

    def _value(self, event: yaml.Event, events: Events, path: KeyPath) -> Plain:
        if len(path) > _MAX_DEPTH:
            raise RecipeError.of(f"nested deeper than {_MAX_DEPTH}", file=self.file, line=_line(event))
        before = self._n_nodes
        self._count(1, event)
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise RecipeError.of(
                    f"'*{event.anchor}' stands before its anchor", file=self.file, line=_line(event)
                )
            value, size = self._anchors[event.anchor]
            self._count(size, event)
            return value
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") or (tag == "!" and not isinstance(event, yaml.ScalarEvent)):
            self._mistake(f"the tag '{tag}' is refused: a recipe is data, not code", event, path)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._mapping(events, path)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = (value, self._n_nodes - before)
        return value

    def _sequence(self, events: Events, path: KeyPath) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            here = (*path, str(len(items)))
            self.lines[here] = _line(event)
            items.append(self._value(event, events, here))
        return items

    def _mapping(self, events: Events, path: KeyPath) -> dict[str, Plain]:
        mapping: dict[str, Plain] = {}
        merged: list[Plain] = []
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise RecipeError.of("a key is a single word or text", file=self.file, line=_line(event))
            key = event.value
            here = (*path, key)
            if key in mapping:
                self._mistake(f"'{key}' stands twice; the first is on line {self.lines[here]}", event, here)
            value = self._value(next(events), events, here)
            if key == "<<":
                merged.extend(value if isinstance(value, list) else [value])
                continue
            self.lines.setdefault(here, _line(event))
            mapping[key] = value
        for base in merged:
            if isinstance(base, dict):
                mapping = {**base, **mapping}
        return mapping

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Plain:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if _NULL.fullmatch(text):
            return None
        if _BOOLEAN.fullmatch(text):
            return text.lower() == "true"
        if _INTEGER.fullmatch(text):
            return self._integer(text, event, path)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if not math.isfinite(number):
                self._mistake(f"{text} is too large a number", event, path)
            return number
        return text

    def _integer(self, text: str, event: yaml.Event, path: KeyPath) -> int | None:
        if len(text) > 20 or not -(2**63) <= int(text) < 2**63:  # noqa: PLR2004 (digits of 2**64)
            self._mistake(f"{text[:24]} is beyond 64 bits", event, path)
            return None
        return int(text)

    def _count(self, n: int, event: yaml.Event) -> None:
        self._n_nodes += n
        if self._n_nodes > _MAX_NODES:
            raise RecipeError.of(
                f"the file expands to more than {_MAX_NODES} values", file=self.file, line=_line(event)
            )

    def _mistake(self, what: str, event: yaml.Event, path: KeyPath = ()) -> None:
        self.mistakes.append(Message(what, ".".join(path), self.file, _line(event)))


def _line(event: yaml.Event) -> int:
    mark = event.start_mark
    return int(mark.line) + 1 if mark else 1


def write(value: Plain) -> str:
    """Return YAML text that `parse` reads back as the same value, keys in order."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, _data: object) -> bool:
            return True

    def quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
        # What our rules read as something else is quoted; the dumper quotes what YAML's grammar needs.
        ours = any(rule.fullmatch(text) for rule in (_NULL, _BOOLEAN, _INTEGER, _FLOAT))
        plain = text.isprintable() and not ours
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')

    Dumper.add_representer(str, quoted)
    return yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)

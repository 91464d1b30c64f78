"""The one place that reads YAML: bounded, without tags, with the line of every key.

Plain values follow YAML 1.2's core schema, so `no`, `12:30` and `010` stay the text that was written. Size,
depth and what aliases expand to are bounded before any other library sees the text.
"""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from engine.errors import Message, RecipeError

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
KeyPath = tuple[str, ...]
Events = Iterator[yaml.Event]

MAX_BYTES = 1 << 20
MAX_DEPTH = 40
MAX_NODES = 50_000
MAX_ALIASED = 5_000
MAX_CHARACTERS = 2 * MAX_BYTES
# As many mistakes of one file as anyone reads.
MAX_MISTAKES = 100

_PACKAGE = re.compile(r"\s*#\s*@package\s+(\S+)")

# https://yaml.org/spec/1.2.2/#103-core-schema, with decimal integers only
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOLEAN = re.compile(r"true|True|TRUE|false|False|FALSE")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


@dataclass(frozen=True)
class Document:
    """One YAML file: its value, the line of each key, and its `# @package` with the line of that."""

    file: str
    value: Plain
    lines: Mapping[KeyPath, int]
    package: tuple[str, int] | None = None

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
            given = "a list" if isinstance(self.value, list) else "one value"
            what = f"a recipe is a mapping of keys to values, such as 'name: adult', and this is {given}"
            raise RecipeError.of(what, file=self.file, line=1)
        return self.value


def read(path: Path, *, shown: str | None = None) -> Document:
    """Read a YAML file; `shown` is its name in messages.

    Raises
    ------
    RecipeError
        If the file is too large, is not UTF-8, or is not YAML as `parse` takes it.
    """
    file = shown or show(path)
    content = _content(path, file=file)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        from engine.recipe.syntax import explain_bytes

        raise RecipeError([explain_bytes(content, file=file)]) from None
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
    except yaml.YAMLError as error:
        from engine.recipe.syntax import explain_syntax

        raise RecipeError([explain_syntax(error, text, file=file)]) from None
    if builder.mistakes:
        raise RecipeError(builder.mistakes)
    return Document(file=file, value=value, lines=builder.lines, package=_package(text))


def _package(text: str) -> tuple[str, int] | None:
    """Return what Hydra would read of a file's first comments: where its keys should stand."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            break
        if found := _PACKAGE.match(line):
            return found[1], number
    return None


def _content(path: Path, *, file: str) -> bytes:
    """Read a file's bytes: a pipe is not waited for, and no more is read than a recipe may hold."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RecipeError.of("this is no regular file", file=file)
        with open(descriptor, "rb", closefd=False) as opened:
            content = opened.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise RecipeError.of(f"the file is larger than {MAX_BYTES} bytes", file=file)
    return content


def show(path: Path) -> str:
    """Return `path` as a person would type it: relative to the working directory when it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


@dataclass(frozen=True, slots=True)
class _Anchored:
    """A value that has a name, and how much each alias of it adds."""

    value: Plain
    n_nodes: int
    n_characters: int
    depth: int


@dataclass
class _Builder:
    """Builds plain values from parser events and collects what is wrong with them."""

    file: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    mistakes: list[Message] = field(default_factory=list)
    _anchors: dict[str, _Anchored] = field(default_factory=dict)
    _n_nodes: int = 0
    _n_characters: int = 0
    _n_aliased: int = 0
    _deepest: int = 0

    def document(self, events: Events) -> Plain:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                value = self._value(next(events), events, ())
                next(events)
                extra = next(events)
                if isinstance(extra, yaml.DocumentStartEvent):
                    self._mistake("a recipe is one YAML document, and another begins here", extra)
                return value
        return None

    def _value(self, event: yaml.Event, events: Events, path: KeyPath) -> Plain:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        around, self._deepest = self._deepest, len(path)
        n_nodes, n_characters = self._n_nodes, self._n_characters
        self._count(event, depth=len(path), n_nodes=1)
        self._refuse_tag(event, path)
        if isinstance(event, yaml.ScalarEvent):
            self._count(event, n_characters=len(event.value))
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(events, path)
        else:
            value = self._mapping(events, path)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = _Anchored(
                value,
                n_nodes=self._n_nodes - n_nodes,
                n_characters=self._n_characters - n_characters,
                depth=self._deepest - len(path),
            )
        self._deepest = max(self._deepest, around)
        return value

    def _alias(self, event: yaml.AliasEvent, path: KeyPath) -> Plain:
        """Return what an alias stands for, counted as if it were written out."""
        known = self._anchors.get(str(event.anchor))
        if known is None:
            what = f"'*{event.anchor}' stands for nothing; a text that begins with * is written in quotes"
            raise RecipeError.of(what, file=self.file, line=_line(event))
        self._count(
            event,
            depth=len(path) + known.depth,
            n_nodes=1 + known.n_nodes,
            n_characters=known.n_characters,
        )
        self._n_aliased += known.n_nodes
        if self._n_aliased > MAX_ALIASED:
            what = f"aliases expand to more than {MAX_ALIASED} values"
            raise RecipeError.of(what, file=self.file, line=_line(event))
        return known.value

    def _sequence(self, events: Events, path: KeyPath) -> list[Plain]:
        items: list[Plain] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            here = (*path, str(len(items)))
            self.lines[here] = _line(event)
            items.append(self._value(event, events, here))
        return items

    def _mapping(self, events: Events, path: KeyPath) -> dict[str, Plain]:
        mapping: dict[str, Plain] = {}
        merged: list[dict[str, Plain]] | None = None
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise RecipeError.of("a key is a single word or text", file=self.file, line=_line(event))
            key = event.value
            here = (*path, key)
            self._refuse_tag(event, here)
            # Written plain it merges; in quotes it is a key like any other.
            is_merge = key == "<<" and event.implicit[0]
            if key in mapping or (is_merge and merged is not None):
                self._mistake(f"'{key}' stands twice; the first is on line {self.lines[here]}", event, here)
            self.lines.setdefault(here, _line(event))
            value = self._value(next(events), events, here)
            if is_merge:
                merged = self._merged(value, event, here)
            else:
                mapping[key] = value
        for base in merged or ():
            mapping = {**base, **mapping}
        return mapping

    def _merged(self, value: Plain, event: yaml.Event, path: KeyPath) -> list[dict[str, Plain]]:
        bases = value if isinstance(value, list) else [value]
        mappings = [base for base in bases if isinstance(base, dict)]
        if len(mappings) < len(bases):
            self._mistake("'<<' merges mappings; as a name it is written in quotes", event, path)
        return mappings

    def _refuse_tag(self, event: yaml.Event, path: KeyPath) -> None:
        tag = getattr(event, "tag", None)
        if tag not in (None, "!") or (tag == "!" and not isinstance(event, yaml.ScalarEvent)):
            written = str(tag).replace("tag:yaml.org,2002:", "!!")
            self._mistake(f"the tag '{written}' is refused: a recipe is data, not code", event, path)

    def _scalar(self, event: yaml.ScalarEvent, path: KeyPath) -> Plain:
        if not event.implicit[0]:
            return str(event.value)
        return parse_scalar(event.value, mistake=lambda what: self._mistake(what, event, path))

    def _count(self, event: yaml.Event, *, depth: int = 0, n_nodes: int = 0, n_characters: int = 0) -> None:
        self._deepest = max(self._deepest, depth)
        self._n_nodes += n_nodes
        self._n_characters += n_characters
        what = ""
        if self._deepest > MAX_DEPTH:
            what = f"nested deeper than {MAX_DEPTH}"
        elif self._n_nodes > MAX_NODES:
            what = f"the file expands to more than {MAX_NODES} values"
        elif self._n_characters > MAX_CHARACTERS:
            what = f"the file expands to more than {MAX_CHARACTERS} characters"
        if what:
            raise RecipeError.of(what, file=self.file, line=_line(event))

    def _mistake(self, what: str, event: yaml.Event, path: KeyPath = ()) -> None:
        self.mistakes.append(Message(what, ".".join(path), self.file, _line(event)))
        if len(self.mistakes) >= MAX_MISTAKES:
            raise RecipeError(self.mistakes)


def parse_scalar(text: str, *, mistake: Callable[[str], None]) -> bool | int | float | str | None:
    """Read a plain scalar; `mistake` hears of a number that can't be held, for which something stands in.

    Examples
    --------
    >>> [parse_scalar(text, mistake=print) for text in ("1", "1.5", "true", "~", "no", "1_000", "010")]
    [1, 1.5, True, None, 'no', '1_000', '010']
    """
    if _NULL.fullmatch(text):
        return None
    if _BOOLEAN.fullmatch(text):
        return text.lower() == "true"
    if _INTEGER.fullmatch(text):
        if len(text) > 20 or not -(2**63) <= int(text) < 2**63:  # noqa: PLR2004 (digits of 2**64)
            mistake(f"{text[:24]} is beyond 64 bits")
            return None
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            mistake(f"{text[:24]} is too large a number")
        return number
    return text


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

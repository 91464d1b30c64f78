"""What can go wrong, said for the person who reads it.

Every mistake is a `Message` of five facts: where, what, the nearest right spelling, what is allowed, the
next command. An `EngineError` carries all the messages of one check, so a reader mends them in one go.
This module knows no room above it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

_MAX_SHOWN = 10
# Of more than these the first ten say nothing: the next command lists them all.
_MAX_LISTED = 24
_MAX_REPEATED = 3
# As many mistakes of one check as anyone reads, and as many names of one list as a program needs.
MAX_MESSAGES = 50
_MORE = f"more than {MAX_MESSAGES} mistakes: these are the first"
_MAX_NAMES = 200


@dataclass(frozen=True, slots=True)
class Message:
    """One mistake: where it stands, what is wrong, and how to mend it.

    `file` is a path as the user would type it, or `command line`; `line` counts from 1.
    """

    what: str
    key: str = ""
    file: str = ""
    line: int | None = None
    suggestion: str = ""
    allowed: tuple[str, ...] = ()
    try_: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form of a message."""
        return {
            "file": self.file,
            "line": self.line,
            "key": self.key,
            "what": self.what,
            "suggestion": self.suggestion,
            "allowed": list(self.allowed[:_MAX_NAMES]),
        }

    def __str__(self) -> str:
        """Format the five facts, one a line; what is not known is left out.

        What a stranger wrote can neither begin a line of its own nor steer the terminal.
        """
        place = self.file + (f":{self.line}" if self.file and self.line else "")
        where = ": ".join(part for part in (place, self.key) if part)
        lines = [where] if where else []
        indent = "  " if where else ""
        lines.append(f"{indent}{self.what}")
        if self.suggestion:
            lines.append(f"  did you mean '{self.suggestion}'?")
        if self.allowed:
            lines.append(f"  allowed: {self._listed()}")
        if self.try_:
            lines.append(f"  try: {self.try_}")
        return "\n".join(map(visible, lines))

    def _listed(self) -> str:
        if len(self.allowed) > _MAX_LISTED and self.try_:
            return f"{len(self.allowed)} names"
        rest = len(self.allowed) - _MAX_SHOWN
        return ", ".join(self.allowed[:_MAX_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def report(messages: Iterable[Message]) -> str:
    """Format all messages of one check; what is allowed is not said twice where it is long."""
    said: set[tuple[str, ...]] = set()
    paragraphs = []
    for message in messages:
        is_said = message.allowed in said
        paragraphs.append(str(replace(message, allowed=()) if is_said else message))
        if len(message.allowed) > _MAX_REPEATED:
            said.add(message.allowed)
    return "\n\n".join(paragraphs)


class EngineError(Exception):
    """The root of the tree: our own fault unless a subclass says otherwise.

    Of more than `MAX_MESSAGES` the first are kept.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, messages: Sequence[Message]) -> None:
        if len(messages) > MAX_MESSAGES and messages[-1].what != _MORE:
            messages = (*messages[:MAX_MESSAGES], Message(_MORE))
        super().__init__(report(messages))
        self.messages = tuple(messages)

    @classmethod
    def of(
        cls,
        what: str,
        *,
        key: str = "",
        file: str = "",
        line: int | None = None,
        suggestion: str = "",
        allowed: Sequence[str] = (),
        try_: str = "",
    ) -> Self:
        """Build an error of one message; the facts are those of `Message`."""
        return cls([Message(what, key, file, line, suggestion, tuple(allowed), try_)])

    def at(self, file: str) -> Self:
        """Return the same error, with `file` as the place of each message that has none."""
        return type(self)(
            [message if message.file else replace(message, file=file) for message in self.messages]
        )

    def __reduce__(self) -> tuple[type[Self], tuple[tuple[Message, ...]]]:
        """Survive a trip between processes with every message."""
        return type(self), (self.messages,)

    def to_json(self) -> dict[str, object]:
        """Return the documented JSON form of an error."""
        messages = [message.to_json() for message in self.messages]
        return {"error": {"code": self.exit_code, "messages": messages}}


class RecipeError(EngineError):
    """The recipe or the command line is wrong."""

    exit_code = 2


class DataError(EngineError):
    """The data is not what the recipe declares."""

    exit_code = 3


class BundleError(EngineError):
    """A bundle is not whole, was changed, or does not answer as it did when it was written."""

    exit_code = 2


class GateError(EngineError):
    """A gate was missed: the run is kept, and can't be packaged or served."""

    exit_code = 4


def visible(text: str) -> str:
    r"""Return a text with everything escaped that is not seen as it stands: controls, new lines, directions.

    Examples
    --------
    >>> print(visible("up and " + chr(10) + "down"))
    up and \ndown
    """
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


def own_fault(error: Exception) -> EngineError:
    """Return what a person is told of an exception that none of our rooms expected."""
    words = (str(error).splitlines() or [""])[0][:300]
    what = f"a fault of the engine's own: {type(error).__name__}: {words}"
    return EngineError.of(what, try_="the same command with --debug")


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return the choice that `word` most likely meant, or an empty string if none is near.

    Examples
    --------
    >>> nearest("n_estimator", ["max_depth", "n_estimators"])
    'n_estimators'
    >>> nearest("zzz", ["max_depth", "n_estimators"])
    ''
    >>> nearest("male", ["Female", "Male"])
    'Male'
    >>> nearest("lr", ["learning_rate", "max_depth"])
    'learning_rate'
    """
    known = list(choices)
    for choice in known:
        if choice.casefold() == word.casefold():
            return choice
    if close := difflib.get_close_matches(word, known, n=1, cutoff=0.6):
        return close[0]
    meant = [choice for choice in known if len(word) > 1 and word.casefold() == _initials(choice)]
    return meant[0] if len(meant) == 1 else ""


def _initials(name: str) -> str:
    return "".join(part[:1] for part in name.casefold().split("_"))

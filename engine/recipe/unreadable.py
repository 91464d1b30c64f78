"""What is wrong with an override that is not in Hydra's grammar, said in the words of who typed it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import Message
from engine.recipe.override_text import shown
from engine.recipe.places import COMMAND_LINE

_FORMS = "key=value, +key=value or ~key"
_COLUMNS = "schema.columns."
_KEY = re.compile(r"[+~]{0,2}[A-Za-z_][\w./@-]*", re.ASCII)
# A dot or slash with nothing after it, or two in a row.
_EMPTY_PART = re.compile(r"[./]+$|[./]{2,}")
_PAIRS = {"(": ")", "[": "]", "{": "}"}
_QUOTES = "'\""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A message, and the override that was most likely meant; empty if none is near."""

    message: Message
    meant: str = ""


def join_blanks(given: Sequence[str]) -> tuple[list[str], list[Unreadable]]:
    """Take out each `key = value` that a shell has split at its blanks, and say so."""
    rest: list[str] = []
    found = []
    at = 0
    while at < len(given):
        key, middle, value = (*given[at : at + 3], "", "")[:3]
        if middle == "=" and _KEY.fullmatch(key):
            meant = f"{key}={value}"
            what = f"'{key} = {value}': no blanks stand around '='"
            found.append(Unreadable(Message(what, key.lstrip("+~"), COMMAND_LINE, None, meant), meant))
            at += 3
        else:
            rest.append(given[at])
            at += 1
    return rest, found


def explain(line: str, words: str) -> Unreadable:
    """Say why an override can't be read; `words` are Hydra's own, for what we have none for.

    Examples
    --------
    >>> print(explain("seed:1", "").message)
    command line
      'seed:1' is not an override: it has no '='
      did you mean 'seed=1'?
      try: key=value, +key=value or ~key
    """
    if shown(line) != line:
        # Too long to repeat, or with a secret in it.
        return Unreadable(Message(f"'{shown(line)}' is not an override", "", COMMAND_LINE, try_=_FORMS))
    key, equals, value = line.partition("=")
    colon = re.fullmatch(r"([A-Za-z_][\w.]*): ?(\S+)", line)
    why, meant, suggestion, try_ = "", "", "", _FORMS
    if not equals:
        why, meant = "it has no '='", f"{colon[1]}={colon[2]}" if colon else ""
    elif not key.lstrip("+~"):
        why = "no key stands before its '='"
    elif not _KEY.fullmatch(key):
        why = f"'{key}' is not a key"
        if key.lstrip("+~").startswith(_COLUMNS):
            try_ = f'{_FORMS}; a column\'s name in quotes: {_COLUMNS}"a name".min=0'
    elif _EMPTY_PART.search(key):
        why, try_ = f"a part of the key '{key}' is empty", ""
        suggestion = f"{_EMPTY_PART.sub(_once, key)}={value}"
    elif open_ := unclosed(value):
        why, try_ = open_, f"{key}=…, all of it in quotes for the shell"
    elif "=" in value:
        why, try_ = "a value that holds '=' is written in quotes", f"'{key}=\"{value}\"'"
    else:
        try_ = f"'{key}=\"{value}\"', in quotes for the shell and in quotes for a text"
        if value.startswith("{"):
            try_ = f"'{key}={{name: value}}', in quotes for the shell, the names without"
        why = words.replace("token recognition error at: ", "it can't be read from ") or "it can't be read"
    named = key.lstrip("+~") if equals and _KEY.fullmatch(key) else ""
    what = f"'{line}' is not an override: {why}"
    return Unreadable(Message(what, named, COMMAND_LINE, None, meant or suggestion, (), try_), meant)


def _once(found: re.Match[str]) -> str:
    return "" if found.end() == len(found.string) else found[0][0]


def unclosed(value: str) -> str:
    """Say which quote or bracket of a value is not closed, or closes nothing."""
    ahead: list[str] = []
    quote = ""
    for index, character in enumerate(value):
        is_escaped = index > 0 and value[index - 1] == "\\"
        if quote:
            quote = "" if character == quote and not is_escaped else quote
        elif character in _QUOTES and not is_escaped:
            quote = character
        elif character in _PAIRS:
            ahead.append(character)
        elif character in _PAIRS.values() and (not ahead or _PAIRS[ahead.pop()] != character):
            return f"its {character} closes nothing"
    if quote:
        return f"its {quote} is never closed"
    return f"its {ahead[-1]} is never closed" if ahead else ""

"""An override as it was typed, judged before Hydra's grammar reads it.

Hydra reads some words otherwise than a file's rules do, takes a text of any size, and says the whole of it in
its errors. Here such a word is refused, size and depth are bounded, and no secret is repeated.
"""

from __future__ import annotations

import re

from engine.errors import Message
from engine.recipe.places import COMMAND_LINE
from engine.recipe.safe import AS_VARIABLE, holds_login, is_secret_name
from engine.recipe.text import MAX_DEPTH, parse_scalar

MAX_LENGTH = 20_000
_SHOWN = 200
_MAX_DIGITS = 400
_KEY = re.compile(r"[+~]*([^=]*)(?:=(.*))?", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)
_BETWEEN = re.compile(r"[\[\]{}(),]")
# What Hydra's grammar takes for a number, a boolean or nothing (its OverrideLexer.g4).
_INT = r"(?:0|[1-9](?:_?[0-9])*)"
_POINT = rf"(?:{_INT}\.|{_INT}?\.[0-9](?:_?[0-9])*)"
_TYPED = re.compile(
    rf"[+-]?(?:(?:{_POINT}|{_INT})(?:[eE][+-]?[0-9](?:_?[0-9])*)?)|(?i:true|false|null)",
)
_ASSIGNED = re.compile(r"([A-Za-z0-9_-]{3,40})[\"']?\s{0,9}[=:]\s{0,9}[^\s{}\[\],=:$]")


def refuse_text(line: str) -> Message | None:
    """Return what is wrong with an override's text whatever it sets, or None.

    A word that Hydra takes for a number, a boolean or null, and a recipe's file for a text or another number,
    would change its meaning in silence from one to the other.
    """
    key, value = (part or "" for part in _KEY.fullmatch(line).groups())  # type: ignore[union-attr]
    place = key if len(key) <= _SHOWN else f"{key[:_SHOWN]}…"
    if len(line) > MAX_LENGTH:
        return Message(f"an override is longer than {MAX_LENGTH} characters", place, COMMAND_LINE)
    if (is_secret_name(key) and _is_written(value)) or holds_login(value):
        return Message("a secret is refused, as it would be stored", place, COMMAND_LINE, try_=AS_VARIABLE)
    bare = _QUOTED.sub("''", value)
    if _depth(bare) > MAX_DEPTH:
        return Message(f"nested deeper than {MAX_DEPTH}", place, COMMAND_LINE)
    for word in _words(bare):
        what, cure = _misread(word)
        if what:
            return Message(what, place, COMMAND_LINE, try_=cure)
    return None


def shown(line: str) -> str:
    """Return an override as messages repeat it: no longer than anyone reads, and without a secret.

    Examples
    --------
    >>> shown("+data={password: hunter 2#}")
    '+data=…'
    """
    is_secret = holds_login(line) or any(map(is_secret_name, _ASSIGNED.findall(line)))
    if is_secret:
        return f"{line.partition('=')[0][:_SHOWN]}=…"
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def _is_written(value: str) -> bool:
    bare = value.strip().strip("'\"")
    return bool(bare) and not bare.startswith(("${oc.env:", "{", "["))


def _words(bare: str) -> list[str]:
    pieces = [piece.strip() for piece in _BETWEEN.split(bare)]
    # In a mapping the word stands after its key; `12:30` is one word, and a text to both.
    return [word for piece in pieces for word in {piece, piece.partition(":")[2].strip()} if word]


def _misread(word: str) -> tuple[str, str]:
    """Say how a word is read differently on the command line and in a file, and what to write, or nothing."""
    if not _TYPED.fullmatch(word):
        return "", ""
    if len(word) > _MAX_DIGITS:
        return f"a number of {len(word)} digits", ""
    mistakes: list[str] = []
    in_file = parse_scalar(word, mistake=mistakes.append)
    if mistakes:
        return mistakes[0], ""
    if not isinstance(in_file, str):
        return "", ""
    plain = word.replace("_", "").lower()
    kind = plain if plain.isalpha() else "a number"
    what = f"'{word}' is {kind} on the command line and a text in a file"
    return what, f"{plain}, or '{word}' in quotes for the text"


def _depth(bare: str) -> int:
    depth = deepest = 0
    for character in bare:
        depth += (character in "[{(") - (character in "]})")
        deepest = max(deepest, depth)
    return deepest

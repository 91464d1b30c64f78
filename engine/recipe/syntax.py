"""What is wrong with a text that is not YAML, in the words of who wrote it, on the line where it begins."""

from __future__ import annotations

import codecs
import re

import yaml

from engine.errors import Message

_KEY = re.compile(r"\s*(?:- )?[\w.-]+:(?=[^\s:/])")
_TWO_COLONS = re.compile(r"\s*(?:- )?[^\s'\"#:][^'\"#:]*: +[^'\"#{\[].*: ")
_OPENS = {"a flow sequence": "[", "a flow mapping": "{"}
# What a text may not begin with unless it is quoted.
_MARKS = {
    "%": "'%' can't begin a text: write it in quotes",
    "@": "'@' can't begin a text: write it in quotes",
    "`": "'`' can't begin a text: write it in quotes",
    "\t": "a tab: YAML is indented with blanks",
}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def explain_syntax(error: yaml.YAMLError, text: str, *, file: str) -> Message:
    """Say what stops the YAML parser.

    Parameters
    ----------
    error
        Of libyaml, whose words are kept where there are none of ours.
    text
        The whole text.
    """
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Message(f"not valid YAML: {str(error).splitlines()[0]}", file=file)
    lines = text.splitlines() or [""]
    at = error.problem_mark
    began = error.context_mark.line if error.context_mark else at.line
    problem, context = str(error.problem), str(error.context or "")
    line, here = at.line, lines[min(at.line, len(lines) - 1)]
    opened = next((mark for words, mark in _OPENS.items() if context.endswith(words)), "")
    if context.endswith("a flow node"):
        opened, began = _unclosed(lines, at.line)
    what = problem
    if "cannot start any token" in problem:
        what = _MARKS.get(here[at.column : at.column + 1], problem)
    elif context.endswith("quoted scalar"):
        quote = "'" if "single" in context or _quote_at(lines, error) == "'" else '"'
        line, what = began, f"the {quote} that opens here is never closed"
    elif opened:
        line, what = began, f"the {opened} that opens here is not closed, or a ',' is missing after it"
    elif problem.startswith("mapping values"):
        line, what = _explain_colon(lines, at.line)
    elif context.endswith("a block mapping"):
        what = "this line is indented otherwise than those it belongs to, or is no 'key: value'"
    elif context.endswith("a simple key"):
        line, what = began, f"'{lines[min(began, len(lines) - 1)].strip()[:60]}' is no 'key: value'"
    return Message(f"not valid YAML: {what}", file=file, line=line + 1)


def explain_bytes(content: bytes, *, file: str) -> Message:
    """Say where bytes are not UTF-8, and what they look like instead."""
    if content.startswith(_UTF16):
        return Message("the file is UTF-16, and a recipe is UTF-8: save it as that", file=file)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        before = content[: error.start].rpartition(b"\n")[2].decode(errors="replace")
        word = (before.split() or [""])[-1][-20:]
        after = f" after '{word}'" if word else ""
        what = f"byte {error.start} is not UTF-8{after}: save the file as UTF-8"
        return Message(what, file=file, line=line)
    return Message("the file is not UTF-8", file=file)


def _unclosed(lines: list[str], until: int) -> tuple[str, int]:
    """Return the last bracket that nothing closes, and its line; an empty text if each one is closed."""
    ahead: list[tuple[str, int]] = []
    for number, line in enumerate(lines[: until + 1]):
        for character in re.sub(r"'[^']*'|\"[^\"]*\"|(?:^|\s)#.*", "", line):
            if character in "[{":
                ahead.append((character, number))
            elif character in "]}" and ahead:
                ahead.pop()
    return ahead[-1] if ahead else ("", until)


def _explain_colon(lines: list[str], at: int) -> tuple[int, str]:
    """Tell a colon inside of a text from a colon that no blank follows, on this line or the one before."""
    here = lines[min(at, len(lines) - 1)]
    for line in (at - 1, at):
        before = lines[line] if 0 <= line < len(lines) else ""
        if _KEY.match(before):
            return line, f"a blank is missing after the colon of '{before.strip()[:60]}'"
    if _TWO_COLONS.match(here):
        return at, "a text that holds ': ' is written in quotes"
    return at, "this line is indented otherwise than those it belongs to"


def _quote_at(lines: list[str], error: yaml.MarkedYAMLError) -> str:
    mark = error.context_mark
    return lines[mark.line][mark.column : mark.column + 1] if mark and mark.line < len(lines) else ""

"""What no recipe may say: anything that names code, reaches Hydra's own settings, or reads the machine.

The same rules hold for files, for defaults lists and for overrides, before anything is imported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.errors import Message, RecipeError
from engine.recipe.text import Document, KeyPath, Plain

_CODE_KEYS = frozenset({"_target_", "_partial_", "_args_", "_recursive_", "_convert_", "_call_"})
_RESOLVER = re.compile(r"\$\{\s*([A-Za-z_][\w.]*)\s*:")
_ALLOWED_RESOLVERS = ("oc.env",)
_PACKAGE = re.compile(r"@|\.\.|^/|://")


def refuse_code(document: Document) -> None:
    """Refuse a document that names code.

    Raises
    ------
    RecipeError
        With one message for each such key or value.
    """
    mistakes = [
        Message(what, ".".join(path), document.file, document.lines.get(path))
        for path, what in _forbidden(document.value, ())
    ]
    if isinstance(document.value, dict):
        defaults = document.value.get("defaults")
        mistakes += [
            Message(
                f"'{entry}' is refused: a defaults list names groups and options only",
                "defaults",
                document.file,
                document.lines.get(("defaults", str(index))),
            )
            for index, entry in enumerate(defaults if isinstance(defaults, list) else ())
            if _is_odd_default(entry)
        ]
    if mistakes:
        raise RecipeError(mistakes)


def forbidden_in_override(key: str, value: Plain, *, path: KeyPath = ()) -> str:
    """Return why an override is refused, or an empty string; `path` is given where parts were quoted."""
    is_quoted, path = bool(path), path or tuple(key.split("."))
    if path[0] == "hydra" or path[0].startswith(("hydra/", "hydra@")):
        return "Hydra's own settings are not part of a recipe"
    if not is_quoted and ("@" in key or _PACKAGE.search(key)):
        return "packages and paths are not part of an override's key"
    if any(part in _CODE_KEYS for part in path):
        return f"'{path[-1]}' is refused: a recipe is data, not code"
    return next((what for _, what in _forbidden(value, path)), "")


def _forbidden(value: Plain, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, key)
            if here == ("hydra",):
                yield here, "'hydra' is refused: Hydra's own settings are not part of a recipe"
            elif key in _CODE_KEYS:
                yield here, f"'{key}' is refused: a recipe is data, not code"
            else:
                yield from _forbidden(inner, here)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _forbidden(inner, (*path, str(index)))
    elif isinstance(value, str):
        yield from ((path, what) for what in _forbidden_in_text(value))


def _forbidden_in_text(value: str) -> Iterator[str]:
    for name in _RESOLVER.findall(value):
        if name not in _ALLOWED_RESOLVERS:
            allowed = " or ".join(f"${{{known}:NAME}}" for known in _ALLOWED_RESOLVERS)
            yield f"'${{{name}:…}}' is refused: only {allowed} and ${{other.key}} are resolved"
    if not _is_sound(value):
        yield "'${' opens what is no sound ${other.key}; as plain text it is written \\${"


def _is_sound(value: str) -> bool:
    """Tell whether OmegaConf can read the interpolations of a text."""
    from omegaconf.errors import GrammarParseError
    from omegaconf.grammar_parser import parse

    try:
        if "${" in value:
            parse(value)
    except GrammarParseError:
        return False
    return True


def _is_odd_default(entry: Plain) -> bool:
    if isinstance(entry, str):
        return bool(_PACKAGE.search(entry))
    if isinstance(entry, dict) and len(entry) == 1:
        ((group, option),) = entry.items()
        if not (option is None or isinstance(option, str)):
            return True
        return bool(_PACKAGE.search(group) or _PACKAGE.search(option or "") or group.startswith("hydra"))
    return True

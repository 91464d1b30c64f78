"""What no recipe may say: what names code, reaches Hydra's own settings, reads the machine, or is a secret.

The same rules hold for files, for defaults lists and for overrides, before anything is imported.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from engine.errors import Message, RecipeError
from engine.recipe.references import UnsoundReferenceError, read
from engine.recipe.text import MAX_MISTAKES, Document, KeyPath, Plain

_CODE_KEYS = frozenset({"_target_", "_partial_", "_args_", "_recursive_", "_convert_", "_call_"})
_KEYWORDS = re.compile(r"(?:(?:optional|override)\s+)*")
_NAME = re.compile(r"[^\s./@:$\\][^/@:$\\]*")
_SECRET_KEYS = re.compile(
    r"(?:password|passwd|passphrase|secret|token|api_?key|access_?key|secret_?key|private_?key|credentials?)\Z"
)
# After `://`: a user's name and a password, which is no secret where it only says which variable has it.
_LOGIN = re.compile(r"[^/\s:@]*:(?!\$\{oc\.env:[^{}]*\}@)[^/\s@]+@")
_NO_CODE = "is refused: a recipe is data, not code"
_NO_SECRET = "a secret is refused, as it would be stored"  # noqa: S105 (words, not a password)
AS_VARIABLE = "${oc.env:NAME}, with the secret in the environment"


def refuse_code(document: Document, *, group: str = "") -> None:
    """Refuse a document that names code, that holds a secret, or whose keys would stand elsewhere.

    Parameters
    ----------
    group
        The group that a file of `conf/` belongs to; empty for a recipe and for `base.yaml`.

    Raises
    ------
    RecipeError
        With one message for each such key or value, as many as anyone reads.
    """
    mistakes = list(itertools.islice(_mistakes(document, group), MAX_MISTAKES))
    if mistakes:
        raise RecipeError(mistakes)


def forbidden_in_override(key: str, value: Plain, *, path: KeyPath = ()) -> str:
    """Return why an override is refused, or an empty string; `path` is given where parts were quoted."""
    is_quoted, path = bool(path), path or tuple(key.split("."))
    if _is_hydras(path[0]):
        return "Hydra's own settings are not part of a recipe"
    if not is_quoted and ("@" in key or ".." in key or key.startswith("/") or "://" in key):
        return "packages and paths are not part of an override's key"
    if code := next((part for part in path if part in _CODE_KEYS), None):
        return f"'{code}' {_NO_CODE}"
    return next((what for _, what in _forbidden(value, path)), "")


def cure_of(forbidden: str) -> str:
    """Return what to write instead of what is refused for this reason, or an empty text."""
    return AS_VARIABLE if forbidden.startswith(_NO_SECRET) else ""


def looks_secret(path: KeyPath, value: object) -> bool:
    """Tell whether a key's name says that its value is a secret, and the value is written out."""
    is_written = not isinstance(value, bool | dict | list | None) and str(value).strip() != ""
    return is_written and is_secret_name(path[-1] if path else "") and "${oc.env:" not in str(value)


def is_secret_name(name: str) -> bool:
    """Tell whether what goes by this name is a secret.

    Examples
    --------
    >>> is_secret_name("db_password"), is_secret_name("apiKey"), is_secret_name("n_tokens")
    (True, True, False)
    """
    return _SECRET_KEYS.search(name.lower().replace("-", "_")) is not None


def holds_login(text: str) -> bool:
    """Tell whether an address in a text holds a password.

    Examples
    --------
    >>> holds_login("postgresql://ann:s3cret@db/x"), holds_login("postgresql://ann@db/x")
    (True, False)
    """
    places = (found.end() for found in re.finditer("://", text))
    return any(_LOGIN.match(text, place) for place in places)


def _mistakes(document: Document, group: str) -> Iterator[Message]:
    own = ("_group_", group.replace("/", ".")) if group else ("_global_",)
    if document.package is not None and document.package[0] not in own:
        package, package_line = document.package
        what = f"'@package {package}' is refused: a file's keys stand where its folder says"
        yield Message(what, "", document.file, package_line)
    for path, what in _forbidden(document.value, ()):
        yield Message(what, ".".join(path), document.file, document.lines.get(path), try_=cure_of(what))
    defaults = document.value.get("defaults") if isinstance(document.value, dict) else None
    for index, entry in enumerate(defaults if isinstance(defaults, list) else ()):
        if _is_odd_default(entry):
            what = f"'{_written(entry)}' is refused: a defaults list names groups and options only"
            line = document.lines.get(("defaults", str(index)))
            yield Message(what, "defaults", document.file, line)


def _forbidden(value: Plain, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            here = (*path, key)
            if what := _forbidden_as_key(here, inner):
                yield here, what
            else:
                yield from _forbidden(inner, here)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _forbidden(inner, (*path, str(index)))
    elif isinstance(value, str):
        yield from ((path, what) for what in _forbidden_in_text(value))


def _forbidden_as_key(path: KeyPath, value: Plain) -> str:
    """Say why a key may not stand where it does with the value that it has, or nothing."""
    *above, key = path
    # Hydra's grammar reads keys as it reads values; a file's keys are texts.
    if not isinstance(key, str):
        written = str(key).lower()
        return f"the key '{written}' is no text here; write {'.'.join(above)}.\"{written}\"=…"
    if path == ("hydra",):
        return "'hydra' is refused: Hydra's own settings are not part of a recipe"
    if key in _CODE_KEYS and above == ["schema", "columns"] and isinstance(value, dict):
        return f"'{key}' can't be a column's name: it names code; give the column another name"
    if key in _CODE_KEYS:
        return f"'{key}' {_NO_CODE}"
    return _NO_SECRET if looks_secret(path, value) else ""


def _forbidden_in_text(value: str) -> Iterator[str]:
    if holds_login(value):
        yield f"{_NO_SECRET}: the address holds a password"
    try:
        if "${" in value:
            read(value)
    except UnsoundReferenceError as error:
        yield str(error)


def _is_hydras(group: str) -> bool:
    return re.split("[/@.]", group, maxsplit=1)[0] == "hydra"


def _is_odd_default(entry: Plain) -> bool:
    """Tell whether an entry names what is neither a group nor an option; its form is judged elsewhere."""
    names: list[Plain] = [*entry] if isinstance(entry, dict) else [entry]
    for option in entry.values() if isinstance(entry, dict) else ():
        names += option if isinstance(option, list) else [option]
    words = [_KEYWORDS.sub("", name, count=1) for name in names if isinstance(name, str)]
    return any(_is_hydras(word) or not _is_path(word) for word in words)


def _is_path(text: str) -> bool:
    """Tell whether a text is a name, or names of folders and a name, all below where it is looked up."""
    return all(_NAME.fullmatch(part) for part in text.split("/"))


def _written(entry: Plain) -> str:
    """Write an entry of a defaults list as the list does."""
    if isinstance(entry, dict):
        words = ", ".join(f"{key}: {_written(value)}" for key, value in entry.items())
        return words if len(entry) == 1 else f"{{{words}}}"
    if isinstance(entry, list):
        return f"[{', '.join(map(_written, entry))}]"
    if entry is None or isinstance(entry, bool):
        return {None: "null", True: "true", False: "false"}[entry]
    return str(entry)

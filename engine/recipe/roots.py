"""Where a recipe may read its table and write its runs, links followed.

A table lies under the recipe's folder, the working directory or our own recipes; runs go below the working
directory. Other places are the user's word: the command line's (of which `engine init` remembers the table),
or `[tool.engine] roots` of the working directory's `pyproject.toml`. A recipe can't allow itself any.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from engine.errors import Message, RecipeError, nearest
from engine.recipe import references
from engine.recipe.compose import Composition
from engine.recipe.find import shipped
from engine.recipe.grants import granted, granted_urls
from engine.recipe.links import is_below
from engine.recipe.places import COMMAND_LINE
from engine.recipe.spec import Spec
from engine.recipe.spec_table import DataSpec, JoinSpec
from engine.recipe.text import MAX_BYTES, KeyPath, Plain
from engine.recipe.urls import is_below as is_url_below
from engine.recipe.urls import is_remote, password_in, without_password
from engine.redaction import keep_secret

_DATA: KeyPath = ("data", "path")
_RUNS: KeyPath = ("runs",)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_SETTINGS = "pyproject.toml"
_MAX_NAME = 255
_MAX_PATH = 4095
_SHOWN = 100
# A root has more than a scheme: `s3://bucket` has two slashes.
_IN_ROOT = 2
_Table = TypeVar("_Table", DataSpec, JoinSpec)


def _join(at: int) -> KeyPath:
    return ("data", "join", str(at), "path")


def located(data: DataSpec, composition: Composition) -> DataSpec:
    """Return the same with its paths absolute: beside the recipe, else where one works; links followed."""
    placed = _located(data, _DATA, composition)
    if not placed.join:
        return placed
    joins = (_located(join, _join(at), composition) for at, join in enumerate(placed.join))
    return placed.model_copy(update={"join": tuple(joins)})


def _located(table: _Table, path: KeyPath, composition: Composition) -> _Table:
    reference = _at(composition.stored, path) if path in composition.from_environment else None
    remote = is_remote(table.path)
    found: str | Path = table.path if remote else _find(table.path, beside=composition.path.parent)
    if reference is not None:
        keep_secret(table.path, shown=reference)
        keep_secret(str(found), shown=reference)
    if remote and (password := password_in(table.path)):
        keep_secret(password, shown="…")
    return table.at(found, reference=reference)


def find_roots(recipe: Path, given: Sequence[str | Path] = ()) -> tuple[Path, ...]:
    """Return the folders below which a table may lie, and the tables that the user named for this work.

    `given` are folders of the command line.

    Raises
    ------
    RecipeError
        If one that is given is no folder, or the project's settings can't be read.
    """
    here = Path(os.path.realpath(Path.cwd()))
    beside = Path(os.path.realpath(recipe.parent))
    own = [beside, here, *_project_roots(here / _SETTINGS), *granted({beside, here})]
    folders = [_given_root(root) for root in given if not is_remote(str(root))]
    allowed = [Path(os.path.realpath(folder)) for folder in (*own, *folders)]
    return tuple(dict.fromkeys(allowed))


def find_remote(recipe: Path, given: Sequence[str | Path] = ()) -> tuple[str, ...]:
    """Return the URLs below which a table may lie: the command line's, the project's, and those granted."""
    here = Path(os.path.realpath(Path.cwd()))
    beside = Path(os.path.realpath(recipe.parent))
    urls = (*map(str, given), *_settings_roots(here / _SETTINGS), *granted_urls({beside, here}))
    return tuple(dict.fromkeys(url for url in urls if is_remote(url)))


def check_data(
    data: DataSpec, composition: Composition, *, roots: Sequence[Path], remote: Sequence[str] = ()
) -> Iterator[Message]:
    """Say why tables can't be read from where their located paths lead.

    `roots` are those of `find_roots`, `remote` those of `find_remote`.
    """
    tables: list[tuple[DataSpec | JoinSpec, KeyPath]] = [(data, _DATA)]
    tables += [(join, _join(at)) for at, join in enumerate(data.join or ())]
    for table, path in tables:
        given = _at(composition.plain, path)
        key = "data.path" if path == _DATA else f"data.join.{path[2]}.path"
        if is_remote(given):
            yield from _check_remote(table, path, composition, key=key, remote=remote)
        elif what := _no_path(given, table.reference or given):
            yield Message(what, key, try_="engine options data")
        elif not _is_typed(path, composition) and not is_below(Path(table.path), (*roots, _ours())):
            yield _outside(table, given, roots, key=key)


def _check_remote(
    table: DataSpec | JoinSpec, path: KeyPath, composition: Composition, *, key: str, remote: Sequence[str]
) -> Iterator[Message]:
    """Refuse a URL that only the recipe has chosen, and one in which a password stands."""
    if _is_variable(_at(composition.stored, path)):
        return
    shown = _cut(table.reference or without_password(table.path))
    if password_in(table.path):
        what = f"'{shown}' holds a password: a recipe names a variable of the environment that has the URL"
        yield Message(what, key, try_=f"{key}: ${{oc.env:DATA_URL}}")
    elif table.reference is not None:
        what = "a URL comes from the environment as a whole, or not at all: no part of it is the recipe's"
        yield Message(what, key, try_=f"{key}: ${{oc.env:DATA_URL}}")
    elif not _is_typed(path, composition) and not any(is_url_below(table.path, root) for root in remote):
        what = f"'{shown}' is on a server, and a recipe may not have the engine call one"
        root = shlex.quote(table.path.rpartition("/")[0] if table.path.count("/") > _IN_ROOT else table.path)
        yield Message(what, key, allowed=tuple(remote), try_=f"the same command with --root {root}")


def _is_variable(stored: str) -> bool:
    """Tell whether a text is one variable of the environment and nothing besides, without a default."""
    try:
        pieces = references.read(stored)
    except references.UnsoundReferenceError:
        return False
    return len(pieces) == 1 and isinstance(pieces[0], references.Variable) and not pieces[0].has_default


def check_runs(spec: Spec, composition: Composition) -> Iterator[Message]:
    """Say why runs can't be written where a recipe has them go."""
    here = Path(os.path.realpath(Path.cwd()))
    if "\0" in spec.runs:
        yield Message("a path holds no NUL character", "runs")
    elif _is_typed(_RUNS, composition) or is_below(_find(f"{spec.runs}/{spec.name}", beside=here), (here,)):
        return
    else:
        what = f"'{_cut(spec.runs)}' leads out of the working directory: a recipe writes below it only"
        is_plain = re.fullmatch(r"[\w./-]+", spec.runs) is not None
        typed = f"runs={spec.runs}" if is_plain else shlex.quote(f'runs="{spec.runs}"')
        yield Message(what, "runs", allowed=(str(here),), try_=f"the same command with {typed}")


def _find(path: str, *, beside: Path) -> Path:
    """Follow a path and its links, beside a folder, else in the working directory.

    By `os.path`: pathlib raises on odd names, such as too long ones and users that there are not.
    """
    if "\0" in path:
        return Path(path)
    given = os.path.expanduser(path)
    near = os.path.join(beside, given)
    is_near = os.path.exists(near) or not os.path.exists(given)
    return Path(os.path.realpath(near if is_near else given))


def _outside(data: DataSpec | JoinSpec, given: str, roots: Sequence[Path], *, key: str) -> Message:
    """Say that a table lies outside of every root, and how the user allows it."""
    shown, folder = data.reference, "DIR"
    leads = " lies"
    if shown is None:
        shown, folder = given, shlex.quote(os.path.dirname(data.path))
        leads = f" leads to '{_cut(data.path)}'," if not given.startswith(("/", "~")) else leads
    what = f"'{_cut(shown)}'{leads} outside of the folders that a recipe may read"
    allowed = tuple(map(str, roots))
    return Message(what, key, allowed=allowed, try_=f"the same command with --root {folder}")


def _no_path(path: str, shown: str) -> str:
    """Say why a text is no path of a file, or nothing."""
    if scheme := _SCHEME.match(path):
        return f"'{scheme[1]}:' is refused: a table is a path on this machine, postgresql:// or s3://"
    if "\0" in path:
        return "a path holds no NUL character"
    parts = os.fsencode(path).split(b"/")
    if max(map(len, parts)) > _MAX_NAME or len(os.fsencode(path)) > _MAX_PATH:
        return f"'{_cut(shown)}' is too long for a path"
    return ""


def _at(plain: Mapping[str, Plain], path: KeyPath) -> str:
    node: Plain = dict(plain)
    for part in path:
        if isinstance(node, list):
            node = node[int(part)]
        else:
            node = node.get(part) if isinstance(node, dict) else None
    return str(node)


def _is_typed(path: KeyPath, composition: Composition) -> bool:
    """Tell whether the whole value of a key was typed, so that no word of it is the recipe's."""
    command_line = composition.places.layers[0]
    # A list is typed as a whole.
    whole = path[:2]
    is_there = command_line.file == COMMAND_LINE and command_line.line(whole) is not None
    return is_there and not any(taken[: len(whole)] == whole for taken in composition.referring)


def _ours() -> Path:
    return Path(os.path.realpath(shipped("recipes")))


def _given_root(given: str | Path) -> Path:
    if not os.path.isdir(given):
        what = f"'{_cut(str(given))}' is not a folder"
        raise RecipeError.of(what, file=COMMAND_LINE, key="--root", try_="--root DIR")
    return Path(given)


def _project_roots(settings: Path) -> Iterator[Path]:
    """Return the folders that a project's settings allow; a relative one is relative to the settings."""
    for root in _settings_roots(settings):
        if not is_remote(root):
            yield settings.parent / os.path.expanduser(root)


def _settings_roots(settings: Path) -> Iterator[str]:
    """Return the roots that a project's settings say."""
    if not settings.is_file():
        return
    import tomllib

    with settings.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    try:
        tool = tomllib.loads(content.decode()).get("tool", {}) if len(content) <= MAX_BYTES else None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError.of(f"not valid TOML: {error}", file=_SETTINGS) from None
    if tool is None:
        raise RecipeError.of(f"the file is larger than {MAX_BYTES} bytes", file=_SETTINGS)
    section = tool.get("engine", {}) if isinstance(tool, dict) else {}
    roots = section.get("roots", []) if isinstance(section, dict) else None
    if not isinstance(roots, list) or not all(isinstance(root, str) for root in roots):
        what = 'it is a list of folders: roots = ["../data"]'
        raise RecipeError.of(what, key="tool.engine.roots", file=_SETTINGS)
    for name in sorted(set(section) - {"roots"}):
        near = nearest(name, ["roots"])
        what = f"'{name}' is not a setting of the engine"
        raise RecipeError.of(
            what, key=f"tool.engine.{name}", file=_SETTINGS, suggestion=near, allowed=["roots"]
        )
    yield from map(str, roots)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"

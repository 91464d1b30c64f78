"""`engine options [GROUP[/NAME]]`: what can be written in a recipe, where, and what it defaults to."""

from __future__ import annotations

from pathlib import Path

from engine.cli.arguments import Options, Parser, add_common
from engine.cli.output import print_json, print_table, print_text
from engine.errors import RecipeError, nearest
from engine.recipe import text
from engine.recipe.find import conf_folders, find_base


def add_arguments(parser: Parser) -> None:
    """Declare what `engine options` takes."""
    parser.add_argument("what", nargs="?", metavar="GROUP[/NAME]", help="a group, or one of its options")
    add_common(parser)


def call(options: Options) -> int:
    """List groups, a group's options, or one option's file."""
    folders = conf_folders(Path.cwd() / "recipe.yaml")
    if options.what is None:
        return _print_groups(folders, options)
    group, _, name = options.what.partition("/")
    found = _options(folders, group)
    if not found:
        if group in _base_keys(folders):
            return _print_file(find_base(folders), options)
        groups = _groups(folders)
        raise RecipeError.of(
            f"'{group}' is not a group or a key of a recipe",
            file="command line",
            suggestion=nearest(group, groups),
            allowed=groups,
            try_="engine options",
        )
    if not name:
        rows = [[option, _summary(file)] for option, file in found.items()]
        if options.json:
            print_json([{"name": option, "summary": summary} for option, summary in rows])
        else:
            print_table(
                f"{group}: written as `{group}: NAME` in defaults, or {group}=NAME", ["name", ""], rows
            )
        return 0
    if name not in found:
        raise RecipeError.of(
            f"'{name}' is not an option of {group}",
            file="command line",
            suggestion=nearest(name, found),
            allowed=tuple(found),
            try_=f"engine options {group}",
        )
    return _print_file(found[name], options)


def _print_groups(folders: tuple[Path, ...], options: Options) -> int:
    rows = [[group, ", ".join(_options(folders, group))] for group in _groups(folders)]
    if options.json:
        print_json({group: list(_options(folders, group)) for group in _groups(folders)})
        return 0
    print_table("groups: engine options GROUP says more", ["group", "options"], rows)
    print_text("\nevery key and its default (base.yaml):\n")
    return _print_file(find_base(folders), options)


def _print_file(file: Path, options: Options) -> int:
    words = _read(file)
    if options.json:
        print_json({"file": str(file), "text": words})
    else:
        print_text(words.rstrip())
    return 0


def _groups(folders: tuple[Path, ...]) -> tuple[str, ...]:
    return tuple(sorted({entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()}))


def _options(folders: tuple[Path, ...], group: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders:
        for file in sorted((folder / group).glob("*.yaml")) if (folder / group).is_dir() else ():
            found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def _base_keys(folders: tuple[Path, ...]) -> set[str]:
    return set(text.read(find_base(folders)).mapping())


def _summary(file: Path) -> str:
    """Return the comment on a file's first line, or what is wrong with the file."""
    try:
        text.read(file).mapping()
        first = _read(file).partition("\n")[0]
    except (RecipeError, OSError) as error:
        words = error.messages[0].what if isinstance(error, RecipeError) else error.strerror
        return f"can't be used: {words}"
    return first.removeprefix("#").strip() if first.startswith("#") else ""


def _read(file: Path) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError.of(f"byte {error.start} is not UTF-8", file=text.show(file)) from None

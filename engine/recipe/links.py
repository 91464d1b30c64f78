"""Links in folders of options: one that leads out of where the options lie is not followed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from engine.errors import Message, RecipeError
from engine.recipe.find import shipped
from engine.recipe.text import show


def is_below(path: Path, folders: Sequence[Path]) -> bool:
    """Tell whether a path whose links were followed lies in one of the folders, or below."""
    return any(path.is_relative_to(folder) for folder in folders)


def refuse_linked_folders(folders: Sequence[Path], *, recipe: Path) -> None:
    """Refuse folders of options, links followed, that lie neither beside the recipe nor where one works.

    Raises
    ------
    RecipeError
        With one message for each.
    """
    around = (recipe.parent, Path.cwd(), shipped("conf"))
    allowed = [Path(os.path.realpath(folder)) for folder in around]
    what = "a link leads to these options, out of the recipe's folder and the working directory"
    mistakes = [Message(what, "", str(folder)) for folder in folders if not is_below(folder, allowed)]
    if mistakes:
        raise RecipeError(mistakes)


def refuse_linked_file(file: Path, *, folder: Path) -> None:
    """Refuse a file of options that is a link out of its folder; ours lie as they were installed.

    Raises
    ------
    RecipeError
        If it is one.
    """
    allowed = (Path(os.path.realpath(folder)),)
    is_ours = allowed[0] == Path(os.path.realpath(shipped("conf")))
    if not is_ours and not is_below(Path(os.path.realpath(file)), allowed):
        shown = os.path.join(show(file.parent), file.name)
        raise RecipeError.of(f"this option is a link that leads out of '{folder.name}'", file=shown)

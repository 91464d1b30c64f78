"""Where recipes and `conf/` lie: in a checkout, in an installed wheel, in the user's own folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import RecipeError, nearest

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """Return our own `conf` or `recipes` folder: inside the wheel, else at the top of the checkout."""
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def conf_folders(recipe: Path) -> tuple[Path, ...]:
    """Return the folders in which groups are looked up, the first that has an option wins."""
    folders = (Path.cwd() / "conf", recipe.parent / "conf", shipped("conf"))
    return tuple(dict.fromkeys(folder.resolve() for folder in folders if folder.is_dir()))


def find_base(folders: Sequence[Path]) -> Path:
    """Return the `base.yaml` that counts: the first one, ours if there is no other."""
    return next(file for folder in folders if (file := folder / "base.yaml").is_file())


def find_recipe(recipe: str | Path) -> Path:
    """Return the path of a recipe given as a YAML path or as a name in `./recipes` (else in ours).

    Raises
    ------
    RecipeError
        If there is none; the nearest name is suggested.
    """
    given = Path(recipe)
    candidates = [given] if _is_yaml(given) else _named(given)
    for file in candidates:
        if file.is_file():
            return file.resolve()
    raise _not_found(given)


def _is_yaml(path: Path) -> bool:
    return path.suffix.lower() in (".yaml", ".yml")


def _named(name: Path) -> Iterator[Path]:
    """Return where a recipe given by its name may lie; a folder may be written before the name."""
    yield Path("recipes") / f"{name}.yaml"
    if len(name.parts) > 1:
        yield Path(f"{name}.yaml")
    yield shipped("recipes") / f"{name}.yaml"
    if name.parts[:1] == ("recipes",):
        yield shipped("recipes").parent / f"{name}.yaml"


def _not_found(given: Path) -> RecipeError:
    if given.is_dir():
        return RecipeError.of(f"{given} is a folder, not a recipe", try_="engine run FOLDER/recipe.yaml")
    is_path = _is_yaml(given)
    near = [given.parent] if is_path else [Path("recipes"), shipped("recipes")]
    files = [file for folder in near if folder.is_dir() for file in folder.iterdir() if _is_yaml(file)]
    names = sorted({file.name if is_path else file.stem for file in files})
    suggestion = nearest(given.name, names)
    if suggestion and is_path:
        suggestion = str(given.with_name(suggestion))
    return RecipeError.of(
        f"no recipe at '{given}'",
        suggestion=suggestion,
        allowed=names,
        try_="engine options",
    )

"""Where recipes and `conf/` lie: in a checkout, in an installed wheel, in the user's own folders."""

from __future__ import annotations

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


def find_recipe(recipe: str | Path) -> Path:
    """Return the path of a recipe given as a YAML path or as a name in `./recipes` (else in ours).

    Raises
    ------
    RecipeError
        If there is none; the nearest name is suggested.
    """
    given = Path(recipe)
    if given.suffix in (".yaml", ".yml"):
        if given.is_file():
            return given.resolve()
    else:
        for folder in (Path("recipes"), shipped("recipes")):
            if (folder / f"{recipe}.yaml").is_file():
                return (folder / f"{recipe}.yaml").resolve()
    raise _not_found(given)


def _not_found(given: Path) -> RecipeError:
    if given.is_dir():
        return RecipeError.of(f"{given} is a folder, not a recipe", try_="engine run FOLDER/recipe.yaml")
    near = [given.parent] if given.suffix else [Path("recipes"), shipped("recipes")]
    names = sorted(
        {file.name if given.suffix else file.stem for f in near if f.is_dir() for file in f.glob("*.y*ml")}
    )
    suggestion = nearest(given.name, names)
    if suggestion and given.suffix:
        suggestion = str(given.with_name(suggestion))
    return RecipeError.of(
        f"no recipe at '{given}'",
        suggestion=suggestion,
        allowed=names,
        try_="engine init DATA --target COLUMN",
    )

"""Where recipes and `conf/` lie: in a checkout, in an installed wheel, in the user's own folders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import RecipeError, nearest
from engine.recipe.version import CURRENT

_PACKAGE = Path(__file__).resolve().parent.parent


def shipped(name: str) -> Path:
    """Return our own `conf` or `recipes` folder: inside the wheel, else at the top of the checkout."""
    inside = _PACKAGE / "_shipped" / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def conf_folders(recipe: Path, *, version: int = CURRENT, current: int = CURRENT) -> tuple[Path, ...]:
    """Return the folders in which groups are looked up, the first that has an option wins.

    Parameters
    ----------
    version, current
        The version of the recipe, and the engine's: what is kept in `v<N>/` for recipes of version N and
        before comes ahead of what counts today.
    """
    roots = (Path.cwd() / "conf", recipe.parent / "conf", shipped("conf"))
    kept = [f"v{older}" for older in range(version, current)]
    folders = (folder for root in roots for folder in (*(root / name for name in kept), root))
    return tuple(dict.fromkeys(folder.resolve() for folder in folders if folder.is_dir()))


def groups(folders: Sequence[Path]) -> dict[str, dict[str, Path]]:
    """Return the file of each option of each group, groups and options sorted."""
    names = {entry.name for folder in folders for entry in folder.iterdir() if entry.is_dir()}
    return {name: options for name in sorted(names) if (options := _options(folders, name))}


def _options(folders: Sequence[Path], group: str) -> dict[str, Path]:
    files = (file for folder in reversed(folders) for file in (folder / group).glob("*.yaml"))
    return dict(sorted({file.stem: file for file in files}.items()))


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
    init = f"engine init {given} --target COLUMN"
    if given.is_dir():
        return _folder(given)
    if given.is_file():
        return RecipeError.of(f"{given} is not a recipe: a recipe is a file that ends in .yaml", try_=init)
    beside, own = _recipes_in(given.parent), [file.stem for file in _recipes_in(shipped("recipes"))]
    if _is_yaml(given):
        words = names = {file.name: str(given.with_name(file.name)) for file in beside}
        own = []
    else:
        names = {name: name for name in (*own, *(file.stem for file in _recipes_in(Path("recipes"))))}
        # A recipe beside the user is meant rather than one of ours that is called the same.
        words = names | {file.stem: str(file) for file in beside}
    what, near = f"no recipe at '{given}'", nearest(given.name, words)
    if near:
        return RecipeError.of(what, suggestion=words[near])
    what += f" (the engine's own: {', '.join(own)})" if own else ""
    return RecipeError.of(what, allowed=sorted(names), try_="engine init DATA --target COLUMN writes one")


def _recipes_in(folder: Path) -> list[Path]:
    return sorted(filter(_is_yaml, folder.iterdir())) if folder.is_dir() else []


def _folder(given: Path) -> RecipeError:
    recipes = sorted(str(file) for file in given.iterdir() if _is_yaml(file))
    what = f"{given} is a folder, not a recipe"
    return RecipeError.of(what, allowed=recipes, try_="engine run RECIPE")

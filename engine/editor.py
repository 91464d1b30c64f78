"""What an editor needs for recipes: their JSON Schema in a file, and a line in the recipe that names it."""

from __future__ import annotations

import json
import os
from pathlib import Path

from engine.durable import write_text
from engine.errors import RecipeError, nearest
from engine.recipe.find import conf_folders
from engine.recipe.jsonschema import Language, base_schema, group_schema, recipe_schema
from engine.recipe.reference import Options, reference
from engine.vocabulary import known_names

FOLDER = ".engine"
FILE = "recipe.schema.json"
RECIPE, BASE = "recipe", "base"


def language(folder: Path) -> Language:
    """Return what a recipe in `folder` may say, with the options of the `conf/` folders that count there.

    Raises
    ------
    RecipeError
        If the base that counts there can't be read.
    """
    options = Options.read(conf_folders(folder / "recipe.yaml"))
    known = known_names()
    return Language(reference(options, known), options, known)


def schema_text(folder: Path, *, of: str = RECIPE) -> str:
    """Return the JSON Schema of what lies in `folder`: `recipe`, `base`, or the files of a group.

    Raises
    ------
    RecipeError
        If there is no such group.
    """
    spoken = language(folder)
    groups = (RECIPE, BASE, *(key.name for key in spoken.keys if key.below))
    if of not in groups:
        what = f"'{of}' is not a group of files that have a schema"
        raise RecipeError.of(
            what, file="command line", key="--for", suggestion=nearest(of, groups), allowed=groups
        )
    made = {RECIPE: recipe_schema, BASE: base_schema}
    schema = made[of](spoken) if of in made else group_schema(spoken, of)
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=False) + "\n"


def write_schema(folder: Path) -> Path:
    """Write the JSON Schema of recipes to `.engine/recipe.schema.json` in a recipe's folder; return its path.

    The file is replaced whole, and only where its content differs.
    """
    path = folder / FOLDER / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    content = schema_text(folder)
    if not path.is_file() or path.read_bytes() != content.encode():
        write_text(path, content)
    return path


def editor_line(recipe: Path, schema: Path) -> str:
    """Return the first line of a recipe that tells an editor's YAML language server where the schema lies.

    The path is relative to the recipe, so that the two may move together.

    Examples
    --------
    >>> editor_line(Path("work/churn.yaml"), Path("work/.engine/recipe.schema.json"))
    '# yaml-language-server: $schema=.engine/recipe.schema.json'
    """
    relative = os.path.relpath(schema.absolute(), recipe.absolute().parent)
    return f"# yaml-language-server: $schema={Path(relative).as_posix()}"

"""From a recipe to a `Spec`: compose, check the types, say everything that is wrong at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.errors import Message, RecipeError
from engine.recipe.compose import Composition
from engine.recipe.draft import Draft, draft
from engine.recipe.find import shipped
from engine.recipe.roots import check_data, check_runs, find_remote, find_roots, located
from engine.recipe.searched import compose_searched
from engine.recipe.spec import Spec
from engine.recipe.spec_model import ModelSpec
from engine.recipe.text import read


def load_spec(recipe: str | Path, overrides: Sequence[str] = (), *, roots: Sequence[str | Path] = ()) -> Spec:
    """Compose a recipe and check its keys and types, and the places that it names.

    Raises
    ------
    RecipeError
        With every mistake found, each at its place.
    """
    return to_spec(compose_searched(recipe, overrides), roots=roots)


def to_spec(composition: Composition, *, roots: Sequence[str | Path] = ()) -> Spec:
    """Check a composed recipe into a spec whose data path is absolute.

    Raises
    ------
    RecipeError
        With every mistake of keys, types and places.
    """
    read = to_draft(composition, roots=roots)
    if read.mistakes:
        raise RecipeError(composition.places.in_order(read.mistakes))
    return read.spec


def to_draft(
    composition: Composition, *, roots: Sequence[str | Path] = (), runs: str | Path | None = None
) -> Draft:
    """Read a composed recipe as far as it can be read; a data path that is known is absolute.

    Parameters
    ----------
    roots
        Folders besides the recipe's own and the working directory below which its table may lie.
    runs
        Where the user has the run written, whatever the recipe says.

    Raises
    ------
    RecipeError
        If a root is no folder, or the project's own settings of them can't be read.
    """
    read = draft(composition)
    spec = read.spec
    allowed = find_roots(composition.path, roots)
    mistakes: list[Message] = []
    if read.knows("data"):
        spec = spec.model_copy(update={"data": located(spec.data, composition)})
        remote = find_remote(composition.path, roots)
        mistakes += check_data(spec.data, composition, roots=allowed, remote=remote)
    if runs is not None:
        spec = spec.model_copy(update={"runs": str(runs)})
    elif read.knows("runs", "name"):
        mistakes += check_runs(spec, composition)
    spec.remember(
        stored=composition.stored,
        from_environment=composition.from_environment,
        places=composition.places,
        path=composition.path,
    )
    found = [composition.places.locate(message) for message in mistakes]
    return replace(read, spec=spec, mistakes=(*read.mistakes, *found))


def load_model(name: str) -> ModelSpec:
    """Return one of our own model files as a spec, for the models that every run fits.

    Raises
    ------
    RecipeError
        If there is no such file.
    """
    return ModelSpec.model_validate_json(json.dumps(read(shipped("conf") / "model" / f"{name}.yaml").value))

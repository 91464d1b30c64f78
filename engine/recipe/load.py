"""From a recipe to a `Spec`: compose, check the types, say everything that is wrong at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError

from engine.errors import EngineError, Message, RecipeError
from engine.names import FAMILIES
from engine.recipe.compose import Composition, compose
from engine.recipe.find import shipped
from engine.recipe.mistakes import explain_pydantic
from engine.recipe.spec import ModelSpec, Spec
from engine.recipe.text import Plain, read


def load_spec(recipe: str | Path, overrides: Sequence[str] = ()) -> Spec:
    """Compose a recipe and check its keys and types.

    Raises
    ------
    RecipeError
        With every mistake found, each at its place.
    """
    return to_spec(compose(recipe, overrides))


def to_spec(composition: Composition) -> Spec:
    """Check a composed recipe into a spec whose data path is absolute."""
    plain = composition.plain
    try:
        # JSON is the way in because a strict model takes lists and numbers as JSON has them.
        spec = Spec.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        places = composition.places
        details = error.errors(include_url=False)
        secret = composition.from_environment
        mistakes = explain_pydantic(details, model=Spec, plain=plain, places=places, from_environment=secret)
        mistakes += _params_mistakes(plain, {message.key for message in mistakes}, composition)
        raise RecipeError(places.in_order(mistakes)) from None
    data = spec.data.model_copy(update={"path": str(_resolve(spec.data.path, composition.path))})
    spec = spec.model_copy(update={"data": data})
    spec.remember(
        stored=composition.stored,
        from_environment=composition.from_environment,
        places=composition.places,
        path=composition.path,
    )
    return spec


def _resolve(path: str, recipe: Path) -> Path:
    """Resolve a data path under the recipe's folder, else under the working directory."""
    given = Path(path).expanduser()
    beside = recipe.parent / given
    return (beside if beside.exists() or not given.exists() else given).resolve()


def _params_mistakes(plain: Mapping[str, Plain], known: set[str], composition: Composition) -> list[Message]:
    """Check the family's params even when another section is wrong, so that one report has it all."""
    if any(key.startswith(("model", "task.kind")) for key in known):
        return []
    try:
        model = ModelSpec.model_validate_json(json.dumps(plain.get("model")))
        task = plain.get("task")
        kind = task.get("kind") if isinstance(task, dict) else None
        family = FAMILIES.load(model.family)
    except (ValidationError, EngineError):
        return []
    messages = family.check(model, str(kind))  # type: ignore[attr-defined]
    return [composition.places.locate(message) for message in messages]


def load_model(name: str) -> ModelSpec:
    """Return one of our own model files as a spec, for the models that every run fits.

    Raises
    ------
    RecipeError
        If there is no such file.
    """
    return ModelSpec.model_validate_json(json.dumps(read(shipped("conf") / "model" / f"{name}.yaml").value))

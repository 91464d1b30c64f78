"""How the rows of another file are read than the one that a run was trained on: given for one scoring.

Takes the few keys of a recipe that say how a text is read, and what is done with columns that the schema does
not name; everything else of a finished run is final.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError

from engine.errors import Message, RecipeError, nearest
from engine.recipe.mistakes import explain_pydantic
from engine.recipe.overrides import mistake, parse
from engine.recipe.places import COMMAND_LINE, Layer, Places
from engine.recipe.spec import Spec
from engine.recipe.spec_table import DataSpec, SchemaSpec
from engine.recipe.text import KeyPath, Plain

_EXTRA: KeyPath = ("schema", "extra")
_OF_TRAINING = ("path", "population", "join", "sample")
_PATHS: tuple[KeyPath, ...] = (
    *(("data", name) for name in DataSpec.model_fields if name not in _OF_TRAINING),
    _EXTRA,
)
REREAD_KEYS = tuple(".".join(path) for path in _PATHS)


@dataclass(frozen=True, slots=True)
class Rereading:
    """How a file is read for one scoring.

    Attributes
    ----------
    leaves_out
        Whether columns that the schema does not name are left out; None where nothing was said of them.
    """

    data: DataSpec
    leaves_out: bool | None = None


def reread(data: DataSpec, overrides: Sequence[str]) -> Rereading:
    """Return how a file is read, from how the training data was and from overrides in Hydra's grammar.

    Raises
    ------
    RecipeError
        With every override that is not one of these keys, or has no value that the key takes.
    """
    given, mistakes = _read(overrides)
    mistakes += _wrong_values(given)
    if mistakes:
        raise RecipeError(mistakes)
    said = {path[1]: value for path, value in given.items() if path != _EXTRA}
    plain = {**data.model_dump(mode="json"), **said}
    read = DataSpec.model_validate_json(json.dumps(plain))
    return Rereading(read, given[_EXTRA] == "ignore" if _EXTRA in given else None)


def _read(overrides: Sequence[str]) -> tuple[dict[KeyPath, Plain], list[Message]]:
    given: dict[KeyPath, Plain] = {}
    mistakes = []
    for line in parse(overrides, None):
        path, key = line.quoted or tuple(line.dotted().split(".")), line.dotted()
        if path not in _PATHS or line.override.is_delete():
            what = f"'{key}' can't be changed after training: only how the rows are read can"
            mistakes.append(Message(what, key, COMMAND_LINE, None, nearest(key, REREAD_KEYS), REREAD_KEYS))
        elif line.override.is_sweep_override():
            what = f"'{line.given}' has several values, and a file is read in one way"
            cure = f"'{key}=[{line.given.partition('=')[2]}]'" if path[-1] == "null_values" else ""
            mistakes.append(Message(what, key, COMMAND_LINE, try_=cure))
        elif (wrong := mistake(line, is_choice=False)) is not None:
            mistakes.append(wrong)
        else:
            given[path] = line.override.value()
    return given, mistakes


def _wrong_values(given: dict[KeyPath, Plain]) -> list[Message]:
    """Hold each value against its key alone: the rest of a recipe is not here."""
    places = Places((Layer.of_command_line(given),))
    found = []
    models: dict[str, type[BaseModel]] = {"data": DataSpec, "schema": SchemaSpec}
    for section, model in models.items():
        values = {path[1]: value for path, value in given.items() if path[0] == section}
        try:
            model.model_validate_json(json.dumps(values))
        except ValidationError as error:
            wrong = [
                {**detail, "loc": (section, *detail["loc"])}
                for detail in error.errors(include_url=False)
                if detail["loc"][0] in values
            ]
            plain: dict[str, Plain] = {section: values}
            found += explain_pydantic(
                wrong,  # type: ignore[arg-type]
                model=Spec,
                plain=plain,
                places=places,
                from_environment=(),
            )
    return [places.locate(one.message) for one in found]

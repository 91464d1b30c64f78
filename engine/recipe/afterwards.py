"""The few keys of a recipe that may still be said of a finished run, on its command line."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError

from engine.errors import Message, nearest
from engine.recipe import text
from engine.recipe.find import shipped
from engine.recipe.mistakes import explain_pydantic
from engine.recipe.overrides import mistake, parse
from engine.recipe.places import COMMAND_LINE, Layer, Places
from engine.recipe.spec import Spec
from engine.recipe.text import KeyPath, Plain

Sections = Mapping[KeyPath, type[BaseModel]]


def read_few(
    overrides: Sequence[str], paths: Sequence[KeyPath], *, only: str, once: str
) -> tuple[dict[KeyPath, Plain], list[Message]]:
    """Return the values of overrides by key, and what is wrong with any.

    Parameters
    ----------
    paths
        The keys that may be said.
    only
        What these are for, as in "only how the rows are read can".
    once
        Why there is one value to each, as in "a file is scored in one way".

    Raises
    ------
    RecipeError
        If one is not in Hydra's grammar.
    """
    keys = tuple(".".join(path) for path in paths)
    given: dict[KeyPath, Plain] = {}
    mistakes = []
    for line in parse(overrides, None):
        path, key = line.quoted or tuple(line.dotted().split(".")), line.dotted()
        if path not in paths or line.override.is_delete():
            what = f"'{key}' can't be changed after training: only {only}"
            mistakes.append(Message(what, key, COMMAND_LINE, None, nearest(key, keys), keys))
        elif line.override.is_sweep_override():
            what = f"'{line.given}' has several values, and {once}"
            cure = f"'{key}=[{line.given.partition('=')[2]}]'" if path[-1] == "null_values" else ""
            mistakes.append(Message(what, key, COMMAND_LINE, try_=cure))
        elif (wrong := mistake(line, is_choice=len(path) == 1)) is not None:
            mistakes.append(wrong)
        else:
            given[path] = line.override.value()
    return given, mistakes


def option_of(group: str, choice: Plain) -> tuple[dict[str, Plain], list[Message]]:
    """Return what an option of ours says, or that there is no such one."""
    options = {path.stem: path for path in sorted((shipped("conf") / group).glob("*.yaml"))}
    if isinstance(choice, str) and choice in options:
        return text.read(options[choice]).mapping(), []
    what = f"'{choice}' is not an option of {group}"
    near, try_ = nearest(str(choice), options), f"engine options {group}"
    return {}, [Message(what, group, COMMAND_LINE, None, near, tuple(options), try_)]


def wrong_values(given: Mapping[KeyPath, Plain], sections: Sections) -> list[Message]:
    """Hold each value against its key alone: the rest of a recipe is not here."""
    places = Places((Layer.of_command_line(given),))
    found = []
    for section, model in sections.items():
        values = {path[-1]: value for path, value in given.items() if path[:-1] == section}
        try:
            model.model_validate_json(json.dumps(values))
        except ValidationError as error:
            wrong = [
                {**detail, "loc": (*section, *detail["loc"])}
                for detail in error.errors(include_url=False)
                if detail["loc"][0] in values
            ]
            plain: Plain = values
            for name in reversed(section):
                plain = {name: plain}
            assert isinstance(plain, dict)
            found += explain_pydantic(
                wrong,  # type: ignore[arg-type]
                model=Spec,
                plain=plain,
                places=places,
                from_environment=(),
            )
    return [places.locate(one.message) for one in found]

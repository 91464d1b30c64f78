"""How the rows of another file are read than the one that a run was trained on, and by whom they are scored.

Takes the few keys of a recipe that say how a text is read, what is done with columns that the schema does not
name, and where the work is done; everything else of a finished run is final.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from engine.errors import RecipeError
from engine.recipe.afterwards import Sections, option_of, read_few, wrong_values
from engine.recipe.spec import ComputeSpec
from engine.recipe.spec_table import DataSpec, SchemaSpec
from engine.recipe.text import KeyPath, Plain

_EXTRA: KeyPath = ("schema", "extra")
_COMPUTE: KeyPath = ("compute",)
_EXECUTOR: KeyPath = ("compute", "executor")
_ADDRESS: KeyPath = ("compute", "address")
_OF_TRAINING = ("path", "population", "join", "sample")
_PATHS: tuple[KeyPath, ...] = (
    *(("data", name) for name in DataSpec.model_fields if name not in _OF_TRAINING),
    _EXTRA,
    _COMPUTE,
    _EXECUTOR,
    _ADDRESS,
)
_SECTIONS: Sections = {("data",): DataSpec, ("schema",): SchemaSpec, ("compute",): ComputeSpec}
REREAD_KEYS = tuple(".".join(path) for path in _PATHS)


@dataclass(frozen=True, slots=True)
class Rereading:
    """How a file is read for one scoring, and who scores it.

    Attributes
    ----------
    executor, address
        `ray` and of which cluster, None being one for this scoring alone; or this process.
    leaves_out
        Whether columns that the schema does not name are left out; None where nothing was said of them.
    """

    data: DataSpec
    leaves_out: bool | None = None
    executor: Literal["local", "ray"] = "local"
    address: str | None = None


def reread(data: DataSpec, overrides: Sequence[str]) -> Rereading:
    """Return how a file is read, from how the training data was and from overrides in Hydra's grammar.

    Raises
    ------
    RecipeError
        With every override that is not one of these keys, or has no value that the key takes.
    """
    given, mistakes = read_few(
        overrides,
        _PATHS,
        only="how the rows are read and where they are scored can",
        once="a file is scored in one way",
    )
    mistakes += wrong_values(given, _SECTIONS)
    option: dict[str, Plain] = {}
    if _COMPUTE in given:
        option, wrong = option_of("compute", given[_COMPUTE])
        mistakes += wrong
    if mistakes:
        raise RecipeError(mistakes)
    said = {path[1]: value for path, value in given.items() if path[0] == "data"}
    plain = {**data.model_dump(mode="json"), **said}
    read = DataSpec.model_validate_json(json.dumps(plain))
    address = given.get(_ADDRESS)
    asked = given.get(_EXECUTOR, option.get("executor"))
    return Rereading(
        read,
        given[_EXTRA] == "ignore" if _EXTRA in given else None,
        executor="ray" if asked == "ray" or (asked != "local" and address is not None) else "local",
        address=None if address is None else str(address),
    )

"""What every part of the spec is: frozen, strict, every key known."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Where a key's JSON Schema says in words what a pattern is of.
SAID = "x-expected"
Scalar = bool | int | float | str
# A path that stays below where it begins, and names nothing hidden.
BELOW = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"
# What a service may be told to hold in memory, for a stranger may have written what tells it.
MAX_ROWS_HELD = 1_000_000
MAX_S_HELD = 86_400
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """A section of a recipe: frozen, no type is turned into another, and no key is unknown."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, protected_namespaces=()
    )


def as_tuple(value: object) -> object:
    """Take one name or a list of them."""
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else value

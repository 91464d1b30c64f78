"""What a tune space may say: parameters that the family has, and values that they take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.errors import Message, nearest
from engine.models.params import Accepted, Given, Parameter, check_value
from engine.recipe.space import Choices, NotASpaceError, Span, read_space
from engine.recipe.spec_model import ModelSpec
from engine.recipe.text import Plain


def check_space(model: ModelSpec, known: Mapping[str, Parameter], *, family: str) -> Iterator[Message]:
    """Yield what is wrong with `model.space`.

    Parameters
    ----------
    known
        What the family takes for the recipe's task, aliases with them; empty where that is not known.
    family
        What messages call the model.
    """
    if not known:
        return
    try_ = f"engine options model/{model.family}"
    names = tuple(sorted(name for name, parameter in known.items() if not parameter.same_as))
    for name, text in model.space.items():
        key = f"model.space.{name}"
        if name not in known:
            near = nearest(name, names) or nearest(name, known)
            what = f"'{name}' is not a parameter of {family}"
            yield Message(what, key, suggestion=near, allowed=names, try_=try_)
            continue
        try:
            space = read_space(text)
        except NotASpaceError as error:
            yield Message(str(error), key, try_=try_)
            continue
        of = known.get(known[name].same_as, known[name])
        yield from _check_values(name, text, space, of.accepts, key=key, try_=try_)


def _check_values(
    name: str,
    text: str,
    space: Span | Choices,
    accepts: tuple[Accepted, ...] | None,
    *,
    key: str,
    try_: str,
) -> Iterator[Message]:
    if isinstance(space, Span) and not space.is_whole and _takes_whole_only(accepts):
        what = f"'{name}' takes whole numbers, and '{text}' has fractions"
        yield Message(what, key, suggestion=f"int({text})" if "tag" not in text else "", try_=try_)
        return
    values: tuple[Plain, ...] = space.values if isinstance(space, Choices) else (space.low, space.high)
    wrong = [check_value(_given(value), accepts, name=name, key=key, try_=try_) for value in values]
    yield from next(filter(None, wrong), [])


def _takes_whole_only(accepts: tuple[Accepted, ...] | None) -> bool:
    types = {accepted.type for accepted in accepts or ()}
    return "integer" in types and types.isdisjoint({"number", "fraction"})


def _given(value: Plain) -> Given:
    """Return a value as params have it: a tuple for a list."""
    if isinstance(value, list):
        return tuple(item for item in value if not isinstance(item, list | dict | None))
    return None if isinstance(value, dict) else value

"""Parameters of a library's estimators, checked by name, type and range without importing the library.

`signatures.json` beside this file holds what each constructor takes; `engine.models._signatures` writes it
from the installed libraries. An estimator that is not in it can't be named by a recipe.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from engine.errors import MAX_MESSAGES, Message, nearest
from engine.recipe.strict import Scalar

if TYPE_CHECKING:
    from engine.recipe.spec_model import ModelSpec

SIGNATURES = Path(__file__).with_name("signatures.json")
DeployedAs = Literal["graph", "converter", "skops"]
AcceptedType = Literal["boolean", "integer", "number", "fraction", "string", "null", "list", "mapping"]
Given = Scalar | tuple[Scalar, ...] | dict[str, Scalar] | None

_TYPES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "fraction": float,
    "string": str,
    "null": type(None),
    "list": tuple,
    "mapping": dict,
}


class Accepted(msgspec.Struct, frozen=True, omit_defaults=True):
    """One kind of value that a parameter takes: a type, and a range or the options where known.

    An `integer` is never a boolean; a `number` may be written as an integer, a `fraction` may not.
    """

    type: AcceptedType
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False
    options: tuple[str, ...] = ()


class Parameter(msgspec.Struct, frozen=True, omit_defaults=True):
    """A parameter: its default as JSON says it, and what it takes; `accepts` is None where not known.

    `same_as` is the name that an alias stands for; what that one takes, this one takes.
    """

    default: bool | int | float | str | tuple[int | float, ...] | None = None
    accepts: tuple[Accepted, ...] | None = None
    same_as: str = ""


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    """An estimator: what its constructor takes and, of scikit-learn's, what it can do.

    `probabilities_with` names the parameter values that give an estimator its probabilities when
    `probabilities` is false, such as `{"loss": ["log_loss"]}`.
    """

    parameters: dict[str, Parameter]
    module: str = ""
    kind: Literal["classifier", "regressor", ""] = ""
    probabilities: bool = False
    probabilities_with: dict[str, tuple[bool | str, ...]] = {}
    missing: bool = False
    non_negative: bool = False
    deployed_as: DeployedAs = "skops"


class Index(msgspec.Struct, frozen=True):
    """All of `signatures.json`: the versions it was made from, and library -> estimator -> signature."""

    versions: dict[str, str]
    libraries: dict[str, dict[str, Signature]]


@cache
def index() -> Index:
    """Read the shipped index, once a process."""
    return msgspec.json.decode(SIGNATURES.read_bytes(), type=Index)


def estimators(library: str) -> Mapping[str, Signature]:
    """Return every estimator of `library` (`sklearn`, `lightgbm`, `xgboost`) that the index knows."""
    return index().libraries[library]


def known_params(library: str, estimator: str) -> tuple[str, ...]:
    """Return the names of the parameters that `estimator` takes, sorted, aliases with them."""
    return tuple(sorted(estimators(library)[estimator].parameters))


def settable(library: str, estimator: str, managed: Collection[str]) -> dict[str, Parameter]:
    """Return the parameters that a recipe may set: none that is managed or takes an object of the library.

    An alias takes what the parameter that it stands for takes.
    """
    known = estimators(library)[estimator].parameters
    kept = {}
    for name, parameter in known.items():
        stands_for = parameter.same_as or name
        if name not in managed and stands_for not in managed and known[stands_for].accepts != ():
            kept[name] = parameter
    return kept


def check_params(
    model: ModelSpec,
    *,
    library: str,
    estimator: str,
    family: str,
    managed: Mapping[str, str] | None = None,
) -> list[Message]:
    """Check each of the recipe's parameters against the constructor's, in the recipe's order.

    Parameters
    ----------
    library, estimator
        Where the index has the signature: `sklearn`, `lightgbm` or `xgboost`, and a class name in it.
    family
        What messages call the model.
    managed
        Parameters that the engine sets, and the recipe's key that says them: `{"random_state": "seed"}`.
        Their aliases are managed too.

    Returns
    -------
    list of Message
        Empty when all is well; keys are such as `model.params.n_estimator`.
    """
    known = estimators(library)[estimator].parameters
    set_by = managed or {}
    allowed = tuple(
        sorted(name for name, parameter in known.items() if name not in set_by and not parameter.same_as)
    )
    messages: list[Message] = []
    first_name: dict[str, str] = {}
    for name, value in model.params.items():
        if len(messages) > MAX_MESSAGES:
            break
        key, try_ = f"model.params.{name}", f"engine options model/{model.family}"
        if name not in known:
            # A name of the constructor's own first: a library's aliases are many, and some look alike.
            suggestion = nearest(name, allowed) or nearest(name, [key for key in known if key not in set_by])
            what = f"'{name}' is not a parameter of {family}"
            messages.append(Message(what, key, suggestion=suggestion, allowed=allowed, try_=try_))
            continue
        constructor_name = known[name].same_as or name
        if setter := set_by.get(name) or set_by.get(constructor_name):
            messages.append(Message(f"'{name}' is set by {setter}", key, try_=try_))
        elif constructor_name in first_name:
            what = f"'{name}' and '{first_name[constructor_name]}' are two names of one parameter"
            messages.append(Message(what, key, try_=try_))
        else:
            messages.extend(
                check_value(value, known[constructor_name].accepts, name=name, key=key, try_=try_)
            )
        first_name.setdefault(constructor_name, name)
    return messages


def check_value(
    value: Given, accepts: tuple[Accepted, ...] | None, *, name: str, key: str, try_: str
) -> list[Message]:
    """Check one value; None for `accepts` means that anything may be given."""
    if accepts is None or any(_takes(accepted, value) for accepted in accepts):
        return []
    if not accepts:
        return [Message(f"'{name}' can't be set in a recipe: it is an object of the library", key, try_=try_)]
    options = tuple(sorted(option for accepted in accepts for option in accepted.options))
    suggestion = nearest(value, options) if isinstance(value, str) else ""
    what = f"'{name}' must be {_described(accepts)}, not {_written(value)}"
    return [Message(what, key, suggestion=suggestion, allowed=options, try_=try_)]


def _takes(accepted: Accepted, value: Given) -> bool:
    types = _TYPES[accepted.type]
    if not isinstance(value, types) or (isinstance(value, bool) and accepted.type != "boolean"):
        return False
    if isinstance(value, str):
        return not accepted.options or value in accepted.options
    if isinstance(value, int | float):
        return _above(value, accepted) and _below(value, accepted)
    return True


def _above(value: float, accepted: Accepted) -> bool:
    low = accepted.low
    return low is None or value > low or (value == low and not accepted.low_open)


def _below(value: float, accepted: Accepted) -> bool:
    high = accepted.high
    return high is None or value < high or (value == high and not accepted.high_open)


def _described(accepts: tuple[Accepted, ...]) -> str:
    parts = [_described_one(accepted) for accepted in accepts]
    *first, last = list(dict.fromkeys(parts))
    return f"{', '.join(first)} or {last}" if first else last


def _described_one(accepted: Accepted) -> str:
    if accepted.type == "null":
        return "null"
    if accepted.options:
        return "one of the allowed words"
    article = "an" if accepted.type == "integer" else "a"
    bounds = []
    if accepted.low is not None:
        bounds.append(f"{'above' if accepted.low_open else 'of at least'} {accepted.low:.12g}")
    if accepted.high is not None:
        bounds.append(f"{'below' if accepted.high_open else 'at most'} {accepted.high:.12g}")
    noun = "number" if accepted.type == "fraction" else accepted.type
    return f"{article} {noun}" + (f" {' and '.join(bounds)}" if bounds else "")


def _written(value: Given) -> str:
    """Say a value as a recipe would."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"'{value}'" if isinstance(value, str) else "a list" if isinstance(value, tuple) else str(value)

"""What a recipe may not declare of its table: every mistake of `schema`, found without the data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import polars as pl

from engine.data.datetimes import parse
from engine.data.formats import wrong_with
from engine.data.quality.finding import SENSITIVE_TYPES
from engine.errors import Message, nearest
from engine.recipe.spec_table import ColumnSpec, Role

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

_ORDERED = frozenset({"integer", "number", "datetime"})
_TEXTUAL = frozenset({"text", "category"})
_AT_MOST_ONE: tuple[Role, ...] = ("group", "time", "weight", "part")
_ROLE_TYPES: dict[Role, frozenset[str]] = {
    "time": _ORDERED,
    "weight": frozenset({"integer", "number"}),
    "value": frozenset({"integer", "number"}),
    "part": _TEXTUAL,
}
_NO_NULL_TARGET = (
    "a target can't be nullable: a row without it teaches nothing; "
    "schema.missing_target: drop leaves such rows out"
)
# A longer one is no rule that anyone reads; Python's reader of patterns nests as deep as they do.
_MAX_PATTERN = 1000
_TAKEN, _TAKEN_PREFIX = "prediction", "probability_"
_VALUE_KINDS: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "text": (str,),
    "category": (str, int, bool),
}
_KINDS: dict[type, str] = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}


def check_schema(spec: Spec) -> list[Message]:
    """Return every mistake of the recipe's `schema`, in the recipe's order."""
    return [*_check_roles(spec), *(m for name in spec.schema_.columns for m in _check_column(spec, name))]


def _check_roles(spec: Spec) -> Iterator[Message]:
    schema = spec.schema_
    if not schema.columns:
        yield Message("no column is declared", "schema.columns", try_="engine init DATA --target COL")
        return
    if schema.target not in schema.columns:
        yield Message(
            f"the target '{schema.target}' is not among the columns",
            "schema.target",
            suggestion=nearest(schema.target, schema.columns),
            allowed=tuple(schema.columns),
        )
    for name in schema.columns:
        yield from _check_role(spec, name)
    for role in _AT_MOST_ONE:
        named = [name for name, column in schema.columns.items() if column.role == role]
        for name in named[1:]:
            what = f"'{named[0]}' has the role {role} already; one column can have it"
            yield Message(what, f"schema.columns.{name}.role")
    yield from _check_key(spec)
    if not any(
        name != schema.target and column.role in {None, "feature"} for name, column in schema.columns.items()
    ):
        yield Message("no column is left for a model to learn from (role: feature)", "schema.columns")


def _check_role(spec: Spec, name: str) -> Iterator[Message]:
    target, column, key = spec.schema_.target, spec.schema_.columns[name], f"schema.columns.{name}.role"
    if name == target and column.role not in {None, "target"}:
        yield Message(f"'{name}' is the target and can't also have the role {column.role}", key)
    if name != target and column.role == "target":
        yield Message(f"the target is '{target}', by schema.target; there is one", key)
    allowed = _ROLE_TYPES.get(column.role) if column.role else None
    if allowed and column.type not in allowed:
        what = f"a column of role {column.role} can't be of type {column.type}"
        yield Message(what, f"schema.columns.{name}.type", allowed=tuple(sorted(allowed)))
    if column.role == "ignore" and column.sensitive and column.type in SENSITIVE_TYPES:
        what = f"'{name}' is sensitive, and by role ignore none of its values is read: no audit sees it"
        yield Message(what, key, try_=f"{key}: id, which the model does not see; or leave sensitive out")


def _check_key(spec: Spec) -> Iterator[Message]:
    schema = spec.schema_
    for name in schema.key or ():
        column = schema.columns.get(name)
        if column is None:
            near = nearest(name, schema.columns)
            what = f"the key names '{name}', which is not among the columns"
            yield Message(what, "schema.key", suggestion=near, allowed=tuple(schema.columns))
        elif column.role == "ignore":
            yield Message(f"the key '{name}' has the role ignore, and is not read: role: id", "schema.key")
        elif name == schema.target:
            yield Message(f"the key '{name}' is the target, which names no row", "schema.key")


def _check_column(spec: Spec, name: str) -> Iterator[Message]:
    column = spec.schema_.columns[name]
    place = f"schema.columns.{name}"
    if column.role != "ignore":
        yield from _check_name(spec, name, place)
    if column.role == "weight" and column.nullable:
        yield Message("a weight can't be nullable: a row counts for something", f"{place}.nullable")
    if name == spec.schema_.target and column.nullable:
        yield Message(_NO_NULL_TARGET, f"{place}.nullable")
    rules: list[tuple[str, frozenset[str]]] = [
        ("min", _ORDERED),
        ("max", _ORDERED),
        ("values", frozenset(_VALUE_KINDS)),
        ("pattern", _TEXTUAL),
        ("max_length", _TEXTUAL),
        ("format", frozenset({"datetime"})),
    ]
    for rule, types in rules:
        if getattr(column, rule) is None:
            continue
        if column.type not in types:
            what = f"{rule} is no rule of the type {column.type}"
            yield Message(what, f"{place}.{rule}", allowed=tuple(sorted(types)))
        else:
            yield from _CHECKS[rule](column, f"{place}.{rule}")
    yield from _check_order(column, place)
    if column.changes in ("up", "down") and column.type not in _ORDERED:
        what = f"values of the type {column.type} have no order, so that none is '{column.changes}'"
        yield Message(what, f"{place}.changes", allowed=("free", "never"))


def _check_name(spec: Spec, name: str, place: str) -> Iterator[Message]:
    mend = "role: ignore, or another name in the data, mends it"
    classes = spec.task.kind == "classification"
    if name == _TAKEN or (classes and name.startswith(_TAKEN_PREFIX)):
        yield Message(f"the name '{name}' is taken by the predictions; {mend}", place)
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        yield Message(f"the name '{name}' reads as a pattern of names; {mend}", place)


def _check_bound(column: ColumnSpec, key: str) -> Iterator[Message]:
    limit = column.min if key.endswith(".min") else column.max
    if column.type == "datetime" and (not isinstance(limit, str) or parse(limit) is None):
        yield Message(f"{_written(limit)} is not an ISO 8601 date or time, such as '2020-01-31'", key)
    if column.type != "datetime" and isinstance(limit, str):
        yield Message(f"'{limit}' is not a number", key, suggestion=_without_zeros(limit))


def _check_format(column: ColumnSpec, key: str) -> Iterator[Message]:
    wrong = wrong_with(column.format or "")
    if wrong is not None:
        yield Message(
            f"{_written(column.format)} is no format of dates: {wrong}", key, try_=f'{key}: "%d.%m.%Y"'
        )


def _check_order(column: ColumnSpec, place: str) -> Iterator[Message]:
    low, high = column.min, column.max
    if isinstance(low, str) and isinstance(high, str):
        first, last = parse(low), parse(high)
        crossed = first is not None and last is not None and first > last
    else:
        crossed = isinstance(low, float | int) and isinstance(high, float | int) and low > high
    if crossed:
        shown = [f"{bound:.12g}" if isinstance(bound, float) else str(bound) for bound in (low, high)]
        yield Message(f"min {shown[0]} is above max {shown[1]}", f"{place}.min")


def _check_values(column: ColumnSpec, key: str) -> Iterator[Message]:
    values = column.values or ()
    kinds = _VALUE_KINDS[column.type]
    if not values:
        yield Message("the list is empty, so that no value is allowed: name at least one", key)
    wrong = [value for value in values if type(value) not in kinds]
    if wrong:
        words = " or ".join(_KINDS[kind] for kind in kinds if kind is not int or float not in kinds)
        yield Message(f"{_written(wrong[0])} is not {words}, which the type {column.type} asks for", key)
    elif column.type == "category" and len({type(value) for value in values}) > 1:
        what = "the values are of more than one kind; write all as text, all as integers or all as booleans"
        yield Message(what, key)
    twice = next((value for index, value in enumerate(values) if value in values[:index]), None)
    if twice is not None and not wrong:
        yield Message(f"{_written(twice)} stands twice", key)


def _check_pattern(column: ColumnSpec, key: str) -> Iterator[Message]:
    pattern = column.pattern or ""
    if column.type == "category" and any(not isinstance(value, str) for value in column.values or ()):
        yield Message("pattern is a rule on text, and the values of this category are not", key)
    if len(pattern) > _MAX_PATTERN:
        yield Message(f"the pattern is longer than {_MAX_PATTERN} characters", key)
        return
    try:
        re.compile(pattern)
        pl.select(pl.lit("").str.contains(f"^(?:{pattern})$"))
    except (re.error, OverflowError, RecursionError, pl.exceptions.ComputeError) as exc:
        lines = str(exc).splitlines()
        cause = next((line for line in lines if line.startswith("error: ")), lines[0]).removeprefix("error: ")
        yield Message(f"not a regular expression that Python and Rust both read: {cause}", key)


def _check_max_length(column: ColumnSpec, key: str) -> Iterator[Message]:
    if column.max_length is not None and column.max_length < 1:
        yield Message(f"max_length {column.max_length} allows no text", key)
    if column.type == "category" and any(not isinstance(value, str) for value in column.values or ()):
        yield Message("max_length is a rule on text, and the values of this category are not", key)


def _written(value: object) -> str:
    """Return a value as a recipe writes it."""
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def _without_zeros(text: str) -> str:
    """Return the number that was meant by one with zeros in front, or an empty text."""
    return match[1] if (match := re.fullmatch(r"0+([0-9]+)", text)) else ""


_CHECKS: dict[str, Callable[[ColumnSpec, str], Iterator[Message]]] = {
    "min": _check_bound,
    "max": _check_bound,
    "values": _check_values,
    "pattern": _check_pattern,
    "max_length": _check_max_length,
    "format": _check_format,
}

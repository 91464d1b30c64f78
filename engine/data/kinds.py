"""The kinds of split: what each asks of a recipe. Light, so that a plan may ask; `split` cuts the rows.

A kind is a line in `KINDS`, a word in `SplitKind`, a file in `conf/split/` and, where it cuts in a way of its
own, a function in `split`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from engine.errors import Message
from engine.recipe.spec_table import ColumnSpec, Role, SplitKind, SplitSpec

if TYPE_CHECKING:
    from engine.recipe.spec import Spec

PART_NAMES = ("train", "validation", "test")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of split asks.

    Attributes
    ----------
    role
        The role that a column must have.
    respects
        The roles that the kind does not have to be warned of.
    folds
        Whether a number of folds must, may or can't be said.
    in_time
        Whether parts follow each other in time, so that a gap can lie between them; None where a column with
        role time decides.
    """

    role: Role | None = None
    respects: tuple[Role, ...] = ("time", "group")
    folds: Literal["must", "may", "never"] = "never"
    in_time: bool | None = False


KINDS: Mapping[SplitKind, Kind] = MappingProxyType(
    {
        "random": Kind(respects=()),
        "stratified": Kind(respects=()),
        "group": Kind(role="group"),
        "stratified_group": Kind(role="group", folds="may"),
        "time": Kind(role="time", in_time=True),
        "kfold": Kind(folds="must", in_time=None),
        "purged": Kind(role="time", folds="must", in_time=True),
        "predefined": Kind(role="part", respects=("time", "group", "part")),
    }
)
_LEAKS: Mapping[str, str] = MappingProxyType(
    {
        "time": "the future into training",
        "group": "rows of one group into several parts",
        "part": "rows elsewhere than it says",
    }
)
_OPTION_OF: Mapping[str, str] = MappingProxyType({"time": "time", "group": "group", "part": "predefined"})
_CANDIDATES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "time": frozenset({"datetime"}),
        "group": frozenset({"category", "text", "integer"}),
        "part": frozenset({"category", "text"}),
    }
)
_UNITS = MappingProxyType({"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1})
_LENGTH = re.compile(r"(?:[0-9]{1,9}[wdhms])(?: ?[0-9]{1,9}[wdhms]){0,4}")


def seconds_of(length: str) -> int | None:
    """Return the seconds of a length of time, or None where a text is none.

    Examples
    --------
    >>> seconds_of("7d"), seconds_of("1d 12h"), seconds_of("a week")
    (604800, 129600, None)
    """
    if not _LENGTH.fullmatch(length):
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"([0-9]+)([wdhms])", length))


def check_split(spec: Spec) -> list[Message]:
    """Return what is wrong with the recipe's `split`."""
    return [
        *_share_mistakes(spec.split),
        *_fold_mistakes(spec),
        *_structure_mistakes(spec),
        *_gap_mistakes(spec),
    ]


def _share_mistakes(cut: SplitSpec) -> Iterator[Message]:
    if cut.kind == "predefined":
        return
    if cut.test == 0:
        yield Message("test is 0: without test rows nothing can be judged", "split.test")
    if cut.folds is None and cut.test + cut.validation >= 1:
        total = f"{cut.test:g} + {cut.validation:g}"
        yield Message(f"test and validation take all rows ({total}); none are left to train on", "split.test")


def _fold_mistakes(spec: Spec) -> Iterator[Message]:
    cut, wanted = spec.split, KINDS[spec.split.kind].folds
    if wanted == "must" and cut.folds is None:
        what = f"{cut.kind} needs a number of folds; the option {cut.kind} has one, and kind alone has none"
        yield Message(what, "split.kind", try_=f"split: {cut.kind} in defaults, or split.folds: 5")
    if wanted == "never" and cut.folds is not None:
        what = f"folds are for kfold, and a {cut.kind} split has none"
        yield Message(what, "split.folds", try_="split: kfold in defaults, or split.folds: null")
    if cut.repeats == 1:
        return
    if cut.folds is None:
        what = f"repeats are of folds, and this {cut.kind} split has none"
        yield Message(what, "split.repeats", try_="split: kfold in defaults, or split.repeats: 1")
    elif _is_in_time(spec):
        what = "folds over time are cut one way only: there is nothing to repeat"
        yield Message(what, "split.repeats", try_="split.repeats: 1")


def _structure_mistakes(spec: Spec) -> Iterator[Message]:
    """Say what does not fit the columns that have the role time, group or part."""
    cut, kind = spec.split, KINDS[spec.split.kind]
    declared = _declared(spec)
    role = kind.role
    if role is not None and role not in declared:
        what = f"a {cut.kind} split needs a column with role: {role}, and none is declared"
        allowed = _candidates(spec.schema_.columns, role)
        column = next((name for name in allowed if name != spec.schema_.target), "NAME")
        cure = f"schema.columns.{column}.role: {role}, or another split in defaults"
        yield Message(what, "split.kind", allowed=allowed, try_=cure)
    if cut.ignore_structure:
        return
    for found, name in declared.items():
        if found not in kind.respects:
            what = f"'{name}' has the role {found}, and a {cut.kind} split would put {_LEAKS[found]}"
            option = _OPTION_OF[found]
            meant = f"split: {option} in defaults; split.ignore_structure: true says that this is meant"
            yield Message(what, f"schema.columns.{name}.role", try_=meant)
    if cut.kind == "kfold" and {"time", "group"} <= set(declared):
        what = f"kfold can respect '{declared['time']}' (time) or '{declared['group']}' (group), not both"
        yield Message(what, "split.kind", suggestion="time")


def _gap_mistakes(spec: Spec) -> Iterator[Message]:
    cut = spec.split
    for name, length in (("gap", cut.gap), ("embargo", cut.embargo)):
        if length == 0:
            continue
        key = f"split.{name}"
        if name == "embargo" and cut.kind != "purged":
            what = f"in a {cut.kind} split nothing trains on what comes after the rows that are judged"
            yield Message(what, key, try_="split: purged in defaults, or split.embargo: 0")
        elif not _is_in_time(spec):
            what = f"a gap lies between parts that follow in time, and those of this {cut.kind} split do not"
            yield Message(what, key, try_="split: time in defaults, or split.gap: 0")
        else:
            yield from _length_mistakes(spec, length, key)


def _length_mistakes(spec: Spec, length: float | str, key: str) -> Iterator[Message]:
    name = _declared(spec).get("time")
    if name is None:
        return
    type_ = spec.schema_.columns[name].type
    if isinstance(length, str) and type_ != "datetime":
        what = f"'{length}' is no number, and the time '{name}' is {type_}: write so many of its units"
        yield Message(what, key, try_=f"{key}: 7")
    elif isinstance(length, str) and seconds_of(length) is None:
        what = f"'{length}' is no length of time: whole numbers of w, d, h, m or s"
        yield Message(what, key, try_=f"{key}: 7d, or {key}: 1d 12h")
    elif not isinstance(length, str) and type_ == "datetime":
        yield Message(f"the time '{name}' is a datetime: write a length of time", key, try_=f"{key}: 7d")


def _is_in_time(spec: Spec) -> bool:
    in_time = KINDS[spec.split.kind].in_time
    if in_time is None:
        return "time" in _declared(spec) and not spec.split.ignore_structure
    return in_time


def _declared(spec: Spec) -> dict[str, str]:
    """Return the columns that have a role of structure, by their role."""
    return {
        role: name for role in _LEAKS for name, column in spec.schema_.columns.items() if column.role == role
    }


def _candidates(columns: Mapping[str, ColumnSpec], role: str) -> tuple[str, ...]:
    return tuple(name for name, column in columns.items() if column.type in _CANDIDATES[role])

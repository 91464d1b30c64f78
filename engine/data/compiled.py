"""A request's body to columns of checked values in one pass: the contract compiled for the JSON reader.

Takes less than `records.Decoder` does and never more: what it can't take, wrong or only unusual, it leaves to
that one, which judges it and says what is wrong. What it does take has the values that that one gives.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec

from engine.data.formats import moment_of
from engine.data.records import Cell
from engine.data.rules import MOST, Rule, Value, bound, rules_of
from engine.data.schema import Column, Schema

_INT64 = 2**63
_LARGEST = sys.float_info.max
# From the values of a column as JSON gives them to those that are held; ValueError: left to the other reader.
_Finish = Callable[[Sequence[Any]], Sequence[Cell]]
# The rules that the JSON reader keeps by itself, by storage.
_KEPT: Mapping[str, frozenset[str]] = {
    "int64": frozenset({"min", "max"}),
    "float64": frozenset({"min", "max", "finite", "magnitude"}),
    "string": frozenset({"values"}),
}


class Compiled:
    """Reads `{"records": [{column: value}, …]}` and `{"columns": {column: [value, …]}}`.

    Parameters
    ----------
    schema
        The contract, every storage resolved.
    null_texts
        Texts that mean a missing value in a column held as text.
    max_records
        More of them are left to the other reader.

    Examples
    --------
    >>> age = Column(name="age", type="integer", role="feature", storage="int64", min=17)
    >>> schema = Schema(columns=(age,), positive=None, extra="error", missing_target="error")
    >>> Compiled(schema, max_records=10).decode(b'{"records": [{"age": 20}]}')
    (1, {'age': [20]})
    >>> Compiled(schema, max_records=10).decode(b'{"records": [{"age": 16}]}') is None
    True
    """

    def __init__(self, schema: Schema, *, null_texts: Iterable[str] = (), max_records: int) -> None:
        nulls = frozenset(null_texts)
        judged = [*schema.features, *schema.ids]
        self._columns = [
            (f"c{index}", column.name, _finish(column, nulls)) for index, column in enumerate(judged)
        ]
        self._getters = {field: attrgetter(field) for field, _, _ in self._columns}
        self._features = len(schema.features)
        self._reader = _reader(schema, judged, max_records)

    def decode(self, body: bytes) -> tuple[int, dict[str, Sequence[Cell]]] | None:
        """Return how many rows there are and the values of every feature; None: ask the other reader."""
        if self._reader is None:
            return None
        try:
            asked = self._reader.decode(body)
            if asked.columns is None:
                return self._of_records(asked.records)
            return self._of_columns(asked.columns) if asked.records is None else None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError):
            return None

    def _of_records(self, records: Sequence[Any] | None) -> tuple[int, dict[str, Sequence[Cell]]] | None:
        if records is None:
            return None
        found: dict[str, Sequence[Cell]] = {}
        for index, (field, name, finish) in enumerate(self._columns):
            values: Sequence[Any] = list(map(self._getters[field], records))
            is_feature = index < self._features
            if not is_feature:
                values = [value for value in values if value is not msgspec.UNSET]
            if finish is not None:
                values = finish(values)
            if is_feature:
                found[name] = values
        return len(records), found

    def _of_columns(self, columns: Any) -> tuple[int, dict[str, Sequence[Cell]]] | None:
        found: dict[str, Sequence[Cell]] = {}
        lengths = set()
        for index, (field, name, finish) in enumerate(self._columns):
            values = self._getters[field](columns)
            if values is msgspec.UNSET:
                continue
            lengths.add(len(values))
            if finish is not None:
                values = finish(values)
            if index < self._features:
                found[name] = values
        return (lengths.pop(), found) if len(lengths) == 1 else None


def _reader(schema: Schema, judged: Sequence[Column], max_records: int) -> msgspec.json.Decoder[Any] | None:
    """Return the reader of a body; None where a column has a name that msgspec can't take for a field's."""
    names = {f"c{index}": column.name for index, column in enumerate(judged)}
    others = [column for column in schema.columns if column.role not in ("feature", "id")]
    names |= {f"o{index}": column.name for index, column in enumerate(others)}
    kinds = {f"c{index}": (_kind(column), column.role == "feature") for index, column in enumerate(judged)}
    ignored = [(f"o{index}", Any, None) for index in range(len(others))]
    closed = schema.extra == "error"

    def table(name: str, wrap: Callable[[Any], Any]) -> Any:
        fields = [
            (field, wrap(kind)) if asked else (field, wrap(kind) | msgspec.UnsetType, msgspec.UNSET)
            for field, (kind, asked) in kinds.items()
        ]
        return msgspec.defstruct(
            name, [*fields, *ignored], rename=names, forbid_unknown_fields=closed, kw_only=True, gc=False
        )

    most = msgspec.Meta(max_length=max_records)
    try:
        record = table("Record", lambda kind: kind)
        columns = table("Columns", lambda kind: Annotated[list[kind], most])  # type: ignore[valid-type]
    except ValueError:
        return None
    records: Any = Annotated[list[record], most]  # type: ignore[valid-type]
    asked = msgspec.defstruct(
        "Asked",
        [("records", records | None, None), ("columns", columns | None, None)],
        forbid_unknown_fields=True,
    )
    return msgspec.json.Decoder(asked)


def _kind(column: Column) -> Any:
    """Return the type of a column's value in JSON, as strict as what a value must be or less."""
    kind: Any
    if column.storage == "int64":
        low = _limit(column, column.min, -_INT64)
        high = _limit(column, column.max, _INT64 - 1)
        kind = Annotated[int, msgspec.Meta(ge=max(low, -_INT64), le=min(high, _INT64 - 1))]
    elif column.storage == "float64":
        most = MOST if column.role == "feature" else _LARGEST
        low, high = _limit(column, column.min, -most), _limit(column, column.max, most)
        kind = Annotated[float, msgspec.Meta(ge=max(low, -most), le=min(high, most))]
    elif column.storage == "boolean":
        kind = bool
    elif column.storage == "string" and column.values:
        kind = Literal[column.values]
    else:
        kind = str
    return kind | None if column.nullable else kind


def _limit(column: Column, given: float | str | None, otherwise: float) -> float:
    """Return a bound as the JSON reader takes it: of integers one that is none itself is judged after."""
    limit = otherwise if given is None else bound(column, given)
    assert isinstance(limit, int | float)
    return otherwise if column.storage == "int64" and not isinstance(limit, int) else limit


def _finish(column: Column, nulls: frozenset[str]) -> _Finish | None:
    """Return what is left to do with a column's values, None where nothing is."""
    kept = _KEPT.get(column.storage, frozenset())
    left = [
        rule for rule in rules_of(column) if rule.accepts is not None and not _is_kept(rule, column, kept)
    ]
    accepts = [rule.accepts for rule in left if rule.accepts is not None]
    steps: list[_Finish] = []
    if column.storage == "datetime":
        steps.append(lambda values: _moments(values, column.format))
    if column.storage == "string" and nulls:
        steps.append(lambda values: _without(values, nulls, nullable=column.nullable))
    if accepts:
        steps.append(lambda values: _accepted(values, accepts))
    if not steps:
        return None

    def finish(values: Sequence[Any]) -> Sequence[Cell]:
        for step in steps:
            values = step(values)
        return values

    return finish


def _is_kept(rule: Rule, column: Column, kept: frozenset[str]) -> bool:
    """Tell whether the JSON reader keeps a rule; a bound of integers that is none itself it doesn't."""
    if column.storage == "int64" and rule.name in ("min", "max"):
        limit = column.min if rule.name == "min" else column.max
        return limit is not None and isinstance(bound(column, limit), int)
    return rule.name in kept


def _moments(values: Sequence[Any], style: str | None) -> Sequence[Cell]:
    moments = [None if value is None else moment_of(value, style) for value in values]
    if any(moment is None and value is not None for moment, value in zip(moments, values, strict=True)):
        raise ValueError
    return moments


def _without(values: Sequence[Any], nulls: frozenset[str], *, nullable: bool) -> Sequence[Cell]:
    if nulls.isdisjoint(values):
        return values
    if not nullable:
        raise ValueError
    return [None if value in nulls else value for value in values]


def _accepted(values: Sequence[Any], accepts: Sequence[Callable[[Value], bool]]) -> Sequence[Cell]:
    for accept in accepts:
        if not all(value is None or accept(value) for value in values):
            raise ValueError
    return values

"""One JSON record against the contract: the schema compiled once, for the service.

Judges as `check` judges a frame, by the same rules; a property test holds the two together. Only types are
its own matter: JSON says what is a number, a text, a boolean. A text that means a missing value in a CSV
file means it here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import isfinite

from engine.data.formats import moment_of
from engine.data.rules import Rule, Value, rules_of
from engine.data.schema import Column, Schema, Storage
from engine.data.storage import expected_type
from engine.data.violation import COMPLAINTS, headline, show
from engine.errors import DataError, Message, nearest

Cell = Value | None
# Gives the value as it is held, or raises ValueError.
_Read = Callable[[object], Cell]
_INT64 = 2**63


class Decoder:
    """Judges records of the feature columns, and of the id columns where a record has them.

    Other columns that the schema declares may be there and are left out, as in batch scoring.

    Parameters
    ----------
    schema
        The contract, every storage resolved.
    null_texts
        Texts that mean a missing value in a column held as text, as `engine.data.text.null_texts` gives them.

    Examples
    --------
    >>> age = Column(name="age", type="integer", role="feature", storage="int64", min=17)
    >>> decoder = Decoder(Schema(columns=(age,), positive=None, extra="error", missing_target="error"))
    >>> decoder.decode({"age": 20.0}, index=0)
    {'age': 20}
    >>> decoder.decode({"age": "20"}, index=0)
    Traceback (most recent call last):
        ...
    engine.errors.DataError: records[0].age
      type integer: '20' is not
    """

    def __init__(self, schema: Schema, *, null_texts: Iterable[str] = ()) -> None:
        self._schema = schema
        self._null_texts = frozenset(null_texts)
        self._required = tuple((column.name, self._compile(column)) for column in schema.features)
        self._optional = {column.name: self._compile(column) for column in schema.ids}
        self._columns = {column.name: column for column in schema.columns}

    def decode(self, record: Mapping[str, object], *, index: int) -> dict[str, Cell]:
        """Return the record's values, each of its storage's Python type; None where one is missing.

        Parameters
        ----------
        record
            As a JSON decoder gives it: every feature must be there, a nullable one may be null.
        index
            Its place among the records of a request, for messages.

        Raises
        ------
        DataError
            With every mistake of the record, keyed `records[index].column`.
        """
        try:
            values = {name: read(record[name]) for name, read in self._required}
            if len(record) > len(values):
                for name in record.keys() - values.keys():
                    if name in self._optional:
                        values[name] = self._optional[name](record[name])
                    elif name not in self._columns and self._schema.extra == "error":
                        raise DataError(self._mistakes(record, index))
        except (KeyError, ValueError):
            raise DataError(self._mistakes(record, index)) from None
        return values

    def decode_all(self, records: Sequence[Mapping[str, object]]) -> list[dict[str, Cell]]:
        """Return the values of every record; all mistakes of all records come in one error.

        Raises
        ------
        DataError
            If any record breaks the contract.
        """
        decoded = []
        mistakes: list[Message] = []
        for index, record in enumerate(records):
            try:
                decoded.append(self.decode(record, index=index))
            except DataError as error:
                mistakes += error.messages
        if mistakes:
            raise DataError(mistakes)
        return decoded

    def _mistakes(self, record: Mapping[str, object], index: int) -> list[Message]:
        place = f"records[{index}]"
        strangers = [name for name in record if name not in self._columns]
        messages = []
        for column in (*self._schema.features, *self._schema.ids):
            if column.name not in record:
                if column.role == "feature":
                    messages.append(_missing(column, f"{place}.{column.name}", strangers))
                continue
            found = self._mistake(column, record[column.name], f"{place}.{column.name}")
            if found is not None:
                messages.append(found)
        if self._schema.extra == "error":
            absent = [name for name, _ in self._required if name not in record]
            known = tuple(column.name for column in (*self._schema.features, *self._schema.ids))
            messages += [
                Message(
                    "this field is not known",
                    f"{place}.{name}",
                    suggestion=nearest(name, absent),
                    allowed=known,
                )
                for name in strangers
            ]
        return messages

    def _compile(self, column: Column) -> _Read:
        read = _compile(column)
        if column.storage != "string" or not self._null_texts:
            return read
        null_texts = self._null_texts

        def read_text(given: object) -> Cell:
            return read(None if type(given) is str and given in null_texts else given)

        return read_text

    def _mistake(self, column: Column, value: object, key: str) -> Message | None:
        if column.storage == "string" and isinstance(value, str) and value in self._null_texts:
            what = f"nullable false: {_json(value)} means that there is no value"
            return None if column.nullable else Message(what, key)
        return _mistake(column, value, key)


def _missing(column: Column, key: str, strangers: Sequence[str]) -> Message:
    what = "this field is missing" + ("; write null where there is no value" if column.nullable else "")
    return Message(what, key, suggestion=nearest(column.name, strangers))


def _mistake(column: Column, value: object, key: str) -> Message | None:
    """Return what is wrong with a value, or None."""
    hidden = column.sensitive or column.pii
    if value is None:
        return None if column.nullable else Message("nullable false: the value is null", key)
    try:
        held = _reader_of(column)(value)
    except ValueError:
        not_finite = column.storage == "float64" and isinstance(value, float)
        asked = "finite" if not_finite else headline("type", expected_type(column))
        cure = "; true, false, 1 and 0 are booleans" if column.storage == "boolean" else ""
        return Message(f"{asked}: {'the value' if hidden else _json(value)} is not{cure}", key)
    for rule in rules_of(column):
        if rule.accepts is not None and not rule.accepts(held):
            shown = "the value" if hidden else show(value)
            near = "" if hidden or not isinstance(value, str) else nearest(value, rule.allowed)
            what = f"{headline(rule.name, rule.expected)}: {shown} {COMPLAINTS[rule.name][0]}"
            return Message(what, key, suggestion=near, allowed=rule.allowed)
    return None


def _compile(column: Column) -> _Read:
    """Return one function that reads, judges and gives a value of the column."""
    read = _reader_of(column)
    rules: tuple[Callable[[Value], bool], ...] = tuple(
        rule.accepts for rule in rules_of(column) if rule.accepts is not None and not _in_reader(rule)
    )
    nullable = column.nullable

    def checked(given: object) -> Cell:
        if given is None:
            if nullable:
                return None
            raise ValueError
        value = read(given)
        for accepts in rules:
            if not accepts(value):
                raise ValueError
        return value

    return checked


def _in_reader(rule: Rule) -> bool:
    """Tell whether reading a number already refuses what the rule refuses."""
    return rule.name == "finite"


def _number(given: object) -> float:
    kind = type(given)
    if kind is float or kind is int:
        try:
            value = float(given)  # type: ignore[arg-type]
        except OverflowError:
            raise ValueError from None
        if isfinite(value):
            return value
    raise ValueError


def _integer(given: object) -> int:
    kind = type(given)
    if kind is int or (kind is float and given.is_integer()):  # type: ignore[attr-defined]
        value: int = int(given)  # type: ignore[call-overload]
        if -_INT64 <= value < _INT64:
            return value
    raise ValueError


def _boolean(given: object) -> bool:
    if given is True or given is False:
        return given
    # As in a file: 1 and 0, whole or not, are booleans.
    if type(given) in (int, float) and given in (0, 1):
        return given == 1
    raise ValueError


def _string(given: object) -> str:
    if type(given) is str:
        return given
    raise ValueError


def _datetime(given: object, style: str | None) -> Value:
    if type(given) is str:
        moment = moment_of(given, style)
        if moment is not None:
            return moment
    raise ValueError


_READERS: Mapping[Storage, Callable[[object], Value]] = {
    "float64": _number,
    "int64": _integer,
    "boolean": _boolean,
    "string": _string,
}


def _reader_of(column: Column) -> Callable[[object], Value]:
    if column.storage == "datetime":
        return partial(_datetime, style=column.format)
    return _READERS[column.storage]


def _json(value: object) -> str:
    """Return a value of any kind as a message shows it; a text is quoted, so that "42" is not 42."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, int) and abs(value) >= _INT64:
        return "an integer beyond 64 bits"
    return show(repr(value) if isinstance(value, str) else value)

"""The exact way into a body of JSON: what stands around the rows, and rows given as columns.

The compiled way (`engine.data.compiled`) takes what is usual; this one judges everything else and says what
is wrong with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from engine.data.schema import Schema
from engine.deploy.refusal import RefusedError
from engine.errors import Message, nearest

_KEYS = ("records", "columns")
_SHAPE = 'the body must be an object: {"records": [...]} or {"columns": {...}}'
_PLACE = re.compile(r"records\[(\d+)\]\.(.*)", re.DOTALL)
_DECODER = msgspec.json.Decoder()


def read_json(body: bytes) -> Any:
    """Return the content of a body.

    Raises
    ------
    RefusedError
        If it is no JSON, holds what JSON has no word for, or nests too deeply.
    """
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise RefusedError.of(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {exc}") from None
    except RecursionError:
        raise RefusedError.of(HTTPStatus.BAD_REQUEST, "the body is nested too deeply") from None


def read_rows(body: bytes, *, schema: Schema, max_records: int) -> tuple[list[dict[str, object]], bool]:
    """Return the rows of a request, not judged yet, and whether they came as columns.

    Raises
    ------
    RefusedError
        If the body is no JSON, is not of the shape that is asked for, or holds too many rows.
    """
    content = read_json(body)
    if not isinstance(content, dict):
        raise _unprocessable(_SHAPE)
    unknown = [
        Message("this field is not known", key, suggestion=nearest(key, _KEYS), allowed=_KEYS)
        for key in content
        if key not in _KEYS
    ]
    if unknown:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, unknown)
    if content.keys() == set(_KEYS):
        raise _unprocessable("the rows stand in 'records' or in 'columns', not in both")
    if "columns" in content:
        return _from_columns(content["columns"], schema=schema, max_records=max_records), True
    return _records(content, max_records), False


def as_columns(messages: Sequence[Message]) -> list[Message]:
    """Return messages that name `records[2].age` as those of rows that came as columns: `columns.age[2]`."""
    return [
        Message(
            message.what,
            f"columns.{found[2]}[{found[1]}]" if (found := _PLACE.fullmatch(message.key)) else message.key,
            suggestion=message.suggestion,
            allowed=message.allowed,
        )
        for message in messages
    ]


def _records(content: Mapping[str, object], max_records: int) -> list[dict[str, object]]:
    """Return the records of `{"records": [...]}`, each of them an object."""
    records = content.get("records")
    if not isinstance(records, list):
        what = "this must be a list of objects" if "records" in content else "this field is missing"
        raise _unprocessable(what, key="records")
    require_few(len(records), max_records=max_records, key="records")
    wrong = [
        Message("a record must be an object of column names and values", f"records[{index}]")
        for index, record in enumerate(records)
        if not isinstance(record, dict)
    ]
    if wrong:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, wrong)
    return records


def require_few(n_records: int, *, max_records: int, key: str) -> None:
    """Refuse more rows than one request may have.

    Raises
    ------
    RefusedError
        If there are more.
    """
    if n_records > max_records:
        raise _unprocessable(
            f"{n_records} records are more than {max_records}, the most in one request", key=key
        )


def _from_columns(columns: object, *, schema: Schema, max_records: int) -> list[dict[str, object]]:
    if not isinstance(columns, dict):
        raise _unprocessable("this must be an object of column names and lists of values", key="columns")
    wrong = [
        Message("a column must be a list of values", f"columns.{name}")
        for name, values in columns.items()
        if not isinstance(values, list)
    ]
    missing = [column.name for column in schema.features if column.name not in columns]
    wrong += [
        Message("this column is missing", f"columns.{name}", suggestion=nearest(name, columns))
        for name in missing
    ]
    known = {column.name for column in schema.columns}
    if schema.extra == "error":
        wrong += [
            Message("this column is not known", f"columns.{name}", suggestion=nearest(name, missing))
            for name in columns
            if name not in known
        ]
    if wrong:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, wrong)
    lengths = {name: len(values) for name, values in columns.items()}
    n_records = next(iter(lengths.values()), 0)
    require_few(n_records, max_records=max_records, key="columns")
    uneven = [
        Message(f"{length} values, and the columns before have {n_records}", f"columns.{name}")
        for name, length in lengths.items()
        if length != n_records
    ]
    if uneven:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, uneven)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _unprocessable(what: str, *, key: str = "") -> RefusedError:
    return RefusedError.of(HTTPStatus.UNPROCESSABLE_ENTITY, what, key=key)

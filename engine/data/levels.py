"""Categories whose levels the training rows settle (`unseen: error`): others are refused, then and later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import polars as pl

from engine.data.schema import Column, Schema
from engine.data.split import Parts
from engine.data.table import Table
from engine.data.violation import N_SHOWN, counted, show
from engine.errors import DataError, Message


def check_levels(table: Table, parts: Parts) -> None:
    """Check that no row that validates or tests holds a level that no training row has.

    Raises
    ------
    DataError
        With a message for each such column and part.
    """
    wrong = [
        message
        for column in _settled(table.schema)
        for name, rows in (("validation", parts.validation), ("test", parts.test))
        for message in _unseen(table, column, train=parts.train, rows=rows, part=name)
    ]
    if wrong:
        raise DataError(wrong)


def settled(schema: Schema, train: pl.DataFrame) -> Schema:
    """Return the contract in which the training rows' levels are all that such columns may hold."""
    levels = {
        column.name: tuple(train[column.name].drop_nulls().unique().sort().to_list())
        for column in _settled(schema)
    }
    columns = tuple(
        replace(column, values=levels[column.name]) if column.name in levels else column
        for column in schema.columns
    )
    return replace(schema, columns=columns)


def _settled(schema: Schema) -> tuple[Column, ...]:
    return tuple(column for column in schema.features if column.unseen == "error")


def _unseen(
    table: Table, column: Column, *, train: np.ndarray, rows: np.ndarray, part: str
) -> Iterator[Message]:
    values = table.frame[column.name]
    held = values[rows]
    known = values[train].drop_nulls().unique().implode()
    new = (held.is_not_null() & ~held.is_in(known)).arg_true().to_numpy()
    if not len(new):
        return
    numbers = ", ".join(str(int(row) + 1) for row in table.places(rows[new[:N_SHOWN]]))
    hidden = column.sensitive or column.pii
    shown = "" if hidden else ": " + ", ".join(show(value) for value in held[new[:N_SHOWN]])
    n_rows = counted(len(new), f"{part} row")
    what = f"unseen error: {n_rows} of a level that no training row has (rows {numbers}{shown})"
    yield Message(what, column.name, try_=f"schema.columns.{column.name}.unseen: other, or null")

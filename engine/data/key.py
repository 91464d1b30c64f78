"""Rows in the order of their key, so that the order in which a file has them changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from engine.data.violation import N_SHOWN, Violation, counted, to_error
from engine.errors import DataError

if TYPE_CHECKING:
    from engine.data.table import Table


def by_key(table: Table, *, shown: str) -> Table:
    """Return a table with its rows sorted by the key of its schema; as it is where none is declared.

    Parameters
    ----------
    shown
        The file's name in messages.

    Raises
    ------
    DataError
        If the key is null somewhere, or names a row twice.
    """
    names = list(table.schema.key)
    if not names:
        return table
    _require_key(table, names, shown=shown)
    order = table.frame.select(names).with_row_index("").sort(names)[""].to_numpy().astype(np.int64)
    return replace(table, frame=table.frame[order], kept=table.places(order))


def _require_key(table: Table, names: list[str], *, shown: str) -> None:
    wrong = []
    for name in names:
        nulls = table.frame[name].is_null().arg_true().to_numpy()
        if len(nulls):
            wrong.append(Violation(name, "nullable", len(nulls), _first(table, nulls), (), "false"))
    if wrong:
        raise to_error(wrong, file=shown)
    twice = table.frame.select(names).is_duplicated().arg_true().to_numpy()
    if len(twice):
        rows = ", ".join(map(str, _first(table, twice)))
        key = "', '".join(names)
        what = f"'{key}' names each row once: {counted(len(twice), 'row')} share theirs (rows {rows})"
        raise DataError.of(what, key="schema.key", file=shown)


def _first(table: Table, rows: np.ndarray) -> tuple[int, ...]:
    return tuple(int(row) + 1 for row in table.places(rows[:N_SHOWN]))

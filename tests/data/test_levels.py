"""Categories whose levels the training rows settle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.data.levels import check_levels, settled
from engine.data.schema import Column, Schema
from engine.data.split import Parts
from engine.data.table import Source, Table
from engine.errors import DataError

CITY = Column("city", "category", "feature", "string", nullable=True, unseen="error")
CODE = Column("code", "category", "feature", "int64", unseen="error")
FREE = Column("free", "category", "feature", "string")
FRAME = pl.DataFrame(
    {
        "city": ["b", "a", None, "c", "a", "d"],
        "code": [2, 1, 2, 1, 1, 2],
        "free": ["p", "q", "r", "s", "t", "u"],
    }
)
PARTS = Parts(np.array([0, 1, 2]), np.array([3]), np.array([4, 5]))


def table_of(*columns: Column) -> Table:
    """Return the table with some columns declared."""
    return Table(FRAME, Schema(columns, None, "error", "error"), Source("t.csv", "csv", 0, ""))


@pytest.mark.parametrize(
    ("city", "text"),
    [
        (
            CITY,
            "city\n  unseen error: 1 validation row of a level that no training row has (rows 4: c)\n"
            "  try: schema.columns.city.unseen: other, or null\n"
            "\n"
            "city\n  unseen error: 1 test row of a level that no training row has (rows 6: d)\n"
            "  try: schema.columns.city.unseen: other, or null",
        ),
        (
            replace(CITY, pii=True),
            "city\n  unseen error: 1 validation row of a level that no training row has (rows 4)\n"
            "  try: schema.columns.city.unseen: other, or null\n"
            "\n"
            "city\n  unseen error: 1 test row of a level that no training row has (rows 6)\n"
            "  try: schema.columns.city.unseen: other, or null",
        ),
    ],
)
def test_a_level_that_training_lacks_is_refused(city: Column, text: str) -> None:
    """Rows of other parts with other levels are named; personal values are not shown."""
    with pytest.raises(DataError) as caught:
        check_levels(table_of(city, CODE, FREE), PARTS)
    assert str(caught.value) == text


def test_levels_that_training_has_are_no_error() -> None:
    """A column whose levels training has, one that says nothing of the unseen, and a null are in order."""
    check_levels(table_of(CODE, FREE), PARTS)


def test_the_training_rows_levels_become_the_contract() -> None:
    """The bundle's schema allows these levels and no other, in the type that the column is held in."""
    schema = settled(table_of(CITY, CODE, FREE).schema, FRAME[:3])
    assert [column.values for column in schema.columns] == [("a", "b"), (1, 2), None]

"""What enters the deployed graph."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column
from engine.features.feed import NULL, feed, feed_records

NUMBER = Column("number", "number", "feature", "float64", nullable=True)
INTEGER = Column("integer", "integer", "feature", "int64", nullable=True)
BOOLEAN = Column("boolean", "boolean", "feature", "boolean", nullable=True)
WHEN = Column("when", "datetime", "feature", "datetime", nullable=True)
TEXT = Column("text", "category", "feature", "string", nullable=True)
CODE = Column("code", "category", "feature", "int64", nullable=True)
FLAG = Column("flag", "category", "feature", "boolean", nullable=True)
COLUMNS = (NUMBER, INTEGER, BOOLEAN, WHEN, TEXT, CODE, FLAG)
DTYPES = {
    "number": pl.Float64,
    "integer": pl.Int64,
    "boolean": pl.Boolean,
    "when": pl.Datetime("us"),
    "text": pl.String,
    "code": pl.Int64,
    "flag": pl.Boolean,
}
FULL = {
    "number": 1.5,
    "integer": -3,
    "boolean": True,
    "when": datetime(1970, 1, 2, 0, 0, 1),  # noqa: DTZ001
    "text": "é",
    "code": -7,
    "flag": False,
}
EMPTY = dict.fromkeys(DTYPES)


def same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> bool:
    """Say whether two sets of inputs are equal in names, order, shapes, types and values."""
    return list(left) == list(right) and all(
        array.dtype == right[name].dtype
        and np.array_equal(array, right[name], equal_nan=array.dtype != np.dtype(object))
        for name, array in left.items()
    )


def test_each_kind_of_column_enters_as_double_or_text() -> None:
    """Numbers, integers, booleans and datetimes become doubles, categories of every storage text."""
    inputs = feed(pl.DataFrame([FULL, EMPTY], schema=DTYPES), columns=COLUMNS)
    assert {name: array.ravel().tolist() for name, array in inputs.items()} == {
        "number": [1.5, pytest.approx(np.nan, nan_ok=True)],
        "integer": [-3.0, pytest.approx(np.nan, nan_ok=True)],
        "boolean": [1.0, pytest.approx(np.nan, nan_ok=True)],
        "when": [86401.0, pytest.approx(np.nan, nan_ok=True)],
        "text": ["é", NULL],
        "code": ["-7", NULL],
        "flag": ["false", NULL],
    }
    assert {array.shape for array in inputs.values()} == {(2, 1)}


@pytest.mark.parametrize(
    ("when", "seconds"),
    [
        (datetime(1969, 12, 31, 23, 59, 59, 999999), -1.0),  # noqa: DTZ001
        (datetime(1970, 1, 1, 0, 0, 0, 999999), 0.0),  # noqa: DTZ001
        (datetime(9999, 12, 31, 23, 59, 59, 999999), 253402300799.0),  # noqa: DTZ001
        (datetime(1, 1, 1), -62135596800.0),  # noqa: DTZ001
        (datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1767225600.0),
        (datetime(2026, 1, 1, tzinfo=UTC), 1767225600.0),
    ],
)
def test_datetimes_are_whole_seconds_rounded_down(when: datetime, seconds: float) -> None:
    """A datetime is its whole second since 1970 UTC, rounded down, in frames and in records."""
    assert feed_records([{"when": when}], columns=(WHEN,))["when"].tolist() == [[seconds]]
    naive = when.astimezone(UTC).replace(tzinfo=None) if when.tzinfo else when
    frame = pl.DataFrame({"when": [naive]}, schema={"when": pl.Datetime("us")})
    assert feed(frame, columns=(WHEN,))["when"].tolist() == [[seconds]]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "number": st.none() | st.floats(allow_nan=False),
                "integer": st.none() | st.integers(-(2**63), 2**63 - 1),
                "boolean": st.none() | st.booleans(),
                "when": st.none() | st.datetimes(),
                "text": st.none() | st.text(st.characters(exclude_categories=["Cs"])),
                "code": st.none() | st.integers(-(2**63), 2**63 - 1),
                "flag": st.none() | st.booleans(),
            }
        ),
        max_size=5,
    )
)
def test_records_feed_what_the_frame_of_them_feeds(records: list[dict[str, object]]) -> None:
    """Records and the frame of the same rows give equal inputs, of no row, few and many."""
    frame = pl.DataFrame(records, schema=DTYPES)
    assert same(feed_records(records, columns=COLUMNS), feed(frame, columns=COLUMNS))
    many = pl.concat([frame] * 20)
    assert same(feed_records(records * 20, columns=COLUMNS), feed(many, columns=COLUMNS))


def test_a_datetime_beyond_pythons_calendar_is_fed() -> None:
    """The year 30,000 is fed from a frame of one row as from one of many."""
    frame = pl.DataFrame({"when": pl.Series([884_541_340_800_000_000]).cast(pl.Datetime("us"))})
    assert feed(frame, columns=(WHEN,))["when"].tolist() == [[884_541_340_800.0]]
    many = pl.concat([frame] * 20)
    assert feed(many, columns=(WHEN,))["when"].tolist() == [[884_541_340_800.0]] * 20


def test_a_key_that_a_record_lacks_is_a_null() -> None:
    """A record without a key feeds what a null feeds."""
    assert same(feed_records([{}], columns=COLUMNS), feed_records([EMPTY], columns=COLUMNS))

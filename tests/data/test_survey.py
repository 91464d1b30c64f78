"""What stands in each column, counted in one pass."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column
from engine.data.storage import hold
from engine.data.survey import Facts, survey
from engine.errors import DataError

TEXTS = st.sampled_from(
    [
        "1",
        "2",
        "007",
        "1.5",
        "1,5",
        "1.234,5",
        "1e3",
        "+4",
        "-0",
        "true",
        "x",
        "NA",
        "?",
        " ",
        " 3",
        "2020-01-31",
    ]
)


def day(number: int) -> datetime:
    """Return a day of January 2020."""
    return datetime.fromisoformat(f"2020-01-{number:02d}")


def surveyed(*values: str | None) -> Facts:
    """Return the facts of one column of text."""
    return survey(["c"], [pl.DataFrame({"c": values}, schema={"c": pl.String})], from_text=True)[0]


def test_counts_by_hand() -> None:
    """Each value is counted by what it reads as; null words and empty fields apart."""
    facts = surveyed("1", "2", "2", "007", "1.5", " 3", "1,5", None, "", "NA", " ? ", "2020-01-31", "x y")
    assert (facts.n_rows, facts.n_null, facts.words) == (13, 2, {"NA": 1, " ? ": 1})
    assert (facts.n_present, facts.n_distinct) == (9, 8)
    counted = {name: n for name, n in facts.counts.items() if n}
    assert counted == {
        "integer": 4, "zero_led": 1, "dotted": 1, "commaed": 1, "iso": 1, "dated": 1, "decorated": 7,
        "edged": 1, "phone": 1,
    }  # fmt: skip
    assert facts.values[0] == ("2", 2)
    assert facts.dot == (1.0, 7.0)
    assert facts.comma == (1.0, 7.0)
    assert facts.moments == (day(31), day(31))


@settings(deadline=None, max_examples=100)
@given(st.lists(TEXTS | st.none(), min_size=1, max_size=30), st.integers(1, 7))
def test_blocks_change_nothing(values: list[str | None], size: int) -> None:
    """A file gives the same facts however it is cut into blocks."""
    frame = pl.DataFrame({"c": values}, schema={"c": pl.String})
    whole = survey(["c"], [frame], from_text=True)
    assert survey(["c"], frame.iter_slices(size), from_text=True) == whole


@settings(deadline=None, max_examples=200)
@given(st.lists(TEXTS, min_size=1, max_size=6), st.sampled_from([".", ","]))
def test_a_number_is_what_the_reader_holds(values: list[str], decimal: str) -> None:
    """A column that counts as numbers is held by the reader without a refusal, and no other is."""
    facts = surveyed(*values)
    fraction = "dotted" if decimal == "." else "commaed"
    read = facts.counts["integer"] + facts.counts["zero_led"] + facts.counts[fraction]
    frame = pl.DataFrame({"c": values}, schema={"c": pl.String})
    held = hold(frame, (Column("c", "number", "feature", "float64"),), decimal=decimal)  # type: ignore[arg-type]
    assert (read == len(values)) == (not held.refused)


@pytest.mark.parametrize(
    ("values", "sequence", "is_sorted"),
    [
        (["0", "1", "2", "3"], True, True),
        (["1", "3", "4.5", "5"], False, True),
        (["1", "3", "2", "5"], False, False),
        (["1", "2", None, "4"], False, False),
        (["2020-01-01", "2020-01-01", "2020-01-02", "2021-01-01"], False, True),
        (["2020-01-02", "2020-01-01", "2020-01-03", "2021-01-01"], False, False),
        (["2020-01-01", "2020-01-02", None, "2021-01-01"], False, False),
    ],
)
def test_order_is_seen_across_blocks(values: list[str | None], *, sequence: bool, is_sorted: bool) -> None:
    """Counting up by one, and never going back, hold from row to row, also where a block ends."""
    frame = pl.DataFrame({"c": values}, schema={"c": pl.String})
    for size in (1, 2, 4):
        (facts,) = survey(["c"], frame.iter_slices(size), from_text=True)
        assert (facts.is_sequence, facts.is_sorted) == (sequence, is_sorted)


def test_a_date_beyond_pythons_years_is_refused_with_its_row() -> None:
    """Rows are counted over blocks; the day before is still one that Python knows."""
    blocks = [pl.DataFrame({"day": days}) for days in (far_days(2_932_896), far_days(0, 2_932_897))]
    with pytest.raises(DataError, match=r"1 row is not \(row 3\); dates beyond the years 1 to 9999"):
        survey(["day"], blocks, from_text=False)
    (facts,) = survey(["day"], blocks[:1], from_text=False)
    assert facts.moments == (datetime(9999, 12, 31),) * 2  # noqa: DTZ001 - held without a zone


def far_days(*numbers: int) -> pl.Series:
    """Return days by their number after the first of 1970."""
    return pl.Series(numbers, dtype=pl.Int32).cast(pl.Date)


def test_typed_columns_keep_their_kind() -> None:
    """Of Parquet, types are the file's: NaN is null, infinity is counted, an empty text is a value."""
    frame = pl.DataFrame(
        {
            "n": [1.0, float("nan"), float("inf"), None],
            "t": ["", "NA", "x", None],
            "i": [5, 6, 7, 8],
            "l": [[1], [2], [3], None],
            "d": [day(1), day(2), day(3), day(4)],
        }
    )
    n, t, i, l, d = survey(frame.columns, [frame], from_text=False)  # noqa: E741 (the columns' names)
    assert (n.kind, n.n_null, n.n_infinite, n.n_present, n.dot) == ("number", 2, 1, 1, (1.0, 1.0))
    assert (t.kind, t.n_null, t.words, t.n_present) == ("text", 1, {}, 3)
    assert (i.kind, i.is_sequence, i.dot) == ("integer", True, (5.0, 8.0))
    assert (l.kind, l.n_present) == ("other", 3)
    assert (d.kind, d.is_sorted, d.moments) == (
        "datetime",
        True,
        (day(1), day(4)),
    )

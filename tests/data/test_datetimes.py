"""ISO 8601, read alike from one text and from a column of texts."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.datetimes import ISO, moments_of, parse, parse_column


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-01-31", "2020-01-31T00:00:00"),
        ("2020-01-31 10:20", "2020-01-31T10:20:00"),
        ("2020-01-31T10:20:30", "2020-01-31T10:20:30"),
        ("2020-01-31 10:20:30.5", "2020-01-31T10:20:30.500000"),
        ("2020-01-31 10:20:30.123456789", "2020-01-31T10:20:30.123456"),
        ("2020-01-31T10:20:30Z", "2020-01-31T10:20:30"),
        ("2020-01-31T10:20:30+02:00", "2020-01-31T08:20:30"),
        ("2020-01-31T10:20-0530", "2020-01-31T15:50:00"),
        ("2020-03", "2020-03-01T00:00:00"),
        ("2020-13", None),
        ("2020-02-30", None),
        ("31/01/2020", None),
        ("2020-1-31", None),
        ("20200131", None),
        ("2020-W05", None),
        ("0000-01-01", None),
        ("-020-01-01", None),
        ("2020-01-31T24:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("2020-01-31\n", None),
        ("", None),
        ("noon", None),
    ],
)
def test_only_iso_8601_is_read(text: str, moment: str | None) -> None:
    """Dates, times and offsets of ISO 8601 are read as UTC; everything else is refused."""
    expected = None if moment is None else datetime.fromisoformat(moment)
    assert parse(text) == expected
    assert parse_column(pl.Series("t", [text, None])).to_list() == [expected, None]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.none(), st.from_regex(ISO, fullmatch=True), st.text(max_size=12)), max_size=8))
def test_a_column_is_read_like_its_texts(texts: list[str | None]) -> None:
    """Reading a column gives what reading each text gives."""
    column = parse_column(pl.Series("t", texts, dtype=pl.String))
    assert column.dtype == pl.Datetime("us")
    assert column.to_list() == [None if text is None else parse(text) for text in texts]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.datetimes(), min_size=1, max_size=8),
    st.sampled_from(["%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S"]),
)
def test_a_column_of_one_style_is_read_exactly(moments: list[datetime], style: str) -> None:
    """Columns of one style, which take the fast way, give what Python reads."""
    texts = [moment.replace(tzinfo=UTC).strftime(style) for moment in moments if moment.year > 999]
    expected = [datetime.strptime(text, style).replace(tzinfo=UTC).replace(tzinfo=None) for text in texts]
    assert parse_column(pl.Series("t", texts, dtype=pl.String)).to_list() == expected


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.builds(
            "{}{}{}".format,
            st.sampled_from(["2020-01-31T10:20:30", "2020-01-31 10:20:30", "2021-02-29T00:00:59"]),
            st.sampled_from(["", ".0", ".25", ".1234", ".123456", ".123456789"]),
            st.sampled_from(["", "Z", "+0200", "-05:30"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_texts_of_the_length_of_the_first_are_told_from_each_other(texts: list[str]) -> None:
    """A fraction, a Z and an offset of as many characters are not taken for one another."""
    moments = [parse(text) for text in texts]
    assert parse_column(pl.Series("t", texts)).to_list() == moments
    if moments[0] is not None:
        alike = pl.select(moments_of(pl.lit(pl.Series(texts)), like=texts[0])).to_series().to_list()
        assert [found for found in alike if found is not None] == [
            moment for found, moment in zip(alike, moments, strict=True) if found is not None
        ]

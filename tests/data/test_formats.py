"""Declared formats of dates: read alike from one text and from a column of texts, in files and in requests."""

from __future__ import annotations

from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.data.compiled import Compiled
from engine.data.formats import Format, moment_of, moments_of, usual, wrong_with
from engine.data.records import Decoder
from engine.data.schema import Column, Schema

STYLES = [*usual(), "%Y%m%d", "%d%b%y", "%Y%m%d %H%M", "%d/%m/%Y um %H.%M", "%B %d, %Y", "<%d> (%m) [%Y]"]


@pytest.mark.parametrize(
    ("style", "text", "moment"),
    [
        ("%d.%m.%Y", "8.9.2011", "2011-09-08T00:00:00"),
        ("%d.%m.%Y", "08.09.11", None),
        ("%d.%m.%Y", "31.02.2011", None),
        ("%d.%m.%Y", "08.09.0000", None),
        ("%d.%m.%Y", " 8.9.2011", None),
        ("%d.%m.%Y", "2011-09-08", "2011-09-08T00:00:00"),
        ("%d/%m/%y", "1/2/69", "1969-02-01T00:00:00"),
        ("%d/%m/%y", "1/2/68", "2068-02-01T00:00:00"),
        ("%m/%d/%Y %H:%M", "12/1/2010 8:26", "2010-12-01T08:26:00"),
        ("%m/%d/%Y %H:%M", "12/1/2010 24:00", None),
        ("%m/%d/%Y %I:%M %p", "1/2/2011 12:00 am", "2011-01-02T00:00:00"),
        ("%d %b %Y", "1 JAN 2011", "2011-01-01T00:00:00"),
        ("%Y%m%d", "2011012", None),
    ],
)
def test_what_is_read(style: str, text: str, moment: str | None) -> None:
    """A text is read exactly as declared, or as ISO 8601; alone and in a column."""
    expected = None if moment is None else datetime.fromisoformat(moment)
    assert moment_of(text, style) == expected
    assert moments_of(pl.Series([text, None]), style).to_list() == [expected, None]


@given(st.data())
def test_one_text_and_a_column_are_read_alike(data: st.DataObject) -> None:
    """What Python reads polars reads, and nothing else, also of texts that are nearly dates."""
    style = data.draw(st.sampled_from(STYLES))
    moments = st.datetimes(datetime.fromisoformat("1000-01-01")).map(lambda moment: moment.strftime(style))
    odd = st.tuples(moments, st.integers(0, 30), st.sampled_from("0179 ./-:+aApP"))
    spoilt = odd.map(lambda drawn: drawn[0][: drawn[1]] + drawn[2] + drawn[0][drawn[1] + 1 :])
    texts = data.draw(st.lists(moments | spoilt | moments.map(str.lower), min_size=1, max_size=8))
    one = Format(style)
    assert one.parse_column(pl.Series("x", texts)).to_list() == [one.parse(text) for text in texts]


@pytest.mark.parametrize("style", STYLES)
def test_the_usual_can_be_declared(style: str) -> None:
    """What `engine init` finds, the recipe takes."""
    assert wrong_with(style) is None


@pytest.mark.parametrize(
    "style", ["", "%d.%m", "%d.%m.%Y %q", "%d %d %m %Y", "%d.%m.%Y %I:%M", "%Y-%d-%m", "100%"]
)
def test_what_can_not_be_declared(style: str) -> None:
    """A format that names no day, or that two would read differently, is refused with the reason."""
    assert wrong_with(style)


def test_a_request_is_read_as_the_file() -> None:
    """The service takes a date as its column declares, and as ISO 8601 has it, by both of its readers."""
    day = Column(name="day", type="datetime", role="feature", storage="datetime", format="%d.%m.%Y")
    schema = Schema(columns=(day,), positive=None, extra="error", missing_target="error")
    moment = datetime.fromisoformat("2011-09-08")
    compiled = Compiled(schema, max_records=10)
    for text in ("08.09.2011", "2011-09-08"):
        assert Decoder(schema).decode({"day": text}, index=0) == {"day": moment}
        assert compiled.decode(f'{{"records": [{{"day": "{text}"}}]}}'.encode()) == (
            1,
            {"day": [moment]},
        )
    assert compiled.decode(b'{"records": [{"day": "09/08/2011"}]}') is None

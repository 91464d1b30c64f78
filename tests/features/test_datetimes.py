"""Parts of datetimes."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column
from engine.features.datetimes import PARTS, part_of, write_parts
from engine.features.feed import feed

WHEN = Column("when", "datetime", "feature", "datetime", nullable=True)


def in_polars(values: pl.Series) -> np.ndarray:
    """Return the parts by polars, shape (n, parts)."""
    frame = values.alias("when").to_frame()
    return frame.select(part_of(WHEN, part).alias(part) for part in PARTS).to_numpy()


def in_graph(values: pl.Series, evaluate) -> np.ndarray:  # noqa: ANN001
    """Return the parts by the graph, shape (n, parts)."""

    def write(graph):  # noqa: ANN001, ANN202
        parts = write_parts(graph, graph.input("when", np.float64), PARTS)
        return graph.node("Concat", [parts[part] for part in PARTS], axis=1)

    answer: np.ndarray = evaluate(write, feed(values.alias("when").to_frame(), columns=(WHEN,)))
    return answer


def by_python(when: datetime) -> list[float]:
    """Return the parts by Python's calendar."""
    second = when.replace(microsecond=0)
    days = (second - datetime(1970, 1, 1)) / timedelta(days=1)  # noqa: DTZ001
    year_day = second.timetuple().tm_yday
    return [second.year, second.month, second.day, second.isoweekday(), second.hour, year_day, days]


@pytest.mark.parametrize(
    "when",
    [
        "1970-01-01T00:00:00.000000",
        "1969-12-31T23:59:59.999999",
        "1900-02-28T23:59:59.999999",
        "1900-03-01T00:00:00.000000",
        "1904-02-29T12:00:00.000000",
        "2000-02-29T23:00:00.000001",
        "2000-12-31T23:59:59.999999",
        "2024-12-31T00:00:00.000000",
        "2100-02-28T23:59:59.999999",
        "2100-03-01T00:00:00.000000",
        "0001-01-01T00:00:00.000000",
        "9999-12-31T23:59:59.999999",
    ],
)
def test_parts_at_the_edges_of_the_calendar(when: str, evaluate) -> None:  # noqa: ANN001
    """On leap days, century ends and both ends of Python's calendar all three calendars agree."""
    value = datetime.fromisoformat(when)
    values = pl.Series([value], dtype=pl.Datetime("us"))
    assert in_polars(values)[0].tolist() == pytest.approx(by_python(value), rel=1e-15)
    np.testing.assert_array_equal(in_graph(values, evaluate), in_polars(values))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.datetimes(), min_size=1, max_size=20))
def test_parts_equal_pythons_calendar(evaluate, moments: list[datetime]) -> None:  # noqa: ANN001
    """Polars, the graph and Python agree on any datetime."""
    values = pl.Series(moments, dtype=pl.Datetime("us"))
    expected = np.array([by_python(moment) for moment in moments])
    np.testing.assert_allclose(in_polars(values), expected, rtol=1e-15)
    np.testing.assert_array_equal(in_graph(values, evaluate), in_polars(values))


def test_the_graph_has_polars_calendar_far_beyond_pythons(evaluate) -> None:  # noqa: ANN001
    """The two agree bit for bit on a day in every 97 of 60,000 years, before year 1 too, and on null."""
    microseconds = np.arange(-11_000_000, 11_000_000, 97, dtype=np.int64) * 86_400_000_000
    microseconds += np.arange(len(microseconds)) * 7_654_321_987 % 86_400_000_000
    values = pl.concat([pl.Series(microseconds), pl.Series([None], dtype=pl.Int64)]).cast(pl.Datetime("us"))
    np.testing.assert_array_equal(in_graph(values, evaluate), in_polars(values))
    assert np.isnan(in_polars(values)[-1]).all()


def test_only_the_parts_asked_for_are_written(evaluate) -> None:  # noqa: ANN001
    """Asking for the weekday gives the weekday: 2026-11-01 is a Sunday."""
    frame = pl.DataFrame({"when": [datetime(2026, 11, 1)]}, schema={"when": pl.Datetime("us")})  # noqa: DTZ001
    answer = evaluate(
        lambda graph: write_parts(graph, graph.input("when", np.float64), ["weekday"])["weekday"],
        feed(frame, columns=(WHEN,)),
    )
    assert answer.tolist() == [[7.0]]

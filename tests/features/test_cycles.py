"""Parts of datetimes that come round again."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column, Schema
from engine.features.cycles import ROUNDS, fit_cyclic
from engine.features.feed import feed
from engine.features.needs import Needs
from engine.features.prepare import prepare

WHEN = Column("when", "datetime", "feature", "datetime", nullable=True, encode="cyclic")
SIZE = Column("size", "number", "feature", "float64", nullable=True)
SCHEMA = Schema((WHEN, SIZE), None, "error", "error")
KEEP = Needs(categories="native", missing="ok", scale=False, max_categories=None)
FILL = Needs(categories="onehot", missing="impute", scale=True, max_categories=None)


@settings(deadline=None, max_examples=40)
@given(moments=st.lists(st.none() | st.datetimes(), max_size=20), needs=st.sampled_from([KEEP, FILL]))
def test_the_graph_gives_the_matrix_bit_for_bit(
    evaluate,  # noqa: ANN001
    moments: list[datetime | None],
    needs: Needs,
) -> None:
    """Sines and cosines, beside the parts that stay numbers, agree in every bit, missing ones too."""
    schema = {"when": pl.Datetime("us"), "size": pl.Float64}
    frame = pl.DataFrame({"when": moments, "size": [1.0] * len(moments)}, schema=schema)
    preparation = prepare(frame, schema=SCHEMA, needs=needs)
    new = pl.concat([frame, pl.DataFrame({"when": [None], "size": [None]}, schema=schema)])
    matrix = preparation.transform(new)
    assert matrix.shape == (new.height, len(preparation.feature_names))
    found = evaluate(preparation.write, feed(new, columns=preparation.inputs))
    np.testing.assert_array_equal(found, matrix)


@pytest.mark.parametrize(
    ("part", "when", "turn"),
    [
        ("month", "2026-01-15", 0.0),
        ("month", "2026-04-15", 0.25),
        ("weekday", "2026-11-02", 0.0),
        ("hour", "2026-11-02T06:59", 0.25),
        ("hour", "2026-11-02T18:00", 0.75),
        ("day_of_year", "2024-12-31", 365 / 366),
    ],
)
def test_a_part_is_where_it_is_in_its_round(part: str, when: str, turn: float) -> None:
    """January, Monday and midnight stand at the top, and the round goes on from there."""
    frame = pl.DataFrame({"when": [datetime.fromisoformat(when)]}, schema={"when": pl.Datetime("us")})
    cyclic = fit_cyclic(WHEN, part, needs=KEEP)
    found = frame.select(e.alias(str(at)) for at, e in enumerate(cyclic.expressions())).row(0)
    assert found == pytest.approx((np.sin(2 * np.pi * turn), np.cos(2 * np.pi * turn)), abs=1e-12)


def test_what_does_not_come_round_stays_a_number() -> None:
    """Year, day of the month and time since 1970 are numbers; parts that do not vary are left out."""
    moments = [datetime(2026, 1, 1, 3), datetime(2025, 6, 2, 3)]  # noqa: DTZ001 (columns hold UTC)
    frame = pl.DataFrame({"when": moments, "size": [1.0, 2.0]}, schema_overrides={"when": pl.Datetime("us")})
    names = prepare(frame, schema=SCHEMA, needs=KEEP).feature_names
    assert [name for name in names if name.endswith(("sin", "cos"))] == [
        f"when.{part} {function}" for part in ROUNDS if part != "hour" for function in ("sin", "cos")
    ]
    assert [name for name in names if not name.endswith(("sin", "cos"))] == [
        "when.year", "when.day", "when.days", "size",
    ]  # fmt: skip

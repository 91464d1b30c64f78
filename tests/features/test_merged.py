"""A preparation fitted on blocks equals the one that is fitted on all rows at once."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column, Schema
from engine.errors import DataError
from engine.features import merged
from engine.features.merged import prepare_streamed
from engine.features.needs import Needs
from engine.features.prepare import prepare

LINEAR = Needs(categories="onehot", missing="impute", scale=True, max_categories=3)
TREES = Needs(categories="native", missing="ok", scale=False, max_categories=None)
SCHEMA = Schema(
    (
        Column("a", "number", "feature", "float64"),
        Column("b", "integer", "feature", "int64", nullable=True),
        Column("c", "category", "feature", "string", nullable=True),
        Column("d", "datetime", "feature", "datetime"),
        Column("e", "category", "feature", "int64", rare=20, unseen="other"),
        Column("f", "number", "feature", "float64", scale="minmax"),
        Column("g", "number", "feature", "float64", scale="quantile"),
        Column("h", "boolean", "feature", "boolean", nullable=True),
        Column("i", "number", "feature", "float64"),
    ),
    None,
    "error",
    missing_target="error",
)


def rows(n: int = 3000) -> pl.DataFrame:
    """Return rows with gaps, rare levels, a far mean, and a column that is the same everywhere."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "a": 1e9 + rng.normal(size=n),
            "b": pl.Series(rng.integers(0, 50, n)).set(pl.Series(rng.random(n) < 0.2), None),
            "c": pl.Series(rng.choice(list("uvwxyz"), n)).set(pl.Series(rng.random(n) < 0.1), None),
            "d": pl.Series(rng.integers(0, 10**15, n)).cast(pl.Datetime("us")),
            "e": rng.geometric(0.3, n),
            "f": rng.normal(size=n),
            "g": rng.lognormal(size=n),
            "h": pl.Series(rng.random(n) < 0.7).set(pl.Series(rng.random(n) < 0.1), None),
            "i": np.full(n, 3.0),
        }
    )


@pytest.mark.parametrize("needs", [LINEAR, TREES], ids=["linear", "trees"])
def test_blocks_give_what_all_rows_give(needs: Needs) -> None:
    """Where the sample is all rows, names are equal and every value of the matrix to 1e-12."""
    frame = rows()
    blocks = [frame.slice(at, 700) for at in range(0, frame.height, 700)]
    found = prepare_streamed(blocks, frame, schema=SCHEMA, needs=needs)
    whole = prepare(frame, schema=SCHEMA, needs=needs)
    assert found.feature_names == whole.feature_names
    np.testing.assert_allclose(found.transform(frame), whole.transform(frame), rtol=1e-9, atol=1e-6)


def test_what_adds_up_is_of_all_rows_and_not_of_the_sample() -> None:
    """Of ten rows in memory the levels, means and ranges are those of the three thousand."""
    frame = rows()
    found = prepare_streamed([frame[:1700], frame[1700:]], frame.head(10), schema=SCHEMA, needs=LINEAR)
    whole = prepare(frame, schema=SCHEMA, needs=LINEAR)
    for name in ("c=u", "e=1", "f", "i"):
        assert name in whole.feature_names
        column = found.transform(frame)[:, found.feature_names.index(name)]
        np.testing.assert_allclose(
            column, whole.transform(frame)[:, whole.feature_names.index(name)], atol=1e-9
        )


def test_too_many_levels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels are counted in memory, and there is an end to that."""
    monkeypatch.setattr(merged, "_MOST_LEVELS", 5)
    with pytest.raises(DataError) as error:
        prepare_streamed([rows()], rows(), schema=SCHEMA, needs=TREES)
    assert error.value.messages[0].what == "it has more than 5 levels, which are counted in memory"
    assert error.value.messages[0].key == "c"

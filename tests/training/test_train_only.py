"""What is fitted is fitted on training rows alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.data.parts import PartData
from engine.data.schema import Column, Schema
from engine.names import FAMILIES
from engine.recipe.spec_model import ModelSpec
from engine.tasks.task import Target
from engine.training.fit import prepare_rows

COLUMNS = (
    Column("a", "number", "feature", "float64"),
    Column("b", "number", "feature", "float64", nullable=True),
    Column("c", "category", "feature", "string", nullable=True),
    Column("d", "datetime", "feature", "datetime"),
    Column("e", "category", "feature", "string", encode="target"),
    Column("f", "number", "feature", "float64", scale="quantile"),
    Column("g", "number", "feature", "float64", scale="log"),
    Column("y", "number", "target", "float64"),
)
SCHEMA = Schema(COLUMNS, None, "error", "error")
TARGET = Target("y", "continuous")


def part(n: int, seed: int, *, strange: bool = False) -> PartData:
    """Return n rows; strange ones have other levels, other numbers and gaps where others have none."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "a": rng.normal(size=n) + 1000 * strange,
            "b": pl.Series(rng.normal(size=n)).set(pl.Series(rng.random(n) < 0.2 + 0.7 * strange), None),
            "c": rng.choice(["p", "q"] if strange else ["x", "y", "z"], n),
            "d": pl.Series(rng.integers(0, 10**15 if strange else 10**13, n)).cast(pl.Datetime("us")),
            "e": rng.choice(["x", "q"] if strange else ["x", "y"], n),
            "f": rng.normal(size=n) * (100 if strange else 1),
            "g": rng.lognormal(size=n) * (100 if strange else 1),
            "y": rng.normal(size=n),
        }
    )
    return PartData(frame, frame["y"].to_numpy(), None)


@pytest.mark.parametrize("family", sorted(set(FAMILIES.names()) - {"sklearn"}))
def test_statistics_are_those_of_training_rows_alone(family: str) -> None:
    """Whatever validation rows hold, the preparation equals the one that never met any; training rows too."""
    model = ModelSpec(family=family)
    train = part(300, seed=0)
    none = PartData(train.frame.head(0), train.y[:0], None)
    alone = prepare_rows(model, train=train, validation=none, schema=SCHEMA, target=TARGET, seed=0)
    strange = part(300, seed=1, strange=True)
    beside = prepare_rows(model, train=train, validation=strange, schema=SCHEMA, target=TARGET, seed=0)
    strange_x = beside.preparation.transform(strange.frame)
    assert np.array_equal(alone.preparation.transform(strange.frame), strange_x, equal_nan=True)
    assert np.array_equal(beside.train.x, alone.train.x, equal_nan=True)
    assert beside.validation is not None
    assert alone.validation is None


def test_validation_rows_of_no_weight_stop_no_fit() -> None:
    """As those of a fold may be: no loss can be taken of them."""
    model, held = ModelSpec(family="lightgbm"), part(20, seed=1)
    weightless = PartData(held.frame, held.y, np.zeros(20))
    train = part(100, seed=0)
    prepared = prepare_rows(model, train=train, validation=weightless, schema=SCHEMA, target=TARGET, seed=0)
    assert prepared.validation is None

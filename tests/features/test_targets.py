"""Categories encoded by the target."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column, Schema
from engine.features.feed import feed
from engine.features.needs import Needs
from engine.features.prepare import prepare, prepare_training
from engine.features.targets import Outcome, fit_targets

CITY = Column("city", "category", "feature", "string", nullable=True, encode="target")
SIZE = Column("size", "number", "feature", "float64")
SCHEMA = Schema((SIZE, CITY), None, "error", "error")
KEEP = Needs(categories="native", missing="ok", scale=False, max_categories=None)
SCALE = Needs(categories="onehot", missing="impute", scale=True, max_categories=None)


def rows(n: int, *, n_classes: int, seed: int = 0) -> tuple[pl.DataFrame, Outcome]:
    """Return rows of a category, some missing, that says something of the target."""
    rng = np.random.default_rng(seed)
    city = rng.integers(0, 8, n)
    frame = pl.DataFrame(
        {
            "size": rng.normal(size=n),
            "city": pl.Series([f"c{at}" for at in city]).set(pl.Series(rng.random(n) < 0.1), None),
        }
    )
    y = city * 0.3 + rng.normal(size=n)
    if n_classes > 1:
        y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    return frame, Outcome(y, n_classes, seed)


@pytest.mark.parametrize("n_classes", [1, 2, 4])
def test_encodings_are_scikit_learns(n_classes: int) -> None:
    """Of values, two classes and more, each level has what TargetEncoder gives, the unseen and missing too."""
    from sklearn.preprocessing import TargetEncoder

    frame, outcome = rows(400, n_classes=n_classes)
    kind = {1: "continuous", 2: "binary"}.get(n_classes, "multiclass")
    encoder = TargetEncoder(target_type=kind, smooth="auto").fit(
        frame.select(pl.col("city").fill_null("none")).to_numpy(), outcome.y
    )
    new = pl.DataFrame({"city": ["c0", "c3", "c7", "unseen", None]})
    expected = encoder.transform(new.select(pl.col("city").fill_null("none")).to_numpy())
    fitted = fit_targets(frame, CITY, needs=KEEP, outcome=outcome)
    found = new.select(e.alias(str(at)) for at, e in enumerate(fitted.expressions())).to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 60), n_classes=st.sampled_from([1, 2, 3]), seed=st.integers(0, 99), scale=st.booleans()
)
def test_the_graph_gives_the_encodings_bit_for_bit(
    evaluate,  # noqa: ANN001
    n: int,
    n_classes: int,
    seed: int,
    scale: bool,
) -> None:
    """For any target polars and the graph agree on levels, the rare, the unseen and the missing."""
    frame, outcome = rows(n, n_classes=n_classes, seed=seed)
    schema = Schema((SIZE, replace(CITY, rare=2)), None, "error", "error")
    preparation = prepare(frame, schema=schema, needs=SCALE if scale else KEEP, outcome=outcome)
    new = pl.concat([frame, pl.DataFrame({"size": [0.0, 0.0], "city": ["unseen", None]})])
    matrix = preparation.transform(new)
    assert matrix.shape == (n + 2, len(preparation.feature_names))
    assert np.isfinite(matrix).all()
    found = evaluate(preparation.write, feed(new, columns=preparation.inputs))
    np.testing.assert_array_equal(found, matrix)


def test_a_training_row_does_not_see_its_own_target() -> None:
    """A level of every row's own tells nothing in training: another target of a row leaves its encoding."""
    frame = pl.DataFrame({"size": np.zeros(200), "city": [f"c{at % 20}" for at in range(200)]})
    y = np.random.default_rng(0).normal(size=200)
    _, matrix = prepare_training(frame, schema=SCHEMA, needs=KEEP, outcome=Outcome(y, 1, 0))
    other = y.copy()
    other[17] = 1e6
    _, changed = prepare_training(frame, schema=SCHEMA, needs=KEEP, outcome=Outcome(other, 1, 0))
    assert changed[17, 1] == matrix[17, 1]
    assert (changed[:, 1] != matrix[:, 1]).sum() > 100
    alone = pl.DataFrame({"size": np.zeros(200), "city": [f"c{at}" for at in range(200)]})
    noise = np.random.default_rng(1).integers(0, 2, 200)
    preparation, ids = prepare_training(alone, schema=SCHEMA, needs=KEEP, outcome=Outcome(noise, 2, 0))
    # Of five folds, each has the mean of the others, which says nothing of the row's own target.
    assert len(np.unique(ids[:, 1])) <= 5
    assert preparation.feature_names == ("size", "city target")


def test_families_that_want_scale_get_it() -> None:
    """Encodings have mean 0 and deviation 1 over the training rows, each column of its own."""
    frame, outcome = rows(500, n_classes=3)
    preparation = prepare(frame, schema=SCHEMA, needs=SCALE, outcome=outcome)
    matrix = preparation.transform(frame)[:, 1:]
    assert preparation.feature_names == ("size", "city target 0", "city target 1", "city target 2")
    np.testing.assert_allclose(matrix.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(matrix.std(axis=0), 1, rtol=1e-12)

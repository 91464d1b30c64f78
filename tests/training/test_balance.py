"""Classes evened out among training rows."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.models.family import Rows
from engine.recipe.spec_model import Balance
from engine.training.balance import balance

CLASSES = st.lists(st.integers(0, 4), min_size=1, max_size=60)


def rows_of(y: list[int], *, weighted: bool = False) -> Rows:
    """Return rows that hold their place."""
    n = len(y)
    return Rows(
        np.arange(n, dtype=np.float64)[:, None], np.array(y), np.arange(1.0, n + 1) if weighted else None
    )


@settings(deadline=None)
@given(y=CLASSES, seed=st.integers(0, 99), how=st.sampled_from(get_args(Balance)))
def test_classes_are_of_one_size(y: list[int], seed: int, how: Balance) -> None:
    """Whatever was asked, each class there is counts as much as any other; rows keep x, y and weight."""
    rows = rows_of(y, weighted=True)
    found = balance(rows, how, seed=seed)
    assert set(found.y.tolist()) == set(y)
    assert found.weights is not None
    places = found.x[:, 0].astype(np.int64)
    assert np.array_equal(found.y, rows.y[places])
    counts = np.bincount(rows.y)[np.unique(rows.y)]
    if how == "weights":
        evened = balance(rows_of(y), how, seed=seed).weights
        assert evened is not None
        sums = np.bincount(found.y, evened)[np.unique(found.y)]
        np.testing.assert_allclose(sums, len(y) / len(counts))
        np.testing.assert_allclose(found.weights, evened * (places + 1))
    else:
        wanted = counts.min() if how == "under" else counts.max()
        assert set(np.bincount(found.y)[np.unique(found.y)].tolist()) == {wanted}
        assert np.array_equal(found.weights, places + 1)
        assert np.array_equal(places, np.sort(places))
        assert how == "under" or set(places.tolist()) == set(range(len(y)))
    again = balance(rows, how, seed=seed)
    assert np.array_equal(again.x, found.x)


def test_weights_are_scikit_learns() -> None:
    """Three rows of one class and one of another weigh as `class_weight="balanced"` has them."""
    from sklearn.utils.class_weight import compute_sample_weight

    found = balance(rows_of([0, 0, 0, 1]), "weights", seed=0).weights
    assert found is not None
    np.testing.assert_allclose(found, compute_sample_weight("balanced", [0, 0, 0, 1]))


@pytest.mark.parametrize("how", ["under", "over"])
def test_the_seed_decides_what_is_drawn(how: Balance) -> None:
    """Another seed draws other rows."""
    rows = rows_of([0] * 30 + [1] * 8)
    assert not np.array_equal(balance(rows, how, seed=0).x, balance(rows, how, seed=1).x)

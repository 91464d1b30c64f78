"""Partial dependence and the surrogate tree, where what they must say is known."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from engine.evaluation.dependence import dependence
from engine.evaluation.local import local_surrogate
from engine.evaluation.surrogate import surrogate_tree

Array = np.ndarray


def _frame(n: int = 400) -> pl.DataFrame:
    rng = np.random.default_rng(3)
    level = pl.Series(rng.choice(["x", "y"], n)).set(pl.Series(np.arange(n) % 7 == 6), None)
    return pl.DataFrame({"a": rng.normal(size=n), "b": rng.integers(0, 9, n), "c": level})


def _answer(rows: pl.DataFrame) -> Array:
    c = rows["c"].replace_strict({"x": 0.0, "y": 5.0}, default=-2.0, return_dtype=pl.Float64)
    return 2 * rows["a"].to_numpy() - rows["b"].to_numpy() + c.to_numpy()


def test_the_dependence_on_a_number_is_its_slope() -> None:
    """Of a sum the mean rises as the column does, and the band is that of all the rest, everywhere."""
    frame = _frame()
    found = dependence(frame, column="a", answer=_answer)

    assert found is not None
    assert found.is_number
    assert found.values.is_sorted()
    assert set(found.values) <= set(frame["a"])
    rest = _answer(frame.with_columns(a=pl.lit(0.0)))
    assert found.mean == pytest.approx(2 * found.values.to_numpy() + rest.mean(), abs=1e-12)
    low, high = np.quantile(rest, [0.1, 0.9])
    assert found.high - found.low == pytest.approx(np.full(len(found.values), high - low))


def test_the_dependence_on_a_level_is_its_term() -> None:
    """Levels stand by how often they are; what is constant or never there has no curve."""
    frame = _frame()
    found = dependence(frame, column="c", answer=_answer)

    assert found is not None
    assert not found.is_number
    assert (
        found.values.to_list()
        == frame["c"].drop_nulls().value_counts().sort("count", descending=True)["c"].to_list()
    )
    by_level = dict(zip(found.values, found.mean, strict=True))
    assert by_level["y"] - by_level["x"] == pytest.approx(5.0)
    assert dependence(frame.with_columns(b=pl.lit(4)), column="b", answer=_answer) is None
    assert dependence(frame.with_columns(c=pl.lit(None, pl.String)), column="c", answer=_answer) is None


def test_a_tree_is_its_own_surrogate() -> None:
    """Of a model that is a small tree nothing is left over, and the leaves are its own."""
    rng = np.random.default_rng(0)
    x = np.stack([rng.normal(size=900), rng.integers(0, 2, 900)], axis=1)

    def answers(rows: Array) -> Array:
        return np.where(rows[:, 1] > 0, 7.0, np.where(rows[:, 0] <= 0.25, 1.0, 3.0))

    found = surrogate_tree(
        x[:600], answers(x[:600]), names=["age", "sex=f"], flags={1}, held=(x[600:], answers(x[600:])), seed=0
    )

    assert found.fidelity == pytest.approx(1.0)
    assert [rule.answer for rule in found.rules] == [1.0, 3.0, 7.0]
    assert found.rules[2].conditions == ("sex=f",)
    assert [rule.conditions[0] for rule in found.rules[:2]] == ["not sex=f"] * 2
    assert found.rules[0].conditions[1].startswith("age ≤ 0.2")
    assert sum(rule.share for rule in found.rules) == pytest.approx(1.0)


def test_a_rule_leaves_every_row_on_its_side() -> None:
    """A bound between two neighbours has the digits that keep them apart: 2011.5 is not 2012."""
    for low, expected in ((2011, "2011.5"), (123456, "123456"), (18349, "18349.5")):
        x = np.repeat(np.arange(low - 3, low + 5), 20)[:, None].astype(np.float64)
        found = surrogate_tree(x, (x[:, 0] > low) * 1.0, names=["year"], flags=(), held=(x, x[:, 0]), seed=0)
        assert [rule.conditions for rule in found.rules] == [(f"year ≤ {expected}",), (f"year > {expected}",)]


def test_a_model_that_never_varies() -> None:
    """A constant has a tree of one leaf, no fidelity, and a local model of nothing."""
    x = np.zeros((50, 1))
    found = surrogate_tree(x, np.ones(50), names=["a"], flags=(), held=(x, np.ones(50)), seed=0)
    assert (found.fidelity, [rule.conditions for rule in found.rules]) == (None, [()])

    def ask(rows: pl.DataFrame, *, place: int) -> Array:
        return np.full(rows.height, 4.0 + place)

    frame = _frame(3)
    local = local_surrogate(frame, background=frame, columns=frame.columns, ask=ask, seed=0, n_samples=50)
    assert local.values == pytest.approx(np.zeros((3, 3)))
    assert local.base.tolist() == local.answers.tolist() == [4.0, 5.0, 6.0]
    assert np.isnan(local.fidelity).all()

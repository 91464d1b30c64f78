"""What each column adds: the sum, the exact cases, and the definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from engine.evaluation.contributions import Contributions, contributions

Array = np.ndarray
COLUMNS = ("a", "b", "c")
LEVELS = {"x": 0.0, "y": 2.0}


def _frame(n: int, *, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    c = pl.Series(rng.choice(["x", "y"], n)).set(pl.Series(np.arange(n) % 5 == 4), None)
    return pl.DataFrame({"a": rng.normal(size=n), "b": rng.integers(0, 5, n), "c": c})


def _terms(rows: pl.DataFrame) -> tuple[Array, Array, Array]:
    c = rows["c"].replace_strict(LEVELS, default=-1.0, return_dtype=pl.Float64).to_numpy()
    return rows["a"].to_numpy(), rows["b"].to_numpy().astype(float), c


def _sum(rows: pl.DataFrame) -> Array:
    a, b, c = _terms(rows)
    return 2 * a - b + c


def _mixed(rows: pl.DataFrame) -> Array:
    a, b, c = _terms(rows)
    return a * b + np.maximum(c, a) * (b > 2)


def _explained(
    answer: Callable[[pl.DataFrame], Array], *, rounds: int = 1, columns: tuple[str, ...] = COLUMNS
) -> Contributions:
    def ask(rows: pl.DataFrame, *, place: int) -> Array:
        assert 0 <= place < 4
        return answer(rows)

    return contributions(
        _frame(4, seed=1), background=_frame(6, seed=2), columns=columns, ask=ask, seed=0, rounds=rounds
    )


def _by_definition(answer: Callable[[pl.DataFrame], Array], row: pl.DataFrame, beside: pl.DataFrame) -> Array:
    """Return Shapley's values by his own formula: every coalition, its worth the mean over the background."""

    def worth(own: tuple[str, ...]) -> float:
        rows = beside.with_columns(row[name].new_from_index(0, beside.height).alias(name) for name in own)
        return float(answer(rows).mean())

    n, found = len(COLUMNS), []
    for name in COLUMNS:
        others = [other for other in COLUMNS if other != name]
        total = 0.0
        for size in range(n):
            for own in itertools.combinations(others, size):
                share = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                total += share * (worth((*own, name)) - worth(own))
        found.append(total)
    return np.array(found)


def test_they_sum_to_the_answer() -> None:
    """Base and columns give what the model says, to the last digits, of any model and few orders."""
    found = _explained(_mixed)
    assert found.base + found.values.sum(axis=1) == pytest.approx(found.answers, abs=1e-12)
    assert found.answers == pytest.approx(_mixed(_frame(4, seed=1)), abs=1e-12)
    assert found.base == pytest.approx(_mixed(_frame(6, seed=2)).mean(), abs=1e-12)


def test_a_sum_of_columns_is_explained_exactly() -> None:
    """Each column adds its own term less the background's mean of it, and the error is that of its spread."""
    found = _explained(_sum)
    for place, (factor, own, beside) in enumerate(
        zip((2, -1, 1), _terms(_frame(4, seed=1)), _terms(_frame(6, seed=2)), strict=True)
    ):
        assert found.values[:, place] == pytest.approx(factor * (own - beside.mean()), abs=1e-12)


def test_of_two_columns_there_is_no_chance() -> None:
    """An order and its reverse are all orders of two: any seed gives the definition's values."""

    def of_two(rows: pl.DataFrame) -> Array:
        return rows["a"].to_numpy() * rows["b"].to_numpy()

    found = _explained(of_two, columns=("a", "b"))
    a, b, _ = _terms(_frame(4, seed=1))
    a0, b0, _ = _terms(_frame(6, seed=2))
    expected = 0.5 * ((a[:, None] - a0) * b0 + (a[:, None] - a0) * b[:, None]).mean(axis=1)
    assert found.values[:, 0] == pytest.approx(expected, abs=1e-12)


def test_what_is_sampled_is_the_definition() -> None:
    """Of a model that mixes columns the values lie within four standard errors of the formula's."""
    found = _explained(_mixed, rounds=200)
    for place in range(4):
        expected = _by_definition(_mixed, _frame(4, seed=1)[place], _frame(6, seed=2))
        assert np.all(np.abs(found.values[place] - expected) <= 4 * found.errors[place] + 1e-12)
    assert found.errors.max() < 0.2


def test_no_rows_are_explained_as_none() -> None:
    """An empty table has an empty answer, of the right shape."""
    frame = _frame(4, seed=1)

    def ask(rows: pl.DataFrame, *, place: int) -> Array:
        raise AssertionError((rows, place))

    found = contributions(frame.clear(), background=frame, columns=COLUMNS, ask=ask, seed=0)
    assert found.values.shape == (0, 3)
    assert found.answers.shape == (0,)

"""Numbers with long tails."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column
from engine.features.feed import feed
from engine.features.needs import Needs
from engine.features.shapes import Shaped, fit_shaped

KEEP = Needs(categories="codes", missing="ok", scale=False, max_categories=None)
FILL = Needs(categories="codes", missing="impute", scale=True, max_categories=None)
NUMBERS = st.lists(
    st.none()
    | st.floats(allow_nan=False)
    | st.integers(-3, 3).map(float)
    | st.sampled_from([1.7e308, -1.7e308, 5e-324, -0.0, float("inf"), float("-inf")]),
    max_size=30,
)


def fit(values: list[float | None], scale: str, needs: Needs) -> Shaped:
    """Fit a column on some rows."""
    column = Column("x", "number", "feature", "float64", nullable=True, scale=scale)  # type: ignore[arg-type]
    array = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return fit_shaped(array, column, needs=needs)


def in_polars(shaped: Shaped, values: list[float | None]) -> np.ndarray:
    """Return its columns of the matrix by polars."""
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
    return frame.select([e.alias(str(at)) for at, e in enumerate(shaped.expressions())]).to_numpy()


def in_graph(shaped: Shaped, values: list[float | None], evaluate) -> np.ndarray:  # noqa: ANN001
    """Return its columns of the matrix by the graph."""
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
    answer: np.ndarray = evaluate(
        lambda graph: shaped.write(graph, graph.input("x", np.float64)), feed(frame, columns=(shaped.column,))
    )
    return answer


@settings(deadline=None, max_examples=100)
@given(train=NUMBERS, rows=NUMBERS, needs=st.sampled_from([KEEP, FILL]))
def test_the_graph_gives_the_places_bit_for_bit(
    evaluate,  # noqa: ANN001
    train: list[float | None],
    rows: list[float | None],
    needs: Needs,
) -> None:
    """Places among the training rows are equal in polars and in the graph, and lie in 0..1."""
    shaped = fit(train, "quantile", needs)
    values = [*train, *rows]
    found = in_polars(shaped, values)
    np.testing.assert_array_equal(in_graph(shaped, values, evaluate), found)
    present = found[:, 0][~np.isnan(found[:, 0])]
    assert ((present >= 0) & (present <= 1)).all()


@settings(deadline=None, max_examples=100)
@given(train=NUMBERS, rows=NUMBERS, needs=st.sampled_from([KEEP, FILL]))
def test_the_graph_gives_the_logarithms(
    evaluate,  # noqa: ANN001
    train: list[float | None],
    rows: list[float | None],
    needs: Needs,
) -> None:
    """Logarithms agree to the step that they are rounded to, however they are scaled then."""
    shaped = fit(train, "log", needs)
    values = [*train, *rows]
    left, right = in_graph(shaped, values, evaluate), in_polars(shaped, values)
    step = 2**-30 * max(1.0, shaped.filling.scale)
    np.testing.assert_allclose(left, right, rtol=1e-12, atol=1.01 * step)


def test_places_are_scikit_learns() -> None:
    """On skewed values with many ties, places are those of QuantileTransformer with 101 quantiles."""
    from sklearn.preprocessing import QuantileTransformer

    rng = np.random.default_rng(0)
    values = np.concatenate([np.zeros(300), rng.lognormal(size=700), np.full(40, 3.0)])
    rows = np.concatenate([values, rng.normal(size=500) * 5, [0.0, 3.0, 1e9, -1e9]])
    transformer = QuantileTransformer(n_quantiles=101, subsample=None).fit(values[:, None])
    shaped = fit(values.tolist(), "quantile", KEEP)
    found = in_polars(shaped, rows.tolist())
    np.testing.assert_allclose(found, transformer.transform(rows[:, None]), atol=1e-12)


def test_a_logarithm_is_standardised_where_the_family_wants_scale() -> None:
    """Logarithms of 1 + the size, with the sign; filled by the median, mean 0 and deviation 1 in training."""
    values = [0.0, 1.0, -1.0, 10.0, None, 1e6]
    found = in_polars(fit(values, "log", FILL), values)
    assert found.shape == (6, 2)
    assert found[:, 1].tolist() == [0, 0, 0, 0, 1, 0]
    assert found[:, 0].mean() == pytest.approx(0, abs=1e-9)
    assert found[:, 0].std() == pytest.approx(1, abs=1e-9)
    plain = in_polars(fit(values, "log", KEEP), values)[:, 0]
    expected = [0, np.log(2), -np.log(2), np.log(11), np.nan, np.log(1e6 + 1)]
    np.testing.assert_allclose(plain, expected, atol=1e-9)

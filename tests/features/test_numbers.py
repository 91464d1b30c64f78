"""Numbers on their way to a model."""

import numpy as np
import polars as pl
import pytest

from engine.features.needs import Needs
from engine.features.numbers import Filling, fill_in, fit_flag, fit_number, write_fillings, write_indicators

KEEP = Needs(categories="codes", missing="ok", scale=False, max_categories=None)
IMPUTE = Needs(categories="codes", missing="impute", scale=False, max_categories=None)
SCALE = Needs(categories="codes", missing="ok", scale=True, max_categories=None)
BOTH = Needs(categories="codes", missing="impute", scale=True, max_categories=None)
NAN = float("nan")


def test_filling_is_the_median_and_the_standard_deviation() -> None:
    """1, 2, 2, 7 and a gap give median 2, mean 2.8, variance 4.56 with the gap filled."""
    filling = fit_number(np.array([1.0, 2.0, NAN, 2.0, 7.0]), needs=BOTH)
    assert filling.fill == 2.0
    assert filling.center == pytest.approx(2.8, rel=1e-15)
    assert filling.scale == pytest.approx(1 / np.sqrt(4.56), rel=1e-15)


def test_filling_equals_scikit_learn() -> None:
    """Filling and standardising agree with SimpleImputer and StandardScaler."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import StandardScaler

    generator = np.random.default_rng(0)
    values = np.where(generator.random(500) < 0.1, NAN, generator.lognormal(3, 2, 500))
    expected = StandardScaler().fit_transform(SimpleImputer(strategy="median").fit_transform(values[:, None]))
    frame = pl.DataFrame({"x": values})
    actual = frame.select(fill_in(pl.col("x"), fit_number(values, needs=BOTH))).to_numpy()
    np.testing.assert_allclose(actual, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "needs", "expected"),
    [
        ([NAN, NAN], BOTH, Filling(0.0, 0.0, 1.0)),
        ([], BOTH, Filling(0.0, 0.0, 1.0)),
        ([0.1, 0.1, 0.1], BOTH, Filling(0.1, 0.1, 1.0)),
        ([np.inf, 4.0, -np.inf], BOTH, Filling(4.0, 4.0, 1.0)),
        ([5e-324, 0.0], BOTH, Filling(0.0, 0.0, 1.0)),
        ([3.0, 9.0], IMPUTE, Filling(6.0, 0.0, 1.0)),
        ([1.7e308, 1.7e308, -1.7e308, -1.7e308], BOTH, Filling(0.0, 0.0, 1 / 1.7e308)),
    ],
)
def test_degenerate_columns_have_a_finite_filling(
    values: list[float], needs: Needs, expected: Filling
) -> None:
    """Columns without values, of one value, and of the largest and smallest doubles don't break the fit."""
    assert fit_number(np.array(values), needs=needs) == expected


def test_missing_values_stay_where_the_family_takes_them() -> None:
    """Where missing is ok nothing is filled in, and the rest is standardised by what is there."""
    frame = pl.DataFrame({"x": [1.0, NAN, 3.0]})
    scaled = frame.select(fill_in(pl.col("x"), fit_number(frame["x"].to_numpy(), needs=SCALE)))
    np.testing.assert_array_equal(scaled.to_series().to_numpy(), [-1.0, NAN, 1.0])
    assert np.isnan(fit_number(frame["x"].to_numpy(), needs=KEEP).fill)


@pytest.mark.parametrize(
    ("values", "fill"), [([1, 1, 0, NAN], 1.0), ([1, 0, NAN], 0.0), ([NAN], 0.0), ([0, 0, 1], 0.0)]
)
def test_a_missing_boolean_is_the_more_frequent_one(values: list[float], fill: float) -> None:
    """Booleans are filled with the mode, false when even, and never standardised."""
    assert fit_flag(np.array(values, dtype=float), needs=BOTH) == Filling(fill)


def test_the_graph_fills_and_marks_as_polars_does(evaluate) -> None:  # noqa: ANN001
    """The nodes give polars' bits on gaps, infinities and the largest doubles."""
    fillings = [Filling(2.0, 0.3, 1 / 3), Filling(-1.0), Filling(0.1, 1e-300, 1e300)]
    raw = np.array([[NAN, NAN, NAN], [0.1, -0.0, 1.7e308], [np.inf, -np.inf, 5e-324], [7.7, 1e9, -1.0]])
    frame = pl.DataFrame(raw, schema=["a", "b", "c"])
    expected = frame.select(
        fill_in(pl.col(name), filling) for name, filling in zip("abc", fillings, strict=True)
    )
    actual = evaluate(
        lambda graph: write_fillings(graph, graph.input("x", np.float64, width=3), fillings), {"x": raw}
    )
    np.testing.assert_array_equal(actual, expected.to_numpy())
    marks = evaluate(
        lambda graph: write_indicators(graph, graph.input("x", np.float64, width=3), [2, 0]), {"x": raw}
    )
    np.testing.assert_array_equal(marks, [[1, 1], [0, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize("scale", ["standard", "minmax", "robust", "none"])
@pytest.mark.parametrize("impute", ["median", "mean", 3, -2.5])
def test_what_a_recipe_asks_equals_scikit_learn(scale: str, impute: str | float) -> None:
    """Each way to fill and each way to scale is that of SimpleImputer and of the scaler of the name."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler

    scalers = {"standard": StandardScaler, "minmax": MinMaxScaler, "robust": RobustScaler}
    generator = np.random.default_rng(0)
    values = np.where(generator.random(500) < 0.1, NAN, generator.lognormal(3, 2, 500))
    known = (
        {"strategy": impute} if isinstance(impute, str) else {"strategy": "constant", "fill_value": impute}
    )
    filled = SimpleImputer(**known).fit_transform(values[:, None])
    expected = scalers.get(scale, FunctionTransformer)().fit_transform(filled)
    filling = fit_number(values, needs=IMPUTE, impute=impute, scale=scale)  # type: ignore[arg-type]
    found = pl.DataFrame({"x": values}).select(fill_in(pl.col("x"), filling)).to_numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_a_recipes_scale_wins_over_the_familys() -> None:
    """Where the family wants standard scale, `none` leaves the numbers; where it wants none, they are scaled."""
    values = np.array([1.0, 2.0, 5.0])
    assert fit_number(values, needs=BOTH, scale="none") == Filling(2.0, 0.0, 1.0)
    assert fit_number(values, needs=KEEP, scale="minmax").scale == 0.25


def test_a_number_fills_a_column_without_values() -> None:
    """With nothing to take a median of, the recipe's own number fills."""
    assert fit_number(np.array([NAN, NAN]), needs=BOTH, impute=7.0) == Filling(7.0, 0.0, 1.0)
    assert fit_number(np.array([NAN, NAN]), needs=BOTH, impute="mean") == Filling(0.0, 0.0, 1.0)

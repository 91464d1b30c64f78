"""Categories on their way to a model."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from engine.data.schema import Column
from engine.features.categories import fit_levels
from engine.features.feed import NULL, feed
from engine.features.needs import Needs

TEXT = Column("c", "category", "feature", "string", nullable=True)
NATIVE = Needs(categories="native", missing="ok", scale=False, max_categories=None)
CODES = Needs(categories="codes", missing="impute", scale=False, max_categories=None)
ONEHOT = Needs(categories="onehot", missing="impute", scale=False, max_categories=None)


def cut(n: int, *, onehot: bool = False) -> Needs:
    """Return needs that keep n levels."""
    categories = "onehot" if onehot else "codes"
    return Needs(categories=categories, missing="impute", scale=False, max_categories=n)


def text_frame(*values: str | None) -> pl.DataFrame:
    """Return a frame of one text column."""
    return pl.DataFrame({"c": values}, schema={"c": pl.String})


@pytest.mark.parametrize(
    ("column", "values", "names"),
    [
        (TEXT, ["b", "a", None, "é", "", "B"], ("", "B", "a", "b", "é")),
        (Column("c", "category", "feature", "int64"), [10, 9, -1, None], ("-1", "9", "10")),
        (Column("c", "category", "feature", "boolean"), [True, None, False], ("false", "true")),
        (TEXT, [None, None], ()),
        (TEXT, [NULL, "a"], ("a",)),
    ],
)
def test_levels_are_in_sorted_order(column: Column, values: list[object], names: tuple[str, ...]) -> None:
    """Text is sorted by code point, integers by size, booleans false first; null is no level."""
    dtype = {"string": pl.String, "int64": pl.Int64, "boolean": pl.Boolean}[column.storage]
    frame = pl.DataFrame({"c": values}, schema={"c": dtype})
    assert fit_levels(frame, column, needs=CODES).names == names


def test_the_most_frequent_levels_stay() -> None:
    """Of c, c, a, a, b, d two levels are a and c, three are a, b and c: ties go by name."""
    frame = text_frame("c", "c", "d", "a", "a", "b")
    assert fit_levels(frame, TEXT, needs=cut(2)).names == ("a", "c")
    assert fit_levels(frame, TEXT, needs=cut(3)).names == ("a", "b", "c")


@pytest.mark.parametrize(
    ("needs", "expected"),
    [
        (NATIVE, [[1.0], [0.0], [np.nan], [np.nan], [np.nan]]),
        (CODES, [[1.0], [0.0], [2.0], [2.0], [2.0]]),
        (ONEHOT, [[0, 1], [1, 0], [0, 0], [0, 0], [0, 0]]),
        (cut(1, onehot=True), [[0, 1], [1, 0], [0, 1], [0, 1], [0, 1]]),
    ],
)
def test_a_row_says_its_level_and_an_unseen_one_is_missing(
    needs: Needs,
    expected: list[list[float]],
    evaluate,  # noqa: ANN001
) -> None:
    """Unseen and null values get the missing code; a one-hot column for them exists if training had such."""
    levels = fit_levels(text_frame("y", "x", "x"), TEXT, needs=needs)
    rows = text_frame("y", "x", "unseen", None, NULL)
    actual = evaluate(
        lambda graph: levels.write(graph, graph.input("c", np.str_)), feed(rows, columns=(TEXT,))
    )
    np.testing.assert_array_equal(actual, expected)
    codes = rows.select(levels.codes()).to_numpy()
    if levels.width is None:
        np.testing.assert_array_equal(codes, actual)
    else:
        np.testing.assert_array_equal(codes == np.arange(levels.width), actual)


def test_onehot_columns_are_named_by_level() -> None:
    """Each level names its column, and the last is for all others if training had any."""
    assert fit_levels(text_frame("y", "x", None), TEXT, needs=ONEHOT).feature_names == (
        "c=x",
        "c=y",
        "c is other",
    )
    assert fit_levels(text_frame("y", "x"), TEXT, needs=ONEHOT).feature_names == ("c=x", "c=y")
    assert fit_levels(text_frame("y", "x"), TEXT, needs=CODES).feature_names == ("c",)


OTHER = replace(TEXT, unseen="other")


@pytest.mark.parametrize(
    ("column", "needs", "expected"),
    [
        (replace(TEXT, rare=2), CODES, [[1.0], [0.0], [2.0], [2.0], [2.0]]),
        (replace(TEXT, rare=0.2), NATIVE, [[1.0], [0.0], [np.nan], [np.nan], [np.nan]]),
        (OTHER, NATIVE, [[2.0], [1.0], [0.0], [3.0], [np.nan]]),
        (replace(OTHER, rare=2), NATIVE, [[1.0], [0.0], [2.0], [2.0], [np.nan]]),
        (replace(OTHER, rare=2), CODES, [[1.0], [0.0], [2.0], [2.0], [3.0]]),
        (
            replace(OTHER, rare=2),
            ONEHOT,
            [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
        ),
        (replace(OTHER, rare=9), CODES, [[0.0], [0.0], [0.0], [0.0], [1.0]]),
    ],
)
def test_rare_and_unseen_levels_go_where_the_recipe_says(
    column: Column,
    needs: Needs,
    expected: list[list[float]],
    evaluate,  # noqa: ANN001
) -> None:
    """Of y 3, x 4, b 1 and a null: levels of fewer rows than `rare`, and unseen ones, are missing, or other."""
    names = ["y"] * 3 + ["x"] * 4 + ["b"] + [None]
    levels = fit_levels(text_frame(*names), column, needs=needs)
    rows = text_frame("y", "x", "b", "unseen", None)
    actual = evaluate(
        lambda graph: levels.write(graph, graph.input("c", np.str_)), feed(rows, columns=(column,))
    )
    np.testing.assert_array_equal(actual, expected)
    codes = rows.select(levels.codes()).to_numpy()
    if levels.width is None:
        np.testing.assert_array_equal(codes, actual)
        assert levels.n_levels == len(levels.names) + (column.unseen == "other")
    else:
        np.testing.assert_array_equal(codes == np.arange(levels.width), actual)
        assert levels.feature_names == ("c=x", "c=y", "c is other", "c is missing")

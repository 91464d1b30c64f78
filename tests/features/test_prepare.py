"""Raw columns to the matrix a model sees."""

from datetime import datetime

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data.schema import Column, Schema
from engine.errors import RecipeError
from engine.features.feed import feed, feed_records
from engine.features.needs import Needs
from engine.features.prepare import Preparation, prepare

COLUMNS = (
    Column("size", "number", "feature", "float64", nullable=True),
    Column("kind", "category", "feature", "string", nullable=True),
    Column("count", "integer", "feature", "int64", nullable=True),
    Column("when", "datetime", "feature", "datetime", nullable=True),
    Column("is new", "boolean", "feature", "boolean", nullable=True),
    Column("code", "category", "feature", "int64", nullable=True),
    Column("flag", "category", "feature", "boolean", nullable=True),
    Column("since", "datetime", "feature", "datetime", nullable=True),
    Column("y", "number", "target", "float64"),
)
DTYPES = {
    "size": pl.Float64,
    "kind": pl.String,
    "count": pl.Int64,
    "when": pl.Datetime("us"),
    "is new": pl.Boolean,
    "code": pl.Int64,
    "flag": pl.Boolean,
    "since": pl.Datetime("us"),
}
SCHEMA = Schema(columns=COLUMNS, positive=None, extra="error", missing_target="error")
ALL_NEEDS = [
    Needs(categories=categories, missing=missing, scale=scale, max_categories=most)
    for categories in ("codes", "native", "onehot")
    for missing in ("ok", "impute")
    for scale in (False, True)
    for most in (None, 2)
]
LINEAR = Needs(categories="onehot", missing="impute", scale=True, max_categories=100)
TREES = Needs(categories="native", missing="ok", scale=False, max_categories=None)
EXTREMES = st.sampled_from(
    [1.7e308, -1.7e308, 5e-324, -0.0, 1e-300, float("inf"), float("-inf"), 2.0**53 + 2]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "size": st.none() | st.floats(allow_nan=True) | EXTREMES,
            "kind": st.none() | st.sampled_from(["a", "b", "", "é", "a\0b"]) | st.text("ab", max_size=2),
            "count": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3),
            "when": st.none() | st.datetimes(),
            "is new": st.none() | st.booleans(),
            "code": st.none() | st.integers(-1, 3) | st.integers(-(2**63), 2**63 - 1),
            "flag": st.none() | st.booleans(),
            "since": st.none() | st.datetimes(datetime(2020, 1, 1), datetime(2020, 1, 2)),  # noqa: DTZ001
        }
    ),
    max_size=12,
)


def schema_of(*columns: Column) -> Schema:
    """Return a schema of some columns."""
    return Schema(columns=columns, positive=None, extra="error", missing_target="error")


def in_graph(preparation: Preparation, frame: pl.DataFrame, evaluate) -> np.ndarray:  # noqa: ANN001
    """Return the matrix that the graph gives."""
    answer: np.ndarray = evaluate(preparation.write, feed(frame, columns=preparation.inputs))
    return answer


@settings(deadline=None, max_examples=150)
@given(train=ROWS, rows=ROWS, needs=st.sampled_from(ALL_NEEDS))
def test_the_graph_gives_the_matrix_bit_for_bit(
    evaluate,  # noqa: ANN001
    train: list[dict[str, object]],
    rows: list[dict[str, object]],
    needs: Needs,
) -> None:
    """Whatever was trained on and whatever comes, polars and the graph agree in every bit."""
    preparation = prepare(pl.DataFrame(train, schema=DTYPES), schema=SCHEMA, needs=needs)
    frame = pl.DataFrame([*rows, *train], schema=DTYPES)
    matrix = preparation.transform(frame)
    assert matrix.shape == (frame.height, len(preparation.feature_names))
    np.testing.assert_array_equal(in_graph(preparation, frame, evaluate), matrix)
    records = evaluate(preparation.write, feed_records([*rows, *train], columns=preparation.inputs))
    np.testing.assert_array_equal(records, matrix)


ASKED = tuple(
    st.sampled_from([Column(column.name, column.type, "feature", column.storage, nullable=True, **keys) for keys in asked])
    for column, asked in (
        (COLUMNS[0], ({}, {"impute": "mean"}, {"scale": "quantile"}, {"impute": 0, "scale": "minmax"})),
        (COLUMNS[1], ({}, {"encode": "onehot"}, {"unseen": "other"}, {"rare": 2, "unseen": "other"})),
        (COLUMNS[2], ({"scale": "robust"}, {"impute": 5.5, "scale": "none"}, {"scale": "standard"})),
        (COLUMNS[3], ({},)),
        (COLUMNS[4], ({},)),
        (COLUMNS[5], ({"encode": "codes"}, {"encode": "onehot", "unseen": "other", "rare": 0.3})),
        (COLUMNS[6], ({"encode": "codes", "unseen": "other"}, {"encode": "onehot", "rare": 2})),
    )
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(train=ROWS, rows=ROWS, needs=st.sampled_from(ALL_NEEDS), columns=st.tuples(*ASKED))
def test_what_a_recipe_asks_is_in_the_graph_bit_for_bit(
    evaluate,  # noqa: ANN001
    train: list[dict[str, object]],
    rows: list[dict[str, object]],
    needs: Needs,
    columns: tuple[Column, ...],
) -> None:
    """However the columns are to be prepared, for any family, polars and the graph agree in every bit."""
    preparation = prepare(pl.DataFrame(train, schema=DTYPES), schema=schema_of(*columns), needs=needs)
    frame = pl.DataFrame([*rows, *train], schema=DTYPES)
    matrix = preparation.transform(frame)
    assert matrix.shape == (frame.height, len(preparation.feature_names))
    np.testing.assert_array_equal(in_graph(preparation, frame, evaluate), matrix)


def test_features_come_in_the_schemas_order() -> None:
    """Names, sources and the matrix follow the schema; parts that don't vary and the target are left out."""
    rows = [
        {"size": 1.0, "kind": "a", "count": 1, "when": datetime(2020, 1, 1, 5), "is new": True, "code": 3},  # noqa: DTZ001
        {
            "size": 3.0,
            "kind": "b",
            "count": None,
            "when": datetime(2021, 1, 1, 5),  # noqa: DTZ001
            "is new": True,
            "code": 20,
        },
    ]
    frame = pl.DataFrame(rows, schema={name: DTYPES[name] for name in rows[0]})
    schema = schema_of(*(column for column in COLUMNS if column.name in rows[0] or column.role == "target"))
    preparation = prepare(frame, schema=schema, needs=LINEAR)
    assert dict(zip(preparation.feature_names, preparation.sources, strict=True)) == {
        "size": "size",
        "kind=a": "kind",
        "kind=b": "kind",
        "count": "count",
        "count is missing": "count",
        "when.year": "when",
        "when.weekday": "when",
        "when.days": "when",
        "is new": "is new",
        "code=3": "code",
        "code=20": "code",
    }
    assert [column.name for column in preparation.inputs] == [*rows[0]]
    assert preparation.category_sizes == {}
    np.testing.assert_array_equal(
        preparation.transform(frame).round(3),
        [[-1, 1, 0, 0, 0, -1, -1, -1, 1, 1, 0], [1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 1]],
    )


def test_columns_of_codes_tell_their_number_of_levels() -> None:
    """`category_sizes` maps a column's index in the matrix to how many levels it has."""
    frame = pl.DataFrame(
        {"size": [1.0, None], "kind": ["a", "b"], "code": [7, 7]},
        schema={"size": pl.Float64, "kind": pl.String, "code": pl.Int64},
    )
    schema = schema_of(COLUMNS[0], COLUMNS[1], COLUMNS[5])
    assert prepare(frame, schema=schema, needs=TREES).category_sizes == {1: 2, 2: 1}
    impute = Needs(categories="codes", missing="impute", scale=False, max_categories=None)
    assert prepare(frame, schema=schema, needs=impute).category_sizes == {2: 2, 3: 1}


def test_nothing_is_learned_from_the_rows_transformed() -> None:
    """A row gets the same features alone and among others."""
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"size": generator.normal(size=50), "kind": generator.choice(["a", "b", "c"], 50)},
    )
    preparation = prepare(frame[:20], schema=schema_of(*COLUMNS[:2]), needs=LINEAR)
    together = preparation.transform(frame)
    alone = np.concatenate([preparation.transform(frame[row]) for row in range(50)])
    np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("needs", [LINEAR, TREES])
def test_many_rows_in_blocks(needs: Needs, evaluate) -> None:  # noqa: ANN001
    """More rows than one block give what the graph gives."""
    generator = np.random.default_rng(0)
    frame = pl.DataFrame({"size": generator.normal(size=9000), "kind": generator.choice(["a", "b"], 9000)})
    preparation = prepare(frame[:100], schema=schema_of(*COLUMNS[:2]), needs=needs)
    np.testing.assert_array_equal(in_graph(preparation, frame, evaluate), preparation.transform(frame))


@pytest.mark.parametrize("name", ["x", "answer", "constant_0", "a b/c", "é", "Concat_2"])
def test_columns_may_have_any_name(name: str, evaluate) -> None:  # noqa: ANN001
    """A column may be named like a tensor of ours, like the output, or with any letters."""
    frame = pl.DataFrame({name: [1.0, None, 3.0]}, schema={name: pl.Float64})
    column = Column(name, "number", "feature", "float64", nullable=True)
    preparation = prepare(frame, schema=schema_of(column), needs=LINEAR)
    np.testing.assert_array_equal(in_graph(preparation, frame, evaluate), preparation.transform(frame))


def test_feature_names_are_told_apart() -> None:
    """Two features that would have one name get two."""
    columns = (
        Column("a", "number", "feature", "float64", nullable=True),
        Column("a is missing", "boolean", "feature", "boolean"),
    )
    frame = pl.DataFrame({"a": [1.0, None], "a is missing": [True, False]})
    preparation = prepare(frame, schema=schema_of(*columns), needs=LINEAR)
    assert preparation.feature_names == ("a", "a is missing", "a is missing'")


def test_a_text_feature_without_an_encoding_is_refused() -> None:
    """Free text is a feature by an encoding only, and the message says which there are."""
    text = Column("review", "text", "feature", "string")
    with pytest.raises(RecipeError) as caught:
        prepare(pl.DataFrame({"review": ["good"]}), schema=schema_of(text), needs=TREES)
    assert str(caught.value) == (
        "schema.columns.review.encode\n"
        "  'review' is text, which a model takes as a feature by an encode only; or role: ignore\n"
        "  allowed: tfidf, hashing"
    )


def test_a_schema_without_features_is_refused() -> None:
    """There must be something to learn from."""
    with pytest.raises(RecipeError, match="no column is a feature"):
        prepare(pl.DataFrame({"y": [1.0]}), schema=schema_of(COLUMNS[-1]), needs=TREES)

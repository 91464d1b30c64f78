"""What columns add to sums of trees: against Shapley's definition, against the libraries, and in a file."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

import numpy as np
import polars as pl
import pytest

from engine.errors import BundleError
from engine.models.adder import Adder
from engine.models.family import Additive, Family, ParamValue
from engine.models.margin import linear_margin
from engine.models.margin_file import StoredMargin, read_margin, write_margin
from engine.models.trees import LEAF, LEQ, LT, MEMBER, Tree, Trees
from engine.models.treeshap import TreeSum
from engine.names import FAMILIES

# x0 <= 1.5 ? (x1 in {0, 63, 300} ? (x0 <= 0 ? 10 : -7) : 20) : (x2 < 4 ? 30 : (x1 in {} ? 3 : 40)).
BY_HAND = Tree(
    feature=np.array([0, 1, 2, 0, 1, 0, 0, 0, 0, 0, 0]),
    threshold=np.array([1.5, 0, 4.0, 0.0, 0, 0, 0, 0, 0, 0, 0]),
    mode=np.array([LEQ, MEMBER, LT, LEQ, MEMBER, LEAF, LEAF, LEAF, LEAF, LEAF, LEAF], np.uint8),
    yes=np.array([1, 3, 6, 7, 9, 0, 0, 0, 0, 0, 0]),
    no=np.array([2, 5, 4, 8, 10, 0, 0, 0, 0, 0, 0]),
    missing_yes=np.array([True, False, True, False, False, *[False] * 6]),
    value=np.array([0, 0, 0, 0, 0, 20.0, 30.0, 10.0, -7.0, 3.0, 40.0]),
    members={1: [0, 63, 300], 4: []},
    # No training row came to the leaf of 3.
    cover=np.array([100, 60, 40, 35, 10, 25, 30, 5, 30, 0, 10.0]),
)
ROWS = np.array(
    [
        [1.5, 63.0, 4.0],
        [-1.0, 300.0, 9.0],
        [np.nan, np.nan, np.nan],
        [2.0, 1.0, 3.9],
        [9.0, 301.0, 4.0],
        [0.0, 64.0, -np.inf],
    ]
)
PARAMS: Mapping[str, Mapping[str, ParamValue]] = {
    "lightgbm": {"n_estimators": 25, "min_child_samples": 5, "min_data_per_group": 5, "cat_smooth": 1.0},
    "xgboost": {"n_estimators": 25},
    "random_forest": {"n_estimators": 6, "min_samples_leaf": 2},
    "hist_gradient_boosting": {"max_iter": 25},
    "logistic": {"max_iter": 5000},
    "ridge": {},
}


def _goes_on(tree: Tree, node: int, row: np.ndarray, known: frozenset[int]) -> float:
    """Return the worth of a set of known columns, as Lundberg's algorithm 1 has it."""
    if tree.mode[node] == LEAF:
        return float(tree.value[node])
    yes, no = int(tree.yes[node]), int(tree.no[node])
    column = int(tree.feature[node])
    if column not in known:
        assert tree.cover is not None
        shares = tree.cover[[yes, no]] / tree.cover[node]
        return sum(
            share * _goes_on(tree, way, row, known)
            for share, way in zip(shares, (yes, no), strict=True)
            if share
        )
    value = row[column]
    if np.isnan(value):
        says_yes = bool(tree.missing_yes[node])
    elif tree.mode[node] == MEMBER:
        says_yes = value in tree.members[node]
    else:
        says_yes = value <= tree.threshold[node] if tree.mode[node] == LEQ else value < tree.threshold[node]
    return _goes_on(tree, yes if says_yes else no, row, known)


def test_a_tree_is_taken_apart_as_shapley_defines_it() -> None:
    """Over all questions, sets and missing values, the values are those of the formula over all coalitions."""
    found = TreeSum(Trees((BY_HAND,), targets=(1,), base=np.array([5.0, -1.0]))).added(ROWS)

    n = ROWS.shape[1]
    for row, values in zip(ROWS, found.values, strict=True):
        for column in range(n):
            others = [other for other in range(n) if other != column]
            expected = 0.0
            for size in range(n):
                weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
                for known in map(frozenset, itertools.combinations(others, size)):
                    gain = _goes_on(BY_HAND, 0, row, known | {column}) - _goes_on(BY_HAND, 0, row, known)
                    expected += weight * gain
            assert values[column] == pytest.approx([0.0, expected], abs=1e-12)
        total = found.base[1] + values[:, 1].sum()
        assert total == pytest.approx(-1.0 + _goes_on(BY_HAND, 0, row, frozenset(range(n))), abs=1e-12)
    assert found.base == pytest.approx([5.0, -1.0 + _goes_on(BY_HAND, 0, ROWS[0], frozenset())])


def test_lone_leaves_and_no_rows() -> None:
    """A tree that asks nothing is all base; no rows have values of the right shape."""
    alone = Tree(*(np.zeros(1, kind) for kind in (np.int64, float)), np.array([LEAF], np.uint8), *(np.zeros(1, np.int64),) * 2, np.zeros(1, bool), np.array([2.5]), cover=np.ones(1))  # fmt: skip
    found = TreeSum(Trees((alone, BY_HAND, alone), targets=(0, 0, 0), base=np.zeros(1))).added(ROWS[:0])

    assert found.values.shape == (0, 3, 1)
    assert found.base == pytest.approx([5.0 + _goes_on(BY_HAND, 0, ROWS[0], frozenset())])


def test_many_trees_are_laid_out_a_part_at_a_time() -> None:
    """Of a sum of too many nodes for one table the parts add up: each copy of a tree adds the same."""
    n_copies = 20_000
    one = TreeSum(Trees((BY_HAND,), targets=(0,), base=np.zeros(1))).added(ROWS)
    many = TreeSum(Trees((BY_HAND,) * n_copies, targets=(0,) * n_copies, base=np.zeros(1))).added(ROWS)

    assert many.values == pytest.approx(n_copies * one.values, rel=1e-9, abs=1e-9)
    assert many.base == pytest.approx(n_copies * one.base)


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous"])
@pytest.mark.parametrize("name", list(PARAMS))
def test_the_sum_is_the_models_own_margin(cases: ModuleType, name: str, kind: str) -> None:
    """Of every family base and columns give the answer by its link; our values are the library's, and a file's."""
    if (name, kind) in {("logistic", "continuous"), ("ridge", "binary"), ("ridge", "multiclass")}:
        return
    missing = name not in {"random_forest", "logistic", "ridge"}
    family: Family = FAMILIES.load(name)  # type: ignore[assignment]
    fitted = family.fit(cases.problem(kind, params=PARAMS[name], missing=missing))
    x = cases.table(kind, n=60, missing=missing, seed=3).x
    assert isinstance(fitted, Additive)
    margin, told = fitted.margin(), fitted.added(x)
    assert margin is not None
    assert told is not None

    ours = margin.added(x)

    scale = np.abs(told.values).max()
    assert np.abs(ours.values - told.values).max() <= 1e-6 * scale
    assert np.abs(ours.base - told.base).max() <= 1e-6 * max(1.0, scale)
    sums, answer = ours.base + ours.values.sum(axis=1), fitted.predict(x)
    if margin.link == "logit":
        assert 1 / (1 + np.exp(-sums[:, 0])) == pytest.approx(answer[:, 1], abs=1e-6)
    elif margin.link == "scores":
        odds = np.exp(sums)
        assert odds / odds.sum(axis=1, keepdims=True) == pytest.approx(answer, abs=1e-6)
    elif margin.link == "probability":
        assert sums == pytest.approx(answer[:, list(margin.classes)], abs=1e-12)
    else:
        assert sums[:, 0] == pytest.approx(answer, rel=1e-6)
    stored = StoredMargin(margin, "Concat_3", tuple("abcabc"))
    again = read_margin(write_margin(stored))
    assert (again.matrix, again.sources, again.margin.link) == ("Concat_3", tuple("abcabc"), margin.link)
    assert again.margin.added(x).values.tobytes() == ours.values.tobytes()


@pytest.mark.parametrize(
    ("name", "kind", "more", "link"),
    [
        ("lightgbm", "binary", {"zero_as_missing": True}, "logit"),
        ("lightgbm", "binary", {"boosting_type": "rf", "subsample_freq": 1, "subsample": 0.6}, "logit"),
        ("lightgbm", "binary", {"sigmoid": 1.7}, "logit"),
        ("lightgbm", "continuous", {"objective": "poisson"}, "log"),
        ("lightgbm", "continuous", {"reg_sqrt": True}, "root"),
        ("xgboost", "binary", {"booster": "dart", "rate_drop": 0.3}, "logit"),
        ("hist_gradient_boosting", "continuous", {"loss": "gamma"}, "log"),
    ],
)
def test_links(cases: ModuleType, name: str, kind: str, more: Mapping[str, ParamValue], link: str) -> None:
    """Whatever the objective and boosting, what is summed gives the answer by the link that is told."""
    family: Family = FAMILIES.load(name)  # type: ignore[assignment]
    fitted = family.fit(cases.problem(kind, params={**PARAMS[name], **more}))
    x = cases.table(kind, n=30, missing=True, seed=3).x
    assert isinstance(fitted, Additive)
    margin, told = fitted.margin(), fitted.added(x)
    assert margin is not None
    assert told is not None

    assert margin.link == link
    sums = (told.base + told.values.sum(axis=1))[:, 0]
    assert margin.added(x).values == pytest.approx(told.values, abs=1e-6)
    by_link = {"logit": 1 / (1 + np.exp(-sums)), "log": np.exp(sums) if link == "log" else sums, "root": sums * np.abs(sums)}  # fmt: skip
    answer = fitted.predict(x)
    assert by_link[link] == pytest.approx(answer[:, 1] if kind == "binary" else answer, rel=1e-5)


def test_a_file_that_was_tampered_with_is_refused() -> None:
    """Trees that go in a circle or ask about no column, sets of no node, sums of no class, another link and what is no Parquet are no margin."""
    margin = linear_margin(np.ones((1, 2)), np.zeros(1), means=np.zeros(2), classes=np.array([0, 1]))
    trees = replace(margin, model=Trees((BY_HAND,), targets=(0,), base=np.zeros(1)))
    good = pl.read_parquet(write_margin(StoredMargin(trees, "x", ("a", "b", "c"))))
    wrong = [
        good.with_columns(yes=pl.col("yes").list.eval(pl.element() * 0)),
        good.with_columns(feature=pl.col("feature").list.eval(pl.element() + 3)),
        good.with_columns(link=pl.lit("other")),
        good.drop("cover"),
        good.clear(),
    ]
    far = {"set_nodes": 1, "set_codes": 300_000_000, "targets": 1, "sizes": 1, "mode": 2}
    for name, moved in far.items():
        wrong.append(good.with_columns(pl.col(name).list.eval(pl.element() + moved)))
    wrong += [
        good.with_columns(set_codes=pl.col("set_codes").list.eval(pl.element() - 1)),
        good.with_columns(set_trees=pl.col("set_trees").list.eval(pl.element() - 1)),
        good.with_columns(targets=pl.col("targets").list.head(0)),
        good.with_columns(cover=pl.col("cover").list.head(3)),
        good.with_columns(base=pl.lit(pl.Series([[0.0, 0.0]]))),
        good.with_columns(link=pl.lit("scores"), classes=pl.lit(pl.Series([[0, 1]]))),
        good.with_columns(zero_is_missing=pl.lit(pl.Series([[True]]))),
    ]
    linear = pl.read_parquet(write_margin(StoredMargin(margin, "x", ("a", "b"))))
    assert read_margin(_parquet(linear)).sources == ("a", "b")
    wrong.append(linear.with_columns(sources=pl.lit(pl.Series([["a"]]))))
    for frame in wrong:
        with pytest.raises(BundleError, match="the model's sums can't be read"):
            read_margin(_parquet(frame))
    with pytest.raises(BundleError, match="the model's sums can't be read"):
        read_margin(b"PAR1")


def test_a_file_that_costs_more_than_it_weighs_is_refused() -> None:
    """A chain of questions, sets that name one far code each, and zeros by the million: before they cost."""
    margin = linear_margin(np.ones((1, 1)), np.zeros(1), means=np.zeros(1), classes=np.array([0, 1]))
    asks, n = np.arange(5000), 10_001
    leaf = np.zeros(n - len(asks), np.int64)
    chain = Tree(
        feature=np.zeros(n, np.int64),
        threshold=np.zeros(n),
        mode=np.where(np.arange(n) < len(asks), LEQ, LEAF).astype(np.uint8),
        yes=np.append(asks + 1, leaf),
        no=np.append(asks + len(asks) + 1, leaf),
        missing_yes=np.zeros(n, bool),
        value=np.zeros(n),
        cover=np.ones(n),
    )
    stump = replace(BY_HAND, feature=BY_HAND.feature * 0, members={1: [2**20 - 1], 4: []})
    several = {"too long": (chain,), "too many": (stump,) * 300}
    for what, trees in several.items():
        model = Trees(trees, targets=(0,) * len(trees), base=np.zeros(1))
        with pytest.raises(BundleError, match=what):
            read_margin(write_margin(StoredMargin(replace(margin, model=model), "x", ("a",))))
    good = pl.read_parquet(write_margin(StoredMargin(margin, "x", ("a",))))
    many = good.with_columns(means=pl.Series([pl.zeros(40_000_000, eager=True)]))
    with pytest.raises(BundleError, match="far more than the file"):
        read_margin(_parquet(many))


def test_a_graph_that_is_none_is_refused() -> None:
    """Bytes that are no message of ONNX are told as such, as the scorer tells them."""
    margin = linear_margin(np.ones((1, 1)), np.zeros(1), means=np.zeros(1), classes=np.array([0, 1]))
    with pytest.raises(BundleError, match="not an ONNX graph"):
        Adder(StoredMargin(margin, "x", ("a",)), b"no graph", schema_columns=(), threads=1)


def _parquet(frame: pl.DataFrame) -> bytes:
    import io

    written = io.BytesIO()
    frame.write_parquet(written)
    return written.getvalue()

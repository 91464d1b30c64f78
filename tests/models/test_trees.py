"""The tree writer against a walk in Python, and scikit-learn's trees against scikit-learn."""

from collections.abc import Iterator
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.graph import Graph
from engine.models.trees import (
    LEAF,
    LEQ,
    LT,
    MEMBER,
    Tree,
    Trees,
    leaf,
    write,
    write_mean_of_vectors,
)
from engine.models.trees_sklearn import write_sklearn_trees


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    import sklearn.ensemble  # noqa: F401 - what is not loaded yet can't be limited
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


# x0 <= 1.5 ? (x1 in {0, 63, 64, 65, 300} ? 10 : 20) : (x0 < 4 ? 30 : 40); NaN: yes, no, yes.
BY_HAND = Tree(
    feature=np.array([0, 1, 0, 0, 0, 0, 0]),
    threshold=np.array([1.5, 0.0, 4.0, 0.0, 0.0, 0.0, 0.0]),
    mode=np.array([LEQ, MEMBER, LT, LEAF, LEAF, LEAF, LEAF], np.uint8),
    yes=np.array([1, 3, 5, 0, 0, 0, 0]),
    no=np.array([2, 4, 6, 0, 0, 0, 0]),
    missing_yes=np.array([True, False, True, False, False, False, False]),
    value=np.array([0.0, 0.0, 0.0, 10.0, 20.0, 30.0, 40.0]),
    members={1: [0, 63, 64, 65, 300]},
)


def test_a_tree_worked_by_hand(cases: ModuleType) -> None:
    """A tree of all three questions answers each row, NaN too, as worked out by hand."""
    rows = {
        (1.5, 0.0): 10.0,
        (1.5, 64.0): 10.0,
        (1.5, 65.0): 10.0,
        (1.5, 300.0): 10.0,
        (1.5, 1.0): 20.0,
        (1.5, 62.0): 20.0,
        (1.5, 301.0): 20.0,
        (-9.0, np.nan): 20.0,
        (np.nan, 63.0): 10.0,
        (np.nextafter(1.5, 2), 0.0): 30.0,
        (np.nextafter(4.0, 0), 0.0): 30.0,
        (4.0, 0.0): 40.0,
    }
    trees = Trees((BY_HAND,), targets=(0,), base=np.array([0.5]))

    got = _run(cases, trees, np.array(list(rows)))

    assert got.ravel().tolist() == [value + 0.5 for value in rows.values()]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_lone_leaf(cases: ModuleType, dtype: type[np.floating]) -> None:
    """A tree that is one leaf answers its value to every row, NaN and infinity too."""
    trees = Trees((leaf(2.5), leaf(-1.0)), targets=(1, 1), base=np.array([4.0, 8.0]))

    got = _run(cases, trees, np.array([[0.0], [np.nan], [np.inf]]), dtype=dtype)

    assert got.tolist() == [[4.0, 9.5]] * 3


def test_no_rows_and_one_row(cases: ModuleType) -> None:
    """0 rows give 0 rows, and 1 row gives 1."""
    trees = Trees((BY_HAND,), targets=(0,), base=np.zeros(1))

    assert _run(cases, trees, np.empty((0, 2))).shape == (0, 1)
    assert _run(cases, trees, np.zeros((1, 2))).tolist() == [[10.0]]


def test_the_empty_set(cases: ModuleType) -> None:
    """No value is in the empty set, not even minus infinity, and NaN goes where the node sends it."""
    empty = Tree(
        feature=np.zeros(3, np.int64),
        threshold=np.zeros(3),
        mode=np.array([MEMBER, LEAF, LEAF], np.uint8),
        yes=np.array([1, 0, 0]),
        no=np.array([2, 0, 0]),
        missing_yes=np.array([True, False, False]),
        value=np.array([0.0, 1.0, 2.0]),
        members={0: []},
    )

    got = _run(cases, Trees((empty,), targets=(0,), base=np.zeros(1)), np.array([[-np.inf], [0.0], [np.nan]]))

    assert got.ravel().tolist() == [2.0, 2.0, 1.0]


@st.composite
def random_trees(draw: st.DrawFn) -> Tree:
    """Draw a tree of up to 15 questions on two columns of numbers, with many ties, and one of level indices."""
    n_asks = draw(st.integers(0, 15))
    mode, feature, threshold = [LEAF], [0], [0.0]
    yes, no, missing, members = [0], [0], [False], {}
    for _ in range(n_asks):
        node = draw(st.sampled_from([number for number, kind in enumerate(mode) if kind == LEAF]))
        mode[node] = draw(st.sampled_from([LEQ, LT, MEMBER]))
        feature[node] = 2 if mode[node] == MEMBER else draw(st.integers(0, 2))
        threshold[node] = draw(st.sampled_from([-1.0, 0.0, 0.5, 3.0]))
        missing[node] = draw(st.booleans())
        yes[node], no[node] = len(mode), len(mode) + 1
        if mode[node] == MEMBER:
            members[node] = draw(st.lists(st.sampled_from([0, 1, 2, 3, 63, 64, 70]), unique=True))
        for column, default in (
            (mode, LEAF),
            (feature, 0),
            (threshold, 0.0),
            (yes, 0),
            (no, 0),
            (missing, 0),
        ):
            column += [default, default]
    return Tree(
        feature=np.array(feature),
        threshold=np.array(threshold),
        mode=np.array(mode, np.uint8),
        yes=np.array(yes),
        no=np.array(no),
        missing_yes=np.array(missing, bool),
        value=np.arange(len(mode), dtype=np.float64),
        members=members,
    )


@settings(max_examples=60, deadline=None)
@given(trees=st.lists(random_trees(), min_size=1, max_size=4))
def test_any_trees_answer_as_walked(cases: ModuleType, trees: list[Tree]) -> None:
    """Whatever the trees, the graph answers as a walk from node to node does."""
    random = np.random.default_rng(0)
    x = random.choice([np.nan, -np.inf, -1.0, -0.0, 0.0, 0.5, 3.0, 4.0], size=(80, 3))
    x[:, 2] = random.choice([np.nan, 0.0, 1.0, 2.0, 3.0, 62.0, 63.0, 64.0, 65.0, 70.0, 128.0], size=80)
    targets = tuple(number % 2 for number in range(len(trees)))

    got = _run(cases, Trees(tuple(trees), targets=targets, base=np.zeros(2)), x)

    want = np.zeros((len(x), 2))
    for tree, target in zip(trees, targets, strict=True):
        want[:, target] += [tree.value[_walk(tree, row)] for row in x]
    assert got.tolist() == want.tolist()


def test_a_mean_of_vectors(cases: ModuleType) -> None:
    """Leaves that hold vectors are averaged over more trees than are looked up at once."""
    vectors = np.arange(7 * 5, dtype=np.float64).reshape(7, 5)
    trees = [
        Tree(
            **{name: getattr(BY_HAND, name) for name in BY_HAND.__slots__ if name != "value"},
            value=vectors * n,
        )
        for n in range(250)
    ]
    x = np.array([[1.0, 63.0], [1.0, 2.0], [2.0, 0.0], [9.0, 0.0]])
    graph = Graph()
    graph.output(
        "y", write_mean_of_vectors(graph, graph.input("x", np.float64, width=2), trees), np.float64, width=5
    )

    got = cases.run(graph.build().SerializeToString(), x)

    np.testing.assert_allclose(got, vectors[3:] * np.mean(range(250)), rtol=1e-15)


@pytest.mark.parametrize("kind", ["binary", "multiclass"])
@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("DecisionTreeClassifier", {"max_depth": 6}),
        ("ExtraTreeClassifier", {}),
        ("ExtraTreesClassifier", {"n_estimators": 12}),
        ("RandomForestClassifier", {"n_estimators": 12, "class_weight": "balanced"}),
        ("GradientBoostingClassifier", {"n_estimators": 15}),
        ("GradientBoostingClassifier", {"n_estimators": 15, "init": "zero"}),
        ("HistGradientBoostingClassifier", {"max_iter": 15}),
    ],
)
def test_scikit_learns_classifiers(
    cases: ModuleType, kind: str, name: str, params: dict[str, object]
) -> None:
    """Each classifier that is made of trees is written to 1e-12 of its probabilities."""
    _assert_same(cases, kind, name, params)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("DecisionTreeRegressor", {"max_depth": 6, "criterion": "absolute_error"}),
        ("ExtraTreeRegressor", {}),
        ("ExtraTreesRegressor", {"n_estimators": 12}),
        ("RandomForestRegressor", {"n_estimators": 12}),
        ("GradientBoostingRegressor", {"n_estimators": 15, "loss": "huber"}),
        ("GradientBoostingRegressor", {"n_estimators": 15, "loss": "quantile"}),
        ("HistGradientBoostingRegressor", {"max_iter": 15, "loss": "absolute_error"}),
        ("HistGradientBoostingRegressor", {"max_iter": 15, "loss": "poisson"}),
        ("HistGradientBoostingRegressor", {"max_iter": 15, "loss": "gamma"}),
    ],
)
def test_scikit_learns_regressors(cases: ModuleType, name: str, params: dict[str, object]) -> None:
    """Each regressor that is made of trees is written, links too, to 1e-12 of values of some thousands."""
    _assert_same(cases, "continuous", name, params)


def test_the_exponential_loss(cases: ModuleType) -> None:
    """Boosting with the exponential loss has half the log odds as its margin."""
    _assert_same(cases, "binary", "GradientBoostingClassifier", {"n_estimators": 15, "loss": "exponential"})


def test_a_class_that_was_not_there(cases: ModuleType) -> None:
    """Columns of classes that the estimator never saw are 0, and the others stand in their places."""
    from sklearn.ensemble import RandomForestClassifier

    rows = cases.table("binary", n=200, missing=False)
    forest = RandomForestClassifier(5, random_state=0).fit(rows.x, rows.y * 2)
    graph = Graph()
    written = write_sklearn_trees(forest, graph, graph.input("x", np.float64, width=cases.WIDTH), n_classes=4)
    assert written is not None
    graph.output("y", written, np.float64, width=4)

    got = cases.run(graph.build().SerializeToString(), rows.x)

    known = forest.predict_proba(rows.x)
    np.testing.assert_allclose(got[:, [0, 2]], known, atol=1e-15)
    assert not got[:, [1, 3]].any()


def test_a_code_that_training_did_not_hold(cases: ModuleType) -> None:
    """HistGradientBoosting takes an unknown code for missing, and so does its graph."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows = cases.table("binary", n=900, missing=True)
    x = rows.x.copy()
    x[np.isin(x[:, 3], [2, 5, 11]), 3] = np.nan
    boosting = HistGradientBoostingClassifier(max_iter=20, categorical_features=[3, 4, 5], random_state=0)
    boosting.fit(x, rows.y)
    asked = rows.x.copy()
    asked[:30, 3] = [2, 5, 11, 12, 64, 200] * 5

    assert _difference(cases, boosting, asked, n_classes=2) <= 1e-12


def test_what_is_not_trees(cases: ModuleType) -> None:
    """An estimator of another kind, or trees that start from another estimator, are not written."""
    from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    rows = cases.table("continuous", n=100, missing=False)
    graph = Graph()
    x = graph.input("x", np.float64, width=cases.WIDTH)
    others = [
        LinearRegression().fit(rows.x, rows.y),
        GradientBoostingRegressor(n_estimators=2, init=LinearRegression()).fit(rows.x, rows.y),
        RandomForestRegressor(2, random_state=0).fit(rows.x, np.column_stack([rows.y, rows.y])),
    ]

    assert [write_sklearn_trees(other, graph, x, n_classes=1) for other in others] == [None] * 3


def _run(
    cases: ModuleType, trees: Trees, x: np.ndarray, *, dtype: type[np.floating] = np.float64
) -> np.ndarray:
    graph = Graph()
    asked = graph.cast(graph.input("x", np.float64, width=x.shape[1]), dtype)
    written = graph.cast(write(graph, asked, trees, dtype=dtype), np.float64)
    graph.output("y", written, np.float64, width=len(trees.base))
    got: np.ndarray = cases.run(graph.build().SerializeToString(), x)
    return got


def _walk(tree: Tree, row: np.ndarray) -> int:
    node = 0
    while tree.mode[node] != LEAF:
        value = row[tree.feature[node]]
        if np.isnan(value):
            goes = tree.missing_yes[node]
        elif tree.mode[node] == MEMBER:
            goes = value in tree.members[node]
        else:
            goes = value < tree.threshold[node] or (tree.mode[node] == LEQ and value == tree.threshold[node])
        node = int((tree.yes if goes else tree.no)[node])
    return node


def _assert_same(cases: ModuleType, kind: str, name: str, params: dict[str, object]) -> None:
    import sklearn.ensemble
    import sklearn.tree

    missing = name.startswith("Hist")
    rows = cases.table(kind, n=600, missing=missing)
    made = getattr(sklearn.ensemble, name, None) or getattr(sklearn.tree, name)
    estimator = made(**params, random_state=0).fit(rows.x, rows.y)
    x = np.vstack([rows.x, np.nextafter(rows.x, np.inf), cases.table(kind, n=300, missing=missing, seed=1).x])
    assert _difference(cases, estimator, x, n_classes=cases.N_CLASSES[kind]) <= 1e-12 * max(1.0, rows.y.max())


def _difference(cases: ModuleType, estimator: object, x: np.ndarray, *, n_classes: int) -> float:
    graph = Graph()
    written = write_sklearn_trees(
        estimator, graph, graph.input("x", np.float64, width=x.shape[1]), n_classes=n_classes
    )
    assert written is not None
    graph.output("y", written, np.float64, width=n_classes)
    got = cases.run(graph.build().SerializeToString(), x)
    ask = estimator.predict_proba if n_classes > 1 else estimator.predict  # type: ignore[attr-defined]
    return float(np.abs(got - ask(x).reshape(-1, n_classes)).max())

"""Trees of any library as one kind of description, and that description as nodes of the graph.

A library's reader (scikit-learn's is here, LightGBM's and XGBoost's beside this file) turns its trees into
`Tree`s; `write` knows only those. The operator is TreeEnsemble of ai.onnx.ml opset 5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from engine.graph import ML, Graph
from engine.models.probabilities import write_sigmoid, write_two_classes, write_widened

Array: TypeAlias = "np.ndarray"

# How a node asks its question, numbered as TreeEnsemble numbers its modes; LEAF is ours.
LEQ, LT, MEMBER, LEAF = 0, 1, 6, 255
_SUM, _NO_TRANSFORM = 1, 0
# Leaf numbers held at once for each row, as numbers of the output they are looked up for.
_LOOKED_UP_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Tree:
    """One binary tree as arrays over its n nodes; node 0 is the root.

    Attributes
    ----------
    feature
        Shape (n,), int64: the column of x that a node asks about.
    threshold
        Shape (n,), float64: the bound of an LEQ (x <= threshold) or LT (x < threshold) node.
    mode
        Shape (n,), uint8: LEQ, LT, MEMBER (x is one of `members[node]`) or LEAF.
    yes, no
        Shape (n,), int64: the nodes that follow.
    missing_yes
        Shape (n,), bool: whether NaN goes to `yes`.
    value
        Shape (n,), or (n, k) of a tree whose leaves hold vectors; read at leaves only.
    members
        The set of each MEMBER node. Both the set and x hold whole numbers from 0 there, or x is NaN:
        onnxruntime (1.32) looks up by bits, and takes 1.5 for 1, and -1 for 63.
    """

    feature: Array
    threshold: Array
    mode: Array
    yes: Array
    no: Array
    missing_yes: Array
    value: Array
    members: Mapping[int, Sequence[float]] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of trees: tree i adds its leaf's value to output `targets[i]`, which starts at `base`.

    `base` has shape (n_targets,).
    """

    trees: tuple[Tree, ...]
    targets: tuple[int, ...]
    base: Array


def leaf(value: float) -> Tree:
    """Return the tree that answers `value` to every row."""
    zero, mode = np.zeros(1, np.int64), np.array([LEAF], np.uint8)
    return Tree(zero, np.zeros(1), mode, zero, zero, np.zeros(1, bool), np.array([value]))


def write(graph: Graph, x: str, trees: Trees, *, dtype: type[np.floating] | None = None) -> str:
    """Write a sum of trees and return the tensor of shape (rows, n_targets).

    Parameters
    ----------
    x
        A tensor of shape (rows, n_features) and of type `dtype`.
    trees
        Values of shape (n,). The sum of a row runs in the order of trees, `base` first, as long as the
        runtime has one thread or many rows; else the last bits may differ.
    dtype
        The type of comparisons, sums and result: double (None), or float for a library that sums in float.

    Notes
    -----
    TreeEnsemble: https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html
    """
    base = [leaf(float(value)) for value in trees.base]
    return _ensemble(
        graph,
        x,
        [*base, *trees.trees],
        targets=[*range(len(base)), *trees.targets],
        n_targets=len(base),
        dtype=dtype or np.float64,
    )


def write_mean_of_vectors(graph: Graph, x: str, trees: Sequence[Tree]) -> str:
    """Write the mean of trees whose leaves hold vectors of length k; the tensor has shape (rows, k).

    A leaf of TreeEnsemble holds one number, so each tree answers with its leaf's row in a table of vectors.
    """
    width = trees[0].value.shape[1]
    step = max(_LOOKED_UP_AT_ONCE // width, 1)
    sums = [_sum_of_vectors(graph, x, trees[start : start + step]) for start in range(0, len(trees), step)]
    total = sums[0]
    for more in sums[1:]:
        total = graph.node("Add", [total, more])
    return graph.node("Div", [total, graph.constant(float(len(trees)))])


def write_sklearn_trees(estimator: object, graph: Graph, x: str, *, n_classes: int) -> str | None:
    """Write a fitted tree, forest or boosting of scikit-learn, or return None if it is not one we know.

    Parameters
    ----------
    estimator
        Fitted on y of class indices, if it is a classifier; one output.
    x
        A double tensor of shape (rows, n_features).
    n_classes
        Columns of the result; those of classes that the estimator never saw are 0. 1 if it is a regressor.

    Returns
    -------
    str or None
        A double tensor: probabilities of shape (rows, n_classes), or values of shape (rows, 1).
    """
    writer = _SKLEARN.get(type(estimator).__name__)
    if writer is None or not type(estimator).__module__.startswith("sklearn."):
        return None
    written = writer(estimator, graph, x)
    classes = getattr(estimator, "classes_", None)
    if written is None or classes is None or len(classes) == n_classes:
        return written
    return write_widened(graph, written, classes=np.asarray(classes, np.int64), n_classes=n_classes)


def _write_forest(estimator: Any, graph: Graph, x: str) -> str | None:
    """Average the trees' answers: probabilities for classes, as `RandomForestClassifier.predict_proba`."""
    members = getattr(estimator, "estimators_", None) or [estimator]
    if estimator.n_outputs_ != 1:
        return None
    trees = [_read_sklearn_tree(member.tree_) for member in members]
    x = _as_float(graph, x)
    width = trees[0].value.shape[1]
    if hasattr(estimator, "classes_") and width != 2:  # noqa: PLR2004 - of two, one says the other
        return write_mean_of_vectors(graph, x, trees)
    shares = tuple(replace(tree, value=tree.value[:, -1] / len(trees)) for tree in trees)
    mean = write(graph, x, Trees(shares, targets=(0,) * len(trees), base=np.zeros(1)))
    return write_two_classes(graph, mean) if hasattr(estimator, "classes_") else mean


def _write_gradient_boosting(estimator: Any, graph: Graph, x: str) -> str | None:
    """Sum the trees onto the first guess, as `GradientBoostingClassifier._raw_predict`."""
    if estimator.init is not None and estimator.init != "zero":
        return None
    trees, targets = [], []
    for stage in estimator.estimators_:
        for target, member in enumerate(stage):
            tree = _read_sklearn_tree(member.tree_)
            trees.append(replace(tree, value=tree.value[:, 0] * estimator.learning_rate))
            targets.append(target)
    base = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_)))[0]  # noqa: SLF001
    margins = write(graph, _as_float(graph, x), Trees(tuple(trees), tuple(targets), base))
    if not hasattr(estimator, "classes_"):
        return margins
    if len(base) > 1:
        return graph.node("Softmax", [margins], axis=-1)
    # The exponential loss is least at half the log odds: Hastie et al., Statistical Learning, 10.4.
    return write_sigmoid(graph, margins, slope=2.0 if estimator.loss == "exponential" else 1.0)


def _write_hist_gradient_boosting(estimator: Any, graph: Graph, x: str) -> str:
    """Sum the trees onto the baseline, and undo the loss's link, as `HistGradientBoosting*._raw_predict`."""
    trees, targets = [], []
    columns, categories = _hist_columns(estimator)
    for stage in estimator._predictors:  # noqa: SLF001
        for target, predictor in enumerate(stage):
            trees.append(_read_hist_tree(predictor, columns=columns, categories=categories))
            targets.append(target)
    base = estimator._baseline_prediction[0]  # noqa: SLF001
    margins = write(graph, x, Trees(tuple(trees), tuple(targets), base))
    if not hasattr(estimator, "classes_"):
        return graph.node("Exp", [margins]) if estimator.loss in {"poisson", "gamma"} else margins
    return graph.node("Softmax", [margins], axis=-1) if len(base) > 1 else write_sigmoid(graph, margins)


def _as_float(graph: Graph, x: str) -> str:
    """Round to float and back: these trees are fitted and asked on float32, with thresholds in double."""
    return graph.cast(graph.cast(x, np.float32), np.float64)


def _read_sklearn_tree(tree: Any) -> Tree:
    """Read a `sklearn.tree._tree.Tree` of one output; its values have shape (n_nodes, n_classes or 1)."""
    is_leaf = tree.children_left < 0
    return Tree(
        feature=np.where(is_leaf, 0, tree.feature).astype(np.int64),
        threshold=np.asarray(tree.threshold, np.float64),
        mode=np.where(is_leaf, LEAF, LEQ).astype(np.uint8),
        yes=np.asarray(tree.children_left, np.int64),
        no=np.asarray(tree.children_right, np.int64),
        missing_yes=np.asarray(tree.missing_go_to_left, bool),
        value=np.asarray(tree.value[:, 0, :], np.float64),
    )


def _hist_columns(estimator: Any) -> tuple[Array, dict[int, Array]]:
    """Return the column of x of each feature the trees know, and the codes of those that are categories.

    The estimator moves its categories to the front and numbers the codes that training held.
    """
    is_category = estimator.is_categorical_
    if is_category is None:
        return np.arange(estimator.n_features_in_), {}
    columns = np.concatenate([np.flatnonzero(is_category), np.flatnonzero(~is_category)])
    encoder = estimator._preprocessor.named_transformers_["encoder"]  # noqa: SLF001
    held = [np.asarray(codes, np.float64) for codes in encoder.categories_]
    return columns, {feature: codes[~np.isnan(codes)] for feature, codes in enumerate(held)}


def _read_hist_tree(predictor: Any, *, columns: Array, categories: Mapping[int, Array]) -> Tree:
    """Read a `TreePredictor`: a category goes left if it is in the node's bitset.

    A code that training did not hold goes where NaN goes. So the question of a node that sends NaN left is
    turned round: is it one of the known codes that go right?
    """
    nodes = predictor.nodes
    is_leaf, missing_left = nodes["is_leaf"].astype(bool), nodes["missing_go_to_left"].astype(bool)
    is_member = nodes["is_categorical"].astype(bool) & ~is_leaf
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    turned = is_member & missing_left
    members = {}
    for node in np.flatnonzero(is_member).tolist():
        codes = categories[int(nodes["feature_idx"][node])]
        words = predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]].astype("<u4")
        goes_left = np.unpackbits(words.view(np.uint8), bitorder="little")[: len(codes)].astype(bool)
        members[node] = codes[goes_left != turned[node]].tolist()
    return Tree(
        feature=columns[np.where(is_leaf, 0, nodes["feature_idx"])],
        threshold=np.where(is_member, 0.0, nodes["num_threshold"]),
        mode=np.select([is_leaf, is_member], [LEAF, MEMBER], LEQ).astype(np.uint8),
        yes=np.where(turned, right, left),
        no=np.where(turned, left, right),
        missing_yes=missing_left & ~is_member,
        value=nodes["value"].astype(np.float64),
        members=members,
    )


def _sum_of_vectors(graph: Graph, x: str, trees: Sequence[Tree]) -> str:
    tables = [tree.value[tree.mode == LEAF] for tree in trees]
    numbered, first = [], 0
    for tree, table in zip(trees, tables, strict=True):
        number = np.zeros(tree.mode.size)
        number[tree.mode == LEAF] = np.arange(first, first + len(table))
        numbered.append(replace(tree, value=number))
        first += len(table)
    n_trees = len(trees)
    found = _ensemble(graph, x, numbered, targets=list(range(n_trees)), n_targets=n_trees, dtype=np.float64)
    rows = graph.cast(found, np.int64)
    vectors = graph.node("Gather", [graph.constant(np.concatenate(tables)), rows], axis=0)
    return graph.node("ReduceSum", [vectors, graph.constant([1])], keepdims=0)


def _ensemble(
    graph: Graph,
    x: str,
    trees: Sequence[Tree],
    *,
    targets: Sequence[int],
    n_targets: int,
    dtype: type[np.floating],
) -> str:
    trees = [_as_the_operator_takes_it(tree) for tree in trees]
    sizes = np.array([tree.mode.size for tree in trees])
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    mode = np.concatenate([tree.mode for tree in trees])
    is_leaf = mode == LEAF
    # The operator counts questions and leaves apart.
    place = np.where(is_leaf, np.cumsum(is_leaf), np.cumsum(~is_leaf)) - 1
    asks = ~is_leaf
    yes, no = (
        np.concatenate([getattr(tree, child) + root for tree, root in zip(trees, roots, strict=True)])[asks]
        for child in ("yes", "no")
    )
    members = [
        np.array([*tree.members[node], np.nan])
        for tree in trees
        for node in np.flatnonzero(tree.mode == MEMBER).tolist()
    ]
    sets = {"membership_values": np.concatenate(members).astype(dtype)} if members else {}
    return graph.node(
        "TreeEnsemble",
        [x],
        domain=ML,
        tree_roots=place[roots].tolist(),
        nodes_featureids=np.concatenate([tree.feature for tree in trees])[asks].tolist(),
        nodes_splits=np.concatenate([tree.threshold for tree in trees])[asks].astype(dtype),
        nodes_modes=mode[asks],
        nodes_truenodeids=place[yes].tolist(),
        nodes_trueleafs=is_leaf[yes].astype(int).tolist(),
        nodes_falsenodeids=place[no].tolist(),
        nodes_falseleafs=is_leaf[no].astype(int).tolist(),
        nodes_missing_value_tracks_true=np.concatenate([tree.missing_yes for tree in trees])[asks]
        .astype(int)
        .tolist(),
        leaf_targetids=np.repeat(np.asarray(targets), sizes)[is_leaf].tolist(),
        leaf_weights=np.concatenate([tree.value for tree in trees])[is_leaf].astype(dtype),
        n_targets=n_targets,
        aggregate_function=_SUM,
        post_transform=_NO_TRANSFORM,
        **sets,
    )


def _as_the_operator_takes_it(tree: Tree) -> Tree:
    """Give a lone leaf a question with one answer; ask x < -inf for the empty set, which nothing is in."""
    if tree.mode[0] == LEAF:
        one = np.array([1, 0])
        return Tree(
            feature=np.zeros(2, np.int64),
            threshold=np.zeros(2),
            mode=np.array([LEQ, LEAF], np.uint8),
            yes=one,
            no=one,
            missing_yes=np.zeros(2, bool),
            value=np.array([0.0, tree.value[0]]),
        )
    empty = [node for node, values in tree.members.items() if not len(values)]
    if not empty:
        return tree
    mode, threshold = tree.mode.copy(), tree.threshold.copy()
    mode[empty], threshold[empty] = LT, -np.inf
    return replace(tree, mode=mode, threshold=threshold)


_FORESTS = ("DecisionTree", "ExtraTree", "ExtraTrees", "RandomForest")
_BOOSTINGS = {
    "GradientBoosting": _write_gradient_boosting,
    "HistGradientBoosting": _write_hist_gradient_boosting,
}
_SKLEARN: Mapping[str, Callable[[Any, Graph, str], str | None]] = {
    stem + kind: writer
    for stem, writer in {**dict.fromkeys(_FORESTS, _write_forest), **_BOOSTINGS}.items()
    for kind in ("Classifier", "Regressor")
}

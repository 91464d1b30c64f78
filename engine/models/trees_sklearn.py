"""Reads scikit-learn's trees, forests and boosting, and writes them into the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from engine.graph import Graph
from engine.models.margin import Margin, scaled
from engine.models.probabilities import write_sigmoid, write_two_classes, write_widened
from engine.models.trees import LEAF, LEQ, MEMBER, Array, Tree, Trees, write, write_mean_of_vectors


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
    if estimator.n_outputs_ != 1:
        return None
    trees = _read_members(estimator)
    x = _as_float(graph, x)
    width = trees[0].value.shape[1]
    if hasattr(estimator, "classes_") and width != 2:  # noqa: PLR2004 - of two, one says the other
        return write_mean_of_vectors(graph, x, trees)
    shares = tuple(replace(tree, value=tree.value[:, -1] / len(trees)) for tree in trees)
    mean = write(graph, x, Trees(shares, targets=(0,) * len(trees), base=np.zeros(1)))
    return write_two_classes(graph, mean) if hasattr(estimator, "classes_") else mean


def _write_gradient_boosting(estimator: Any, graph: Graph, x: str) -> str | None:
    """Sum the trees onto the first guess, as `GradientBoostingClassifier._raw_predict`."""
    read = _read_gradient_boosting(estimator)
    if read is None:
        return None
    margins = write(graph, _as_float(graph, x), read)
    if not hasattr(estimator, "classes_"):
        return margins
    if len(read.base) > 1:
        return graph.node("Softmax", [margins], axis=-1)
    # The exponential loss is least at half the log odds: Hastie et al., Statistical Learning, 10.4.
    return write_sigmoid(graph, margins, slope=2.0 if estimator.loss == "exponential" else 1.0)


def _write_hist_gradient_boosting(estimator: Any, graph: Graph, x: str) -> str:
    """Sum the trees onto the baseline, and undo the loss's link, as `HistGradientBoosting*._raw_predict`."""
    read = _read_hist_gradient_boosting(estimator)
    margins = write(graph, x, read)
    if not hasattr(estimator, "classes_"):
        return graph.node("Exp", [margins]) if estimator.loss in _LOG_LOSSES else margins
    return graph.node("Softmax", [margins], axis=-1) if len(read.base) > 1 else write_sigmoid(graph, margins)


def sklearn_margin(estimator: Any, *, classes: tuple[int, ...]) -> Margin | None:
    """Return the sums of a fitted tree, forest or boosting of scikit-learn, or None if it is none we know.

    A forest adds up probabilities or values themselves; boosting adds up log-odds, scores or values.

    Parameters
    ----------
    classes
        Those that training held; empty of a regressor.
    """
    kind = type(estimator).__name__.removesuffix("Classifier").removesuffix("Regressor")
    if not type(estimator).__module__.startswith("sklearn.") or kind not in {*_FORESTS, *_BOOSTINGS}:
        return None
    if kind in _FORESTS:
        return _forest_margin(estimator, classes) if estimator.n_outputs_ == 1 else None
    is_hist = kind != "GradientBoosting"
    read = _read_hist_gradient_boosting(estimator) if is_hist else _read_gradient_boosting(estimator)
    if read is None:
        return None
    if not classes:
        return Margin(read, "log" if estimator.loss in _LOG_LOSSES else "identity", (), single=not is_hist)
    if len(read.base) > 1:
        return Margin(read, "scores", classes, single=not is_hist)
    # Half the log-odds, as the writer has it.
    factor = 2.0 if estimator.loss == "exponential" else 1.0
    return Margin(scaled(read, factor), "logit", classes[-1:], single=not is_hist)


def _forest_margin(estimator: Any, classes: tuple[int, ...]) -> Margin:
    trees = _read_members(estimator)
    # Of two classes one says the other.
    kept = slice(-1, None) if len(classes) == 2 else slice(None)  # noqa: PLR2004 - as above
    mean = tuple(replace(tree, value=tree.value[:, kept] / len(trees)) for tree in trees)
    n_sums = mean[0].value.shape[1]
    sums = Trees(mean, targets=(0,) * len(mean), base=np.zeros(n_sums))
    return Margin(sums, "probability" if classes else "identity", classes[-n_sums:], single=True)


def _read_members(estimator: Any) -> list[Tree]:
    members = getattr(estimator, "estimators_", None) or [estimator]
    return [_read_sklearn_tree(member.tree_) for member in members]


def _read_gradient_boosting(estimator: Any) -> Trees | None:
    if estimator.init is not None and estimator.init != "zero":
        return None
    trees, targets = [], []
    for stage in estimator.estimators_:
        for target, member in enumerate(stage):
            tree = _read_sklearn_tree(member.tree_)
            trees.append(replace(tree, value=tree.value[:, 0] * estimator.learning_rate))
            targets.append(target)
    base = estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_)))[0]  # noqa: SLF001
    return Trees(tuple(trees), tuple(targets), base)


def _read_hist_gradient_boosting(estimator: Any) -> Trees:
    trees, targets = [], []
    columns, categories = _hist_columns(estimator)
    for stage in estimator._predictors:  # noqa: SLF001
        for target, predictor in enumerate(stage):
            trees.append(_read_hist_tree(predictor, columns=columns, categories=categories))
            targets.append(target)
    base = estimator._baseline_prediction[0]  # noqa: SLF001
    return Trees(tuple(trees), tuple(targets), base)


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
        cover=np.asarray(tree.weighted_n_node_samples, np.float64),
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
        cover=nodes["count"].astype(np.float64),
    )


_LOG_LOSSES = frozenset({"poisson", "gamma"})
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

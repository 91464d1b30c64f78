"""Trees of any library as one kind of description, and that description as nodes of the graph.

A library's reader (`trees_sklearn`, `trees_lightgbm`, `trees_xgboost`) turns its trees into `Tree`s; `write`
knows only those. The operator is TreeEnsemble of ai.onnx.ml opset 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal, TypeAlias

import numpy as np

from engine.graph import ML, Graph

Array: TypeAlias = "np.ndarray"
# How an answer follows from a sum: of classes by the odds of the last, a score of each, or as they are.
Link: TypeAlias = Literal["identity", "log", "root", "logit", "scores", "probability"]

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
    cover
        Shape (n,): how much of the training rows each node saw, as the library counts it; None where nobody
        asks.
    """

    feature: Array
    threshold: Array
    mode: Array
    yes: Array
    no: Array
    missing_yes: Array
    value: Array
    members: Mapping[int, Sequence[float]] = field(default_factory=lambda: MappingProxyType({}))
    cover: Array | None = None


@dataclass(frozen=True, slots=True)
class Trees:
    """A sum of trees: tree i adds its leaf's value to output `targets[i]`, which starts at `base`.

    `base` has shape (n_targets,). A tree whose leaves hold vectors adds to all outputs.
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

"""What each column adds to a sum of trees: exact Shapley values, path by path, in numpy.

A column that is not known is taken as the training rows went: at its questions a row goes both ways, in the
shares of rows that did. That is the path-dependent TreeSHAP of Lundberg et al., "From local explanations to
global understanding with explainable AI for trees" (2020), reached another way. It knows no library and no
file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from engine.models.trees import LEAF, LT, Tree, Trees

Array: TypeAlias = "np.ndarray"

# Numbers that are held at once, and of these as many as stay in a processor's cache.
_HELD, _CACHED = 1 << 24, 1 << 16
# Nodes whose paths are laid out at once; a forest of deep trees has millions.
_NODES_AT_ONCE = 200_000
# Of sums with more, what is laid out is thrown away again.
_KEPT_NODES = 1_000_000
# Of a side that no training row took; a true 0 would divide 0 by 0.
_NO_SHARE = 1e-60


@dataclass(frozen=True, slots=True)
class Added:
    """What columns add to k sums, of n rows and d columns.

    Attributes
    ----------
    base
        Shape (k,): the sums where no column is known.
    values
        Shape (n, d, k): with `base` they sum to the model's own margin.
    """

    base: Array
    values: Array


@dataclass(frozen=True, slots=True)
class _Paths:
    """The paths to L leaves that each ask about the same number D of columns.

    Attributes
    ----------
    questions, answers
        Shape (n_edges,): the nodes on the paths, and whether each says yes there; those of one path and one
        column stand together, and `starts`, shape (L * D,), says where.
    columns, shares
        Shape (L, D): the column, and the share of rows that go on along the path at its questions.
    values
        Shape (L, k).
    """

    questions: Array
    answers: Array
    starts: Array
    columns: Array
    shares: Array
    values: Array


class TreeSum:
    """A sum of trees that can be taken apart by column; each tree has its `cover`."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees

    def added(self, x: Array) -> Added:
        """Return what the columns of x, shape (n, d) as the trees were fitted on, add to the sums.

        Notes
        -----
        The Shapley value of a column is the integral over t in [0, 1] of what it adds where each other column
        is known with probability t (Owen, "Multilinear extensions of games", 1972). Along a path that asks
        about D columns that is a polynomial of degree D - 1 in t, which Gauss and Legendre's rule integrates
        exactly by D / 2 points: O(n * leaves * D * D), without the tables of 2^D of Yang, "Fast TreeSHAP"
        (2021), and steady as Yu et al., "Linear TreeShap" (2022), is not: all terms have one sign.
        """
        base = np.array(self._trees.base, np.float64)
        values = np.zeros((x.shape[1], len(base), len(x)))
        for nodes, several in self._kept or _laid_out(self._trees):
            for paths in several:
                base += paths.shares.prod(axis=1) @ paths.values
            step = max(_HELD // len(nodes.mode), 1)
            for start in range(0, len(x), step):
                says_yes = nodes.ask(x[start : start + step])
                for paths in several:
                    _add(paths, says_yes, values[:, :, start : start + step])
        return Added(base, np.ascontiguousarray(values.transpose(2, 0, 1)))

    @cached_property
    def _kept(self) -> tuple[tuple[_Nodes, tuple[_Paths, ...]], ...]:
        """What is laid out once for all, of a sum that is not too large."""
        n_nodes = sum(tree.mode.size for tree in self._trees.trees)
        return tuple(_laid_out(self._trees)) if n_nodes <= _KEPT_NODES else ()


@dataclass(frozen=True, slots=True)
class _Nodes:
    """The nodes of several trees as one table of N rows; `sets` has a row of flags a node with members."""

    feature: Array
    threshold: Array
    mode: Array
    missing_yes: Array
    members: Array
    sets: Array

    def ask(self, x: Array) -> Array:
        """Return whether each node says yes to each row of x, shape (N, n)."""
        says_yes = np.empty((len(self.mode), len(x)), bool)
        by_column = np.ascontiguousarray(x.T)
        missing = np.isnan(by_column)
        step = max(_CACHED // max(len(x), 1), 1)
        for start in range(0, len(self.mode), step):
            own = slice(start, start + step)
            feature, threshold = self.feature[own], self.threshold[own, None]
            told, is_less = by_column[feature], self.mode[own] == LT
            said = says_yes[own]
            np.less_equal(told, threshold, out=said)
            if is_less.any():
                said[is_less] = told[is_less] < threshold[is_less]
        if len(self.members):
            of_sets = by_column[self.feature[self.members]]
            codes = np.nan_to_num(of_sets, nan=-1.0)
            known = (codes >= 0) & (codes < self.sets.shape[1])
            places = np.where(known, codes, 0).astype(np.int64)
            says_yes[self.members] = np.take_along_axis(self.sets, places, axis=1) & known
        for column in np.flatnonzero(missing.any(axis=1)):
            asked = np.flatnonzero(self.feature == column)
            rows = np.flatnonzero(missing[column])
            says_yes[np.ix_(asked, rows)] = self.missing_yes[asked, None]
        return says_yes


def _laid_out(trees: Trees) -> Iterator[tuple[_Nodes, tuple[_Paths, ...]]]:
    """Lay trees out, as many at a time as have few enough nodes together."""
    sizes = np.array([tree.mode.size for tree in trees.trees], np.int64)
    batch = np.cumsum(sizes) // _NODES_AT_ONCE
    for number in np.unique(batch):
        yield _lay_out(trees, np.flatnonzero(batch == number).tolist())


def _lay_out(trees: Trees, places: list[int]) -> tuple[_Nodes, tuple[_Paths, ...]]:
    chosen = [trees.trees[place] for place in places]
    sizes = np.array([tree.mode.size for tree in chosen], np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    whole = {
        name: np.concatenate([getattr(tree, name) for tree in chosen])
        for name in ("feature", "threshold", "mode", "missing_yes")
    }
    yes, no = (
        np.concatenate([getattr(tree, side) + root for tree, root in zip(chosen, roots, strict=True)])
        for side in ("yes", "no")
    )
    cover = np.concatenate([_cover(tree) for tree in chosen])
    values = np.zeros((len(cover), len(trees.base)))
    for tree, root, place in zip(chosen, roots, places, strict=True):
        own = slice(root, root + tree.mode.size)
        if tree.value.ndim > 1:
            values[own] = tree.value
        else:
            values[own, trees.targets[place]] = tree.value
    sets = [
        (root + node, np.asarray(codes, np.int64))
        for tree, root in zip(chosen, roots.tolist(), strict=True)
        for node, codes in tree.members.items()
    ]
    width = 1 + max((int(codes.max(initial=0)) for _, codes in sets), default=0)
    flags = np.zeros((len(sets), width), bool)
    for place, (_, codes) in enumerate(sets):
        flags[place, codes] = True
    nodes = _Nodes(**whole, members=np.array([node for node, _ in sets], np.int64), sets=flags)
    return nodes, tuple(_paths(nodes, yes=yes, no=no, cover=cover, values=values))


def _paths(nodes: _Nodes, *, yes: Array, no: Array, cover: Array, values: Array) -> Iterator[_Paths]:
    """Walk from all leaves to their roots at once, and sort what they pass by path and column."""
    asks = np.flatnonzero(nodes.mode != LEAF)
    parent = np.full(len(cover), -1, np.int64)
    parent[yes[asks]] = parent[no[asks]] = asks
    by_yes = np.zeros(len(cover), bool)
    by_yes[yes[asks]] = True
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.maximum(np.nan_to_num(cover / cover[parent]), _NO_SHARE)
    leaves = np.flatnonzero((nodes.mode == LEAF) & (parent >= 0))
    # A lone leaf adds nothing by any column.
    alone = np.flatnonzero((nodes.mode == LEAF) & (parent < 0))
    if len(alone):
        none = np.zeros((len(alone), 0))
        empty = np.zeros(0, np.int64)
        yield _Paths(empty, empty.astype(bool), empty, none.astype(np.int64), none, values[alone])
    path, at = np.arange(len(leaves)), leaves
    passed: list[tuple[Array, Array]] = []
    while len(at):
        passed.append((path, at))
        above = parent[at]
        kept = parent[above] >= 0
        path, at = path[kept], above[kept]
    if not passed:
        return
    path, at = (np.concatenate(parts) for parts in zip(*passed, strict=True))
    column = nodes.feature[parent[at]]
    order = np.argsort(path * (1 + int(nodes.feature.max())) + column, kind="stable")
    path, at, column = path[order], at[order], column[order]
    begins = np.flatnonzero(np.diff(path, prepend=-1).astype(bool) | np.diff(column, prepend=-1).astype(bool))
    lengths = np.diff(begins, append=len(path))
    n_columns = np.bincount(path[begins], minlength=len(leaves))
    # Each path's own product over its questions of one column.
    shares = np.multiply.reduceat(share[at], begins)
    for d in np.unique(n_columns):
        own = n_columns[path[begins]] == d
        edges = np.repeat(own, lengths)
        yield _Paths(
            questions=parent[at[edges]],
            answers=by_yes[at[edges]],
            starts=np.concatenate([[0], np.cumsum(lengths[own])[:-1]]),
            columns=column[begins[own]].reshape(-1, d),
            shares=np.maximum(shares[own], _NO_SHARE).reshape(-1, d),
            values=values[leaves[np.flatnonzero(n_columns == d)]],
        )


def _add(paths: _Paths, says_yes: Array, values: Array) -> None:
    """Add to `values`, shape (d, k, n), what the columns add along some paths."""
    n_paths, d = paths.shares.shape
    if not d:
        return
    n, ends = says_yes.shape[1], np.append(paths.starts, len(paths.questions))
    points, weights = np.polynomial.legendre.leggauss((d + 1) // 2)
    t, weights = (1 + points) / 2, weights / 2
    step = max(_CACHED // (n * d), 1)
    for start in range(0, n_paths, step):
        own = slice(start, start + step)
        first, last = start * d, min(start + step, n_paths) * d
        edges = slice(ends[first], ends[last])
        agrees = says_yes[paths.questions[edges]] == paths.answers[edges, None]
        follows = np.logical_and.reduceat(agrees, paths.starts[first:last] - ends[first], axis=0)
        follows = follows.reshape(-1, d, n)
        shares = paths.shares[own, :, None]
        if_not = (1 - t) * shares
        if_so = t + if_not
        product = np.ones((len(shares), len(t), n))
        for place in range(d):
            product *= np.where(
                follows[:, place, None, :], if_so[:, place, :, None], if_not[:, place, :, None]
            )
        gains = np.matmul(weights * (1 - shares) / if_so, product)
        losses = np.matmul(-weights / (1 - t), product)
        added = np.where(follows, gains, losses[:, None, :]).reshape(-1, n)
        _gather(added, paths.columns[own].ravel(), np.repeat(paths.values[own], d, axis=0), values)


def _gather(added: Array, columns: Array, factors: Array, values: Array) -> None:
    """Sum rows of `added`, each times its factors (…, k), into `values` by column."""
    for target in range(factors.shape[1]):
        kept = np.flatnonzero(factors[:, target])
        if not len(kept):
            continue
        order = kept[np.argsort(columns[kept], kind="stable")]
        begins = np.flatnonzero(np.diff(columns[order], prepend=-1))
        sums = np.add.reduceat(added[order] * factors[order, target, None], begins, axis=0)
        values[columns[order][begins], target] += sums


def _cover(tree: Tree) -> Array:
    if tree.cover is None:
        raise AssertionError("a tree that is taken apart knows its covers")
    return tree.cover

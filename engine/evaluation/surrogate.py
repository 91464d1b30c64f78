"""A shallow tree that answers nearly as a model does: what it goes by in the large, in a few sentences.

Craven and Shavlik, "Extracting tree-structured representations of trained networks" (1996), in its plainest
form: the tree is fitted to the model's answers, and how near it comes is measured on other rows.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

from engine.tasks.task import Array

_DEPTH = 3
_LEAST_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class Rule:
    """One leaf: the conditions on the way to it, the share of rows there, and the answer."""

    conditions: tuple[str, ...]
    share: float
    answer: float


@dataclass(frozen=True, slots=True)
class SurrogateTree:
    """The leaves from left to right, and R² of the tree against the model on rows it was not fitted on."""

    rules: tuple[Rule, ...]
    fidelity: float | None


def surrogate_tree(
    x: Array,
    answers: Array,
    *,
    names: Sequence[str],
    flags: Container[int],
    held: tuple[Array, Array],
    seed: int,
) -> SurrogateTree:
    """Fit a tree of at most eight leaves to a model's answers.

    Parameters
    ----------
    x, answers
        Prepared rows, shape (n, d), and what the model says of them, shape (n,).
    names
        Of the d columns.
    flags
        The places of columns that say whether what they are named holds, by 1 or 0.
    held
        The same of other rows, on which is measured how near the tree comes.
    seed
        Decides between splits that are equally good.
    """
    from sklearn.tree import DecisionTreeRegressor

    tree: Any = DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=_LEAST_SHARE, random_state=seed)
    tree.fit(x, answers)
    others, theirs = held
    spread = float(((theirs - theirs.mean()) ** 2).sum()) if len(theirs) else 0.0
    missed = float(((theirs - tree.predict(others)) ** 2).sum()) if spread > 0 else 0.0
    return SurrogateTree(
        tuple(_rules(tree.tree_, x, names, flags, 0, ())), 1 - missed / spread if spread > 0 else None
    )


def _rules(
    tree: Any, x: Array, names: Sequence[str], flags: Container[int], node: int, passed: tuple[str, ...]
) -> list[Rule]:
    """Return the leaves below a node, from left to right."""
    left, right = int(tree.children_left[node]), int(tree.children_right[node])
    if left < 0:
        share = float(tree.weighted_n_node_samples[node] / tree.weighted_n_node_samples[0])
        return [Rule(passed, share, float(tree.value[node].ravel()[0]))]
    place = int(tree.feature[node])
    bound = _said(float(tree.threshold[node]), x[:, place])
    yes, no = f"{names[place]} ≤ {bound}", f"{names[place]} > {bound}"
    if place in flags:
        yes, no = f"not {names[place]}", names[place]
    ways = ((left, yes), (right, no))
    return [rule for way, said in ways for rule in _rules(tree, x, names, flags, way, (*passed, said))]


def _said(bound: float, values: Array) -> str:
    """Return a bound in as few digits, four or more, as leave each value on its side."""
    below, whole = values <= bound, len(str(int(abs(bound))))
    told = (f"{bound:.{digits}g}" for digits in range(max(whole, 4), 17))
    return next((said for said in told if ((values <= float(said)) == below).all()), repr(bound))

"""Reads LightGBM's trees from its model text, and writes them with the objective's link into the graph.

The text is the library's own lossless format: an array a line, and so read without a walk over nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.errors import EngineError
from engine.graph import Graph
from engine.models.margin import ZERO, Margin, scaled
from engine.models.probabilities import write_sigmoid
from engine.models.trees import LEAF, LEQ, MEMBER, Array, Link, Tree, Trees, write

# include/LightGBM/tree.h: bits of decision_type, and the missing types behind them.
_CATEGORICAL_BIT, _DEFAULT_LEFT_BIT, _MISSING_SHIFT, _MISSING_MASK = 1, 2, 2, 3
_MISSING_NONE, _MISSING_ZERO = 0, 1
_IDENTITIES = frozenset({"regression", "regression_l1", "huber", "fair", "quantile", "mape"})
_LOGS = frozenset({"poisson", "gamma", "tweedie"})
_VERSION = "v4"


@dataclass(frozen=True, slots=True)
class LightgbmModel:
    """What a model's text says: its trees, its objective with arguments, and the columns where 0 is missing.

    `zero_is_missing` has shape (n_features,), bool.
    """

    trees: Trees
    objective: tuple[str, ...]
    zero_is_missing: Array

    @property
    def slope(self) -> float:
        """What a margin is taken times to be log-odds."""
        words = (word for word in self.objective if word.startswith("sigmoid:"))
        return next((float(word.removeprefix("sigmoid:")) for word in words), 1.0)


def write_lightgbm(graph: Graph, x: str, *, text: str) -> str:
    """Write a LightGBM model and return its answer.

    Parameters
    ----------
    x
        A double tensor of shape (rows, n_features); whole numbers or NaN where a column holds categories.
    text
        What `Booster.model_to_string` gives.

    Returns
    -------
    str
        A double tensor: probabilities (rows, n_classes), or values (rows, 1).

    Raises
    ------
    EngineError
        If the text is of another format, has linear trees, or an objective that has no link here.
    """
    model = read_lightgbm(text)
    if model.zero_is_missing.any():
        x = _forget_zeros(graph, x, columns=model.zero_is_missing)
    margins = write(graph, x, model.trees)
    name, *arguments = model.objective
    slope = model.slope
    if name in _IDENTITIES:
        return _undo_square_root(graph, margins) if "sqrt" in arguments else margins
    if name in _LOGS:
        return graph.node("Exp", [margins])
    if name in {"binary", "cross_entropy"}:
        return write_sigmoid(graph, margins, slope=slope)
    if name == "multiclass":
        return graph.node("Softmax", [margins], axis=-1)
    if name == "multiclassova":
        return graph.node("Sigmoid", [graph.node("Mul", [margins, graph.constant(slope)])])
    raise EngineError.of(f"LightGBM's objective '{name}' has no graph")


def lightgbm_margin(text: str, *, classes: tuple[int, ...]) -> Margin:
    """Return a model's sums: log-odds, scores, or what its link for values is taken of.

    Parameters
    ----------
    classes
        Those that training held, in the order of the model's own.

    Raises
    ------
    EngineError
        As `write_lightgbm` says.
    """
    model = read_lightgbm(text)
    name = model.objective[0]
    of_values: Link = "log" if name in _LOGS else "root" if "sqrt" in model.objective else "identity"
    link: Link = of_values if not classes else "scores" if len(model.trees.base) > 1 else "logit"
    return Margin(
        scaled(model.trees, model.slope if classes else 1.0),
        link,
        classes if link == "scores" else classes[-1:],
        zero_is_missing=model.zero_is_missing,
    )


def read_lightgbm(text: str) -> LightgbmModel:
    """Read a model's text; raises as `write_lightgbm` says."""
    head, *blocks = text.partition("\nend of trees")[0].split("\nTree=")
    facts = _facts(head)
    if facts.get("version") != _VERSION:
        raise EngineError.of(
            f"LightGBM's model text is of version '{facts.get('version')}', not '{_VERSION}'"
        )
    n_targets = int(facts["num_tree_per_iteration"])
    tables = [_facts(block) for block in blocks]
    # Only random forests average, and they do so over iterations.
    share = 1.0 / (len(tables) // n_targets) if "average_output" in facts else 1.0
    n_features = int(facts["max_feature_idx"]) + 1
    zero_is_missing = np.zeros(n_features, bool)
    trees = []
    for table in tables:
        if table.get("is_linear", "0") != "0":
            raise EngineError.of("LightGBM's linear trees have no graph")
        trees.append(_read_tree(table, share=share, zero_is_missing=zero_is_missing))
    targets = tuple(number % n_targets for number in range(len(trees)))
    return LightgbmModel(
        trees=Trees(tuple(trees), targets=targets, base=np.zeros(n_targets)),
        objective=tuple(facts["objective"].split()),
        zero_is_missing=zero_is_missing,
    )


def _read_tree(table: dict[str, str], *, share: float, zero_is_missing: Array) -> Tree:
    """Read one tree: its questions come first, then its leaves, which children name as -1, -2, …."""
    leaves = _numbers(table["leaf_value"]) * share
    n_leaves, n_asks = len(leaves), len(leaves) - 1
    feature = np.zeros(n_asks + n_leaves, np.int64)
    threshold, value = np.zeros(len(feature)), np.zeros(len(feature))
    mode = np.full(len(feature), LEAF, np.uint8)
    yes, no = np.zeros(len(feature), np.int64), np.zeros(len(feature), np.int64)
    missing_yes = np.zeros(len(feature), bool)
    value[n_asks:] = leaves
    if not n_asks:
        return Tree(feature, threshold, mode, yes, no, missing_yes, value, cover=np.ones(1))
    bits = _numbers(table["decision_type"]).astype(np.int64)
    is_member, missing = (bits & _CATEGORICAL_BIT) > 0, (bits >> _MISSING_SHIFT) & _MISSING_MASK
    bounds = _numbers(table["threshold"])
    feature[:n_asks] = _numbers(table["split_feature"])
    zero_is_missing[feature[:n_asks][~is_member & (missing == _MISSING_ZERO)]] = True
    mode[:n_asks] = np.where(is_member, MEMBER, LEQ)
    threshold[:n_asks] = np.where(is_member, 0.0, _around_zero(bounds))
    for child, name in ((yes, "left_child"), (no, "right_child")):
        given = _numbers(table[name]).astype(np.int64)
        child[:n_asks] = np.where(given < 0, n_asks + ~given, given)
    default_left = (bits & _DEFAULT_LEFT_BIT) > 0
    # Where training saw nothing missing, NaN is read as 0; among categories it goes right (tree.h).
    missing_yes[:n_asks] = np.where(missing == _MISSING_NONE, bounds >= 0.0, default_left) & ~is_member
    members = {}
    if is_member.any():
        starts = _numbers(table["cat_boundaries"]).astype(np.int64)
        words = _numbers(table["cat_threshold"]).astype("<u4")
        for node in np.flatnonzero(is_member).tolist():
            number = int(bounds[node])
            part = words[starts[number] : starts[number + 1]]
            members[node] = np.flatnonzero(np.unpackbits(part.view(np.uint8), bitorder="little")).tolist()
    cover = np.concatenate([_numbers(table["internal_count"]), _numbers(table["leaf_count"])])
    return Tree(feature, threshold, mode, yes, no, missing_yes, value, members, cover)


def _around_zero(bounds: Array) -> Array:
    """Move bounds so near 0 that LightGBM, which reads every |x| <= 1e-35 as 0, can't tell x from 0."""
    below = np.where((bounds >= -ZERO) & (bounds < 0), np.nextafter(-ZERO, -np.inf), bounds)
    return np.where((bounds >= 0) & (bounds < ZERO), ZERO, below)


def _forget_zeros(graph: Graph, x: str, *, columns: Array) -> str:
    """Make 0 missing in the columns where `zero_as_missing` held; `columns` has a flag a column of x."""
    tiny = graph.node("LessOrEqual", [graph.node("Abs", [x]), graph.constant(ZERO)])
    forgotten = graph.node("And", [tiny, graph.constant(columns)])
    return graph.node("Where", [forgotten, graph.constant(float("nan")), x])


def _undo_square_root(graph: Graph, margins: str) -> str:
    """Square with the sign kept: `reg_sqrt` fits the root of the target (regression_objective.hpp)."""
    return graph.node("Mul", [margins, graph.node("Abs", [margins])])


def _facts(block: str) -> dict[str, str]:
    """Read lines of `name=value`, or `name` alone."""
    return {name: value for name, _, value in (line.partition("=") for line in block.splitlines())}


def _numbers(line: str) -> Array:
    return np.array(line.split(), np.float64)

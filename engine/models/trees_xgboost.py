"""Reads XGBoost's trees from its model JSON, and writes them with the objective's link into the graph.

XGBoost rounds x to float, compares and sums in float; the graph does so too, in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import EngineError
from engine.graph import Graph
from engine.models.margin import Margin
from engine.models.probabilities import write_sigmoid
from engine.models.trees import LEAF, LT, MEMBER, Array, Link, Tree, Trees, write

_LOGITS = frozenset({"binary:logistic", "reg:logistic"})
_LOGS = frozenset({"count:poisson", "reg:gamma", "reg:tweedie"})
_IDENTITIES = frozenset(
    {"reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror"}
)
_SOFTMAX = "multi:softprob"


@dataclass(frozen=True, slots=True)
class XgboostModel:
    """What a model's JSON says: its trees, all numbers of which are floats, and its objective."""

    trees: Trees
    objective: str


def write_xgboost(graph: Graph, x: str, *, text: bytes) -> str:
    """Write an XGBoost model and return its answer.

    Parameters
    ----------
    x
        A double tensor of shape (rows, n_features); whole numbers or NaN where a column holds categories.
    text
        What `Booster.save_raw("json")` gives.

    Returns
    -------
    str
        A double tensor: probabilities (rows, n_classes), or values (rows, 1).

    Raises
    ------
    EngineError
        If the booster is not of trees of one number a leaf, or its objective has no link here.
    """
    model = read_xgboost(text)
    sums = write(graph, graph.cast(x, np.float32), model.trees, dtype=np.float32)
    margins = graph.cast(sums, np.float64)
    if model.objective == "binary:logistic":
        return write_sigmoid(graph, margins)
    if model.objective in _LOGITS:
        return graph.node("Sigmoid", [margins])
    if model.objective in _LOGS:
        return graph.node("Exp", [margins])
    return graph.node("Softmax", [margins], axis=-1) if model.objective == _SOFTMAX else margins


def xgboost_margin(text: bytes, *, classes: tuple[int, ...]) -> Margin:
    """Return a model's sums: log-odds, scores, or what its link for values is taken of.

    Parameters
    ----------
    classes
        Those that training held, in the order of the model's own.

    Raises
    ------
    EngineError
        As `write_xgboost` says.
    """
    model = read_xgboost(text)
    links: Mapping[str, Link] = {**dict.fromkeys(_LOGITS, "logit"), **dict.fromkeys(_LOGS, "log")}
    link = "scores" if model.objective == _SOFTMAX else links.get(model.objective, "identity")
    return Margin(model.trees, link, classes if link == "scores" else classes[-1:], single=True)


def read_xgboost(text: bytes) -> XgboostModel:
    """Read a model's JSON; raises as `write_xgboost` says."""
    learner = json.loads(text)["learner"]
    booster, objective = learner["gradient_booster"], learner["objective"]["name"]
    if objective not in {*_LOGITS, *_LOGS, *_IDENTITIES, _SOFTMAX}:
        raise EngineError.of(f"XGBoost's objective '{objective}' has no graph")
    if booster["name"] not in {"gbtree", "dart"}:
        raise EngineError.of(f"XGBoost's booster '{booster['name']}' has no graph")
    dropped = booster.get("weight_drop")
    model = booster["gbtree"]["model"] if booster["name"] == "dart" else booster["model"]
    weights = np.ones(len(model["trees"]), np.float32) if dropped is None else np.array(dropped, np.float32)
    n_targets = max(int(learner["learner_model_param"]["num_class"]), 1)
    trees = tuple(
        _read_tree(tree, weight=weight) for tree, weight in zip(model["trees"], weights, strict=True)
    )
    base = _base(learner["learner_model_param"]["base_score"], objective=objective, n_targets=n_targets)
    return XgboostModel(Trees(trees, targets=tuple(model["tree_info"]), base=base), objective=objective)


def _base(written: str, *, objective: str, n_targets: int) -> Array:
    """Bring the base score, which is kept as an answer, back to a margin (objective.h: ProbToMargin)."""
    score = np.array(json.loads(written), np.float32)
    if objective in _LOGITS:
        score = -np.log(np.float32(1.0) / score - np.float32(1.0))
    elif objective in _LOGS:
        score = np.log(score)
    return np.broadcast_to(score, n_targets)


def _read_tree(tree: Mapping[str, Any], *, weight: np.float32) -> Tree:
    """Read one tree; a category that is in a node's set goes right (categorical.h: Decision)."""
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise EngineError.of("XGBoost's trees of several outputs have no graph")
    left, right = (np.array(tree[name], np.int64) for name in ("left_children", "right_children"))
    is_leaf, is_member = left < 0, np.array(tree["split_type"]) == 1
    missing_left = np.array(tree["default_left"], bool)
    numbers = np.array(tree["split_conditions"], np.float32)
    sets = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"], strict=True)
    return Tree(
        feature=np.where(is_leaf, 0, np.array(tree["split_indices"], np.int64)),
        threshold=np.where(is_member, 0.0, numbers),
        mode=np.select([is_leaf, is_member], [LEAF, MEMBER], LT).astype(np.uint8),
        yes=np.where(is_member, right, left),
        no=np.where(is_member, left, right),
        missing_yes=missing_left != is_member,
        value=(numbers * weight).astype(np.float64),
        members={node: tree["categories"][start : start + size] for node, start, size in sets},
        cover=np.array(tree["sum_hessian"], np.float64),
    )

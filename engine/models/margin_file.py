"""A model's sums as one file of plain arrays beside its graph: Parquet of one row, a list a column.

Read only when somebody asks why; whether its bytes are those that were written is checked before.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import polars as pl

from engine.data.bodies import swells
from engine.errors import BundleError
from engine.models.margin import Array, Linear, Margin
from engine.models.trees import LEAF, LEQ, LT, MEMBER, Link, Tree, Trees

_LINKS: dict[str, Link] = {link: link for link in get_args(Link)}
# Of which each of the sums is about a class.
_OF_CLASSES = ("scores", "probability")
# Whether a node holds a category is looked up in a row of flags, one a code.
_MOST_CODES, _MOST_FLAGS = 1 << 20, 1 << 29
# Questions on the way to a leaf, in the mean of all; forests that were fitted have a third of that.
_MOST_MEAN_DEPTH, _FEW_QUESTIONS = 64, 4_000_000
_NODES = {
    "feature": np.int32,
    "threshold": np.float64,
    "mode": np.uint8,
    "yes": np.int32,
    "no": np.int32,
    "missing_yes": np.bool_,
    "cover": np.float64,
    "value": np.float64,
}


@dataclass(frozen=True)
class StoredMargin:
    """A model's sums, and how rows come to them.

    Attributes
    ----------
    matrix
        The tensor of the bundle's graph that holds prepared rows.
    sources
        Of each of its d columns, the raw column that it was made of.
    """

    margin: Margin
    matrix: str
    sources: tuple[str, ...]


def write_margin(stored: StoredMargin) -> bytes:
    """Return the content of the file."""
    margin = stored.margin
    is_trees = isinstance(margin.model, Trees)
    columns: dict[str, Any] = {
        "link": margin.link,
        "is_corrected": margin.is_corrected,
        "single": margin.single,
        "matrix": stored.matrix,
        "sources": [list(stored.sources)],
        "classes": [np.array(margin.classes, np.int64)],
        "zero_is_missing": [np.asarray(margin.zero_is_missing, bool)],
        **dict(_of_trees(margin.model) if isinstance(margin.model, Trees) else _of_linear(margin.model)),
    }
    written = io.BytesIO()
    frame = pl.DataFrame(
        [
            pl.Series(name, [pl.Series(value[0])] if isinstance(value, list) else [value])
            for name, value in {"is_trees": is_trees, **columns}.items()
        ]
    )
    frame.write_parquet(written)
    return written.getvalue()


def read_margin(content: bytes) -> StoredMargin:
    """Return what a file's content says.

    Raises
    ------
    BundleError
        If it is not such a file.
    """
    if swells(content):
        raise BundleError.of("the model's sums can't be read: they unpack to far more than the file")
    try:
        found = pl.read_parquet(io.BytesIO(content))
        sources = tuple(found["sources"].item().to_list())
        margin = Margin(
            (_to_trees if found["is_trees"].item() else _to_linear)(found, width=len(sources)),
            _LINKS[found["link"].item()],
            tuple(found["classes"].item().to_list()),
            single=found["single"].item(),
            zero_is_missing=_array(found, "zero_is_missing", np.bool_),
            is_corrected=found["is_corrected"].item(),
        )
        _check_sums(margin, width=len(sources))
        return StoredMargin(margin, found["matrix"].item(), sources)
    except (pl.exceptions.PolarsError, AttributeError, LookupError, TypeError, ValueError) as exc:
        raise BundleError.of(f"the model's sums can't be read: {exc}") from None


def _array(found: pl.DataFrame, name: str, dtype: Any) -> Array:
    values: Array = found[name].item().to_numpy().astype(dtype)
    return values


def _of_linear(linear: Linear) -> Iterator[tuple[str, Any]]:
    yield "coefficients", [linear.coefficients.ravel()]
    yield "intercepts", [linear.intercepts]
    yield "means", [linear.means]


def _check_sums(margin: Margin, *, width: int) -> None:
    """Refuse sums that are not as many as their link and classes say, or columns other than the matrix'."""
    model, classes = margin.model, margin.classes
    n_sums = len(model.base if isinstance(model, Trees) else model.intercepts)
    one_each = n_sums == len(classes) > 0
    fits = one_each if margin.link in _OF_CLASSES else n_sums == 1 and len(classes) <= 1
    if not fits or min(classes, default=0) < 0:
        raise ValueError(f"{n_sums} sums of link '{margin.link}' are not of {len(classes)} classes")
    if len(margin.zero_is_missing) not in (0, width):
        raise ValueError("columns in which 0 is missing are not those of the matrix")


def _to_linear(found: pl.DataFrame, *, width: int) -> Linear:
    weights, intercepts, means = (
        _array(found, name, np.float64) for name in ("coefficients", "intercepts", "means")
    )
    if len(means) != width:
        raise ValueError("coefficients are not of the columns that are there")
    return Linear(weights.reshape(len(intercepts), len(means)), intercepts, means)


def _of_trees(trees: Trees) -> Iterator[tuple[str, Any]]:
    yield "base", [np.asarray(trees.base, np.float64)]
    yield "targets", [np.array(trees.targets, np.int32)]
    yield "sizes", [np.array([tree.mode.size for tree in trees.trees], np.int32)]
    for name, dtype in _NODES.items():
        yield name, [np.concatenate([np.ravel(getattr(tree, name)) for tree in trees.trees]).astype(dtype)]
    sets = [
        (place, node, codes) for place, tree in enumerate(trees.trees) for node, codes in tree.members.items()
    ]
    yield "set_trees", [np.array([place for place, _, _ in sets], np.int32)]
    yield "set_nodes", [np.array([node for _, node, _ in sets], np.int32)]
    yield "set_sizes", [np.array([len(codes) for _, _, codes in sets], np.int32)]
    yield "set_codes", [np.array([code for _, _, codes in sets for code in codes], np.int32)]


def _to_trees(found: pl.DataFrame, *, width: int) -> Trees:
    """Cut the arrays of all nodes into trees, whose children stand after their parents."""
    sizes = _array(found, "sizes", np.int64)
    ends = np.cumsum(sizes)
    base, targets = _array(found, "base", np.float64), _array(found, "targets", np.int64)
    nodes = {name: _array(found, name, dtype) for name, dtype in _NODES.items()}
    for name in ("feature", "yes", "no"):
        nodes[name] = nodes[name].astype(np.int64)
    lengths = {len(array) for name, array in nodes.items() if name != "value"}
    if (sizes < 1).any() or lengths != {int(ends[-1])}:
        raise ValueError("nodes are missing or too many")
    if len(targets) != len(sizes) or not np.all((targets >= 0) & (targets < len(base))):
        raise ValueError("a tree adds to a sum that is not there")
    if not np.isin(nodes["mode"], (LEQ, LT, MEMBER, LEAF)).all():
        raise ValueError("a tree asks in no known way")
    place = np.arange(ends[-1]) - np.repeat(ends - sizes, sizes)
    asks = nodes["mode"] != LEAF
    for side in ("yes", "no"):
        if not np.all((nodes[side] > place) & (nodes[side] < np.repeat(sizes, sizes)) | ~asks):
            raise ValueError("a tree goes back to where it was")
    if not np.all((nodes["feature"] >= 0) & (nodes["feature"] < width)):
        raise ValueError("a tree asks about a column that is not there")
    _check_paths(nodes, first=np.repeat(ends - sizes, sizes))
    nodes["value"] = nodes["value"].reshape(len(place), -1)
    if nodes["value"].shape[1] not in (1, len(base)):
        raise ValueError("leaves hold other sums than there are")
    if nodes["value"].shape[1] == 1:
        nodes["value"] = nodes["value"].ravel()
    members = _members(found, is_member=np.split(nodes["mode"] == MEMBER, ends[:-1]))
    trees = tuple(
        Tree(**{name: array[end - size : end] for name, array in nodes.items()}, members=own)
        for end, size, own in zip(ends.tolist(), sizes.tolist(), members, strict=True)
    )
    return Trees(trees, tuple(targets.tolist()), base)


def _check_paths(nodes: dict[str, Array], *, first: Array) -> None:
    """Refuse trees whose paths from leaves to roots have no end; `first` is the root of each node's tree."""
    asks = np.flatnonzero(nodes["mode"] != LEAF)
    above = np.full(len(first), -1)
    for side in ("yes", "no"):
        above[nodes[side][asks] + first[asks]] = asks
    at = np.flatnonzero(nodes["mode"] == LEAF)
    n_left = _FEW_QUESTIONS + _MOST_MEAN_DEPTH * len(at)
    while len(at):
        n_left -= len(at)
        if n_left < 0:
            raise ValueError("the paths of its trees are too long")
        at = above[at]
        at = at[at >= 0]


def _members(found: pl.DataFrame, *, is_member: list[Array]) -> list[dict[int, list[float]]]:
    """Return each tree's sets by node, of trees of which `is_member` tells what nodes have one."""
    set_trees, set_nodes, set_sizes, codes = (
        _array(found, f"set_{name}", np.int64) for name in ("trees", "nodes", "sizes", "codes")
    )
    if (set_sizes < 0).any() or set_sizes.sum() != len(codes):
        raise ValueError("sets are cut where they don't end")
    if not np.all((codes >= 0) & (codes < _MOST_CODES)):
        raise ValueError(f"a code of a category is not from 0 to {_MOST_CODES - 1:,}")
    if len(set_sizes) * (1 + int(codes.max(initial=0))) > _MOST_FLAGS:
        raise ValueError("its sets of categories are too many, of too many")
    members: list[dict[int, list[float]]] = [{} for _ in is_member]
    held = np.split(codes, np.cumsum(set_sizes)[:-1]) if len(set_sizes) else []
    for tree, node, own in zip(set_trees.tolist(), set_nodes.tolist(), held, strict=True):
        if min(tree, node) < 0 or not is_member[tree][node]:
            raise ValueError("a set belongs to no node that asks for one")
        members[tree][node] = own.tolist()
    return members

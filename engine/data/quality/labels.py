"""Rows whose class is likely wrong: a model that has not seen a row is sure of another class.

Confident learning (Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset
Labels"). The model that doubts is small, is fitted for this alone and thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from engine.data.quality.finding import LABEL_NOISE, Evidence, Finding, Found, Severity
from engine.data.schema import Column

if TYPE_CHECKING:
    Array = np.ndarray
MAX_ROWS = 10_000
N_FOLDS = 3
_MIN_CLASS_ROWS = 20
_MAX_CLASSES = 50
_MANY = 0.03
# Where the model is unsure (below this) of more than this share, classes overlap, and doubt is no error.
_SURE, _OVERLAP = 0.75, 0.1
# Rows named: those of which the model is surest.
_N_NAMED = 20
# Enough for the order of rows by doubt; a better model costs more and doubts nearly the same ones.
TREES = {
    "num_leaves": 15,
    "learning_rate": 0.15,
    "min_data_in_leaf": 20,
    "max_bin": 63,
    "cat_smooth": 20,
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
_ROUNDS = 40


def check_labels(
    frame: pl.DataFrame,
    features: Sequence[Column],
    y: Array,
    places: Array,
    *,
    names: Sequence[str],
    target: Column,
) -> Found:
    """Estimate how many rows have a wrong class, and name those that are doubted most.

    Parameters
    ----------
    frame
        Shape (n, …), in random order, so that every third row makes a fold.
    y
        Class codes, shape (n,).
    places
        Where each row stands in its file, from 0; shape (n,).
    """
    counts = np.bincount(y, minlength=len(names))
    usable = [column for column in features if frame[column.name].n_unique() > 1]
    if len(names) > _MAX_CLASSES or (counts < _MIN_CLASS_ROWS).any() or not usable:
        return Found(measures={LABEL_NOISE: float("nan")})
    probabilities = _out_of_fold(matrix_of(frame, usable), y, len(names), usable)
    likely = confident_class(probabilities, y)
    joint = estimate_joint(likely, y, len(names))
    share = max(float(1 - np.trace(joint)), 0.0)
    doubted = np.flatnonzero((likely >= 0) & (likely != y))
    hidden = target.sensitive or target.pii
    findings = []
    if len(doubted):
        margin = probabilities[doubted, likely[doubted]] - probabilities[doubted, y[doubted]]
        first = doubted[np.lexsort((places[doubted], -margin))][:_N_NAMED]
        evidence: dict[str, Evidence] = {
            "n_rows": len(doubted),
            "n_looked_at": len(y),
            "estimated_share": round(share, 6),
            "share_unsure": round(float((probabilities.max(axis=1) < _SURE).mean()), 6),
            "first_rows": ", ".join(str(place + 1) for place in places[first]),
            **({} if hidden else _most(joint, names)),
        }
        findings.append(_finding(target.name, share, evidence))
    return Found(findings, {LABEL_NOISE: share}, {} if hidden else {LABEL_NOISE: _cells(joint, names)})


def _finding(target: str, share: float, evidence: Mapping[str, Evidence]) -> Finding:
    what = (
        f"for {evidence['n_rows']:,} of {evidence['n_looked_at']:,} rows a model trained on other rows is "
        f"confident of another class; estimated share of wrong classes: {share:.1%}"
    )
    advice = "look at the rows named first: where classes overlap the model may be wrong, not the row"
    overlaps = float(evidence["share_unsure"]) > _OVERLAP
    severity: Severity = "warning" if share >= _MANY and not overlaps else "note"
    return Finding(LABEL_NOISE, severity, (target,), what, evidence, advice)


def confident_class(probabilities: Array, y: Array) -> Array:
    """Return by row the class of which one may be confident, -1 for none; shape (n,).

    A class is possible for a row where its probability is at least the mean probability that the rows of this
    class are given for it; of several the likeliest (Northcutt et al. 2021, equation 1).

    Parameters
    ----------
    probabilities
        Out of fold, shape (n, n_classes).
    """
    n_classes = probabilities.shape[1]
    mean = [probabilities[y == at, at].mean() if (y == at).any() else np.inf for at in range(n_classes)]
    possible = probabilities >= np.array(mean)
    likely = np.where(possible, probabilities, -1.0).argmax(axis=1)
    return np.where(possible.any(axis=1), likely, -1)


def estimate_joint(likely: Array, y: Array, n_classes: int) -> Array:
    """Return the estimated joint distribution of given (row) and right (column) classes, which sums to 1.

    The confident counts, each row scaled to the rows that were given its class (Northcutt et al. 2021,
    equation 3).
    """
    sure = likely >= 0
    counts = np.bincount(y[sure] * n_classes + likely[sure], minlength=n_classes**2).astype(np.float64)
    counts = counts.reshape(n_classes, n_classes)
    # A class of which no row is sure is taken at its word.
    counts[counts.sum(axis=1) == 0] = np.eye(n_classes)[counts.sum(axis=1) == 0]
    given = np.bincount(y, minlength=n_classes) / len(y)
    joint: Array = counts / counts.sum(axis=1, keepdims=True) * given[:, None]
    return joint


def _most(joint: Array, names: Sequence[str]) -> dict[str, Evidence]:
    off = joint - np.diag(np.diag(joint))
    given, right = divmod(int(off.argmax()), len(names))
    if not off[given, right]:
        return {}
    pair = f"given '{names[given]}', likely '{names[right]}'"
    return {"most": pair, "its_share": round(float(off[given, right]), 6)}


def _cells(joint: Array, names: Sequence[str]) -> dict[str, float]:
    off = joint - np.diag(np.diag(joint))
    order = off.ravel().argsort(kind="stable")[::-1][:10]
    cells = [divmod(int(at), len(names)) for at in order]
    return {
        f"{names[given]} → {names[right]}": round(float(off[given, right]), 6)
        for given, right in cells
        if off[given, right]
    }


def matrix_of(frame: pl.DataFrame, columns: Sequence[Column]) -> Array:
    """Return a float32 matrix of shape (n, n_columns): texts as codes, what is missing as NaN."""
    arrays = []
    for column in columns:
        values = frame[column.name]
        if values.dtype == pl.Boolean:
            values = values.cast(pl.Int8)
        elif values.dtype == pl.String or column.type == "category":
            values = values.rank("dense")
        elif values.dtype.is_temporal():
            values = values.to_physical()
        arrays.append(values.cast(pl.Float32).fill_null(float("nan")).to_numpy())
    return np.column_stack(arrays)


def _out_of_fold(x: Array, y: Array, n_classes: int, columns: Sequence[Column]) -> Array:
    params: dict[str, object] = {"objective": "binary"}
    if n_classes > 2:  # noqa: PLR2004 (two classes)
        params = {"objective": "multiclass", "num_class": n_classes}
    rounds = _ROUNDS if n_classes == 2 else max(_ROUNDS * 2 // n_classes, 8)  # noqa: PLR2004
    found = out_of_fold(x, y, few_valued(x, columns), params, n_rounds=rounds)
    return np.column_stack([1 - found, found]) if found.ndim == 1 else found


def few_valued(x: Array, columns: Sequence[Column]) -> list[int]:
    """Return the places of the categories that have few values."""
    return [at for at, c in enumerate(columns) if c.type == "category" and _is_few(x[:, at])]


def out_of_fold(
    x: Array, y: Array, categories: list[int], params: Mapping[str, object], *, n_rounds: int
) -> Array:
    """Return what models say of rows that they have not seen, a third at a time; shape (n,) or (n, k)."""
    import lightgbm

    given = {**TREES, "num_threads": 1, **params}
    whole = lightgbm.Dataset(
        x, y, categorical_feature=categories, params=given, free_raw_data=False
    ).construct()
    folds = np.arange(len(y)) % N_FOLDS
    parts = []
    for fold in range(N_FOLDS):
        model = lightgbm.train(given, whole.subset(np.flatnonzero(folds != fold)), num_boost_round=n_rounds)
        parts.append(np.asarray(model.predict(x[folds == fold], num_threads=1)))
    said = np.empty((len(y), *parts[0].shape[1:]))
    for fold, part in enumerate(parts):
        said[folds == fold] = part
    return said


def _is_few(codes: Array) -> bool:
    return len(np.unique(codes[~np.isnan(codes)])) <= 100  # noqa: PLR2004 (more are taken in their order)

"""Fairness before and in the fit: rows weighed or drawn so that their group tells nothing of their class."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from engine.evaluation.fairness import group_rows
from engine.models.family import Array, Debiasing, Family, Fitted, Problem, Progress, Rows
from engine.recipe.spec import Spec
from engine.recipe.spec_model import FairnessSpec
from engine.training.balance import draw


def mitigate(
    train: Rows, held: Rows | None, groups: pl.DataFrame, *, how: FairnessSpec, seed: int
) -> tuple[Rows, Rows | None]:
    """Do to prepared rows what a recipe asks for before the fit, or tell the fit their groups.

    Parameters
    ----------
    train, held
        Training rows, and validation rows if any.
    groups
        The columns whose values make the groups, of the training rows and then of the validation rows.
    seed
        Decides which rows are drawn.
    """
    own = groups[: len(train.y)]
    if how.kind == "reweigh":
        return reweigh(train, own), held
    if how.kind == "sample":
        return sample(train, own, seed=seed), held
    if how.kind == "thresholds":
        return train, held
    codes, _ = group_rows(groups, by=groups.columns)
    # Groups of training rows come first; one that only validation has is none.
    known = np.unique(codes[: len(train.y)])
    codes = np.where(np.isin(codes, known), np.searchsorted(known, codes), -1)
    held = None if held is None else replace(held, groups=codes[len(train.y) :])
    return replace(train, groups=codes[: len(train.y)]), held


def fit_fairly(
    family: Family, problem: Problem, *, how: FairnessSpec | None, spec: Spec, progress: Progress | None
) -> Fitted:
    """Fit a model as the recipe asks for it to be fair; as any other where that is done before or after.

    Parameters
    ----------
    problem
        Its training rows have groups where the fit is to heed them.
    """
    if how is not None and how.kind == "adversarial":
        assert isinstance(family, Debiasing)
        assert how.strength is not None
        return family.fit_debiased(problem, strength=how.strength, progress=progress)
    if how is not None and how.kind == "reductions":
        from engine.training.mitigation_reductions import fit_reduced

        threshold = (spec.task.model_extra or {})["threshold"]
        return fit_reduced(family, problem, how=how, threshold=float(threshold), progress=progress)
    return family.fit(problem, progress)


def reweigh(rows: Rows, groups: pl.DataFrame) -> Rows:
    """Weigh training rows by what their group and class would have together, were they independent.

    Parameters
    ----------
    rows
        Of a target with classes: y of shape (n,), class indices.
    groups
        Shape (n, …): the columns whose values, or combinations of them, make the groups; a null is one.

    Returns
    -------
    Rows
        With weights P(group) P(class) / P(group, class), times those that were there. Each group then has the
        class shares of all rows, and each class and group weighs what it did.

    Notes
    -----
    F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination"
    (2012).

    Examples
    --------
    >>> rows = Rows(np.zeros((4, 1)), np.array([1, 1, 0, 1]), None)
    >>> reweigh(rows, pl.DataFrame({"sex": ["m", "m", "f", "f"]})).weights.tolist()
    [0.75, 0.75, 0.5, 1.5]
    """
    factors, weights = _factors(rows, groups), rows.weights
    return replace(rows, weights=factors if weights is None else weights * factors)


def sample(rows: Rows, groups: pl.DataFrame, *, seed: int) -> Rows:
    """Draw training rows so that each group and class has as many as if these were independent.

    Parameters
    ----------
    rows, groups
        As `reweigh` takes them.
    seed
        Decides which rows are left out, and which stand twice.

    Returns
    -------
    Rows
        Of each group and class as many rows as `reweigh` would have them weigh, to the nearest; rows stay in
        their order, repeated ones together.

    Notes
    -----
    The uniform sampling of Kamiran and Calders (2012).

    Examples
    --------
    >>> rows = Rows(np.zeros((8, 1)), np.array([1, 1, 1, 0, 1, 0, 0, 0]), None)
    >>> sample(rows, pl.DataFrame({"sex": list("mmmmffff")}), seed=0).y.tolist()
    [1, 1, 0, 0, 1, 1, 0, 0]
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    codes, _ = group_rows(groups, by=groups.columns)
    factors = _factors(rows, groups)
    drawn = []
    for group in np.unique(codes):
        for label in np.unique(rows.y):
            places = np.flatnonzero((codes == group) & (rows.y == label))
            if len(places):
                drawn.append(draw(places, round(len(places) * float(factors[places[0]])), rng))
    return rows.take(np.sort(np.concatenate(drawn), kind="stable"))


def _factors(rows: Rows, groups: pl.DataFrame) -> Array:
    """Return P(group) P(class) / P(group, class) of each row, shape (n,)."""
    codes, names = group_rows(groups, by=groups.columns)
    w = np.ones(len(rows.y)) if rows.weights is None else np.asarray(rows.weights, dtype=np.float64)
    n_classes = int(rows.y.max(initial=0)) + 1
    cells = np.bincount(codes * n_classes + rows.y, w, len(names) * n_classes).reshape(-1, n_classes)
    expected = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0) / max(cells.sum(), np.finfo(float).tiny)
    # A cell without rows weighs none.
    factors = np.divide(expected, cells, out=np.ones_like(cells), where=cells > 0)
    found: Array = factors[codes, rows.y]
    return found

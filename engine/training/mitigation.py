"""Fairness before the fit: training rows weighed so that their group tells nothing of their class."""

from __future__ import annotations

import numpy as np
import polars as pl

from engine.evaluation.fairness import group_rows
from engine.models.family import Rows


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
    codes, names = group_rows(groups, by=groups.columns)
    w = np.ones(len(rows.y)) if rows.weights is None else np.asarray(rows.weights, dtype=np.float64)
    n_classes = int(rows.y.max(initial=0)) + 1
    cells = np.bincount(codes * n_classes + rows.y, w, len(names) * n_classes).reshape(-1, n_classes)
    expected = cells.sum(axis=1, keepdims=True) * cells.sum(axis=0) / max(cells.sum(), np.finfo(float).tiny)
    # A cell without rows weighs none.
    factors = np.divide(expected, cells, out=np.ones_like(cells), where=cells > 0)
    return Rows(rows.x, rows.y, w * factors[codes, rows.y])

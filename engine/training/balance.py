"""Classes of different size, evened out among training rows alone: no row that judges is touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.models.family import Array, Rows
from engine.recipe.spec_model import Balance


def balance(rows: Rows, how: Balance, *, seed: int) -> Rows:
    """Even out the classes of training rows.

    `weights`: each class weighs as much in sum as any other, the whole as before. `under`: of each class as
    many rows are kept as the rarest has, drawn at random. `over`: rows of each class are repeated, drawn at
    random, until there are as many as of the most frequent. Rows stay in their order, repeated ones together.

    Parameters
    ----------
    rows
        Of a target with classes: y of shape (n,), class indices.

    Notes
    -----
    The weights are those of scikit-learn's `class_weight="balanced"`, after G. King and L. Zeng, "Logistic
    regression in rare events data" (2001). Probabilities are then those of a population with even classes.

    Examples
    --------
    >>> rows = Rows(np.zeros((4, 1)), np.array([0, 0, 0, 1]), None)
    >>> balance(rows, "over", seed=0).y.tolist(), balance(rows, "under", seed=0).y.tolist()
    ([0, 0, 0, 1, 1, 1], [0, 1])
    """
    counts = np.bincount(rows.y)
    present = np.flatnonzero(counts)
    if how == "weights":
        of_class = np.zeros(len(counts))
        of_class[present] = len(rows.y) / (len(present) * counts[present])
        weights = of_class[rows.y]
        return replace(rows, weights=weights if rows.weights is None else weights * rows.weights)
    rng = np.random.Generator(np.random.PCG64(seed))
    wanted = int(counts[present].min() if how == "under" else counts.max())
    drawn = [draw(np.flatnonzero(rows.y == label), wanted, rng) for label in present]
    return rows.take(np.sort(np.concatenate(drawn), kind="stable"))


def draw(places: Array, wanted: int, rng: np.random.Generator) -> Array:
    """Draw so many of some places: of too many each at most once, of too few all and some of them again."""
    if wanted <= len(places):
        return rng.choice(places, wanted, replace=False)
    return np.concatenate([places, rng.choice(places, wanted - len(places), replace=True)])

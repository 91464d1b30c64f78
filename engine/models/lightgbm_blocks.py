"""LightGBM on rows that come in blocks: they are held as bins, a byte a cell, and never as numbers.

The bins are those of the sample of training rows that the problem has; LightGBM itself takes at most 200,000
rows to find them, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from engine.models.family import Array, Blocks, Problem, Rows


@dataclass(frozen=True)
class Boosted:
    """A trained booster with the methods of LightGBM's estimators that we ask."""

    booster_: lightgbm.Booster

    def predict(self, x: Array) -> Array:
        """Return values, shape (n,)."""
        return np.asarray(self.booster_.predict(x))

    def predict_proba(self, x: Array) -> Array:
        """Return probabilities, shape (n, n_classes)."""
        found = np.asarray(self.booster_.predict(x))
        return found if found.ndim > 1 else np.stack([1.0 - found, found], axis=1)


class _Pushed(lightgbm.Sequence):  # type: ignore[misc]
    """Blocks as LightGBM asks for them, one after the other; it fills in what they are labelled with."""

    def __init__(self, blocks: Blocks, classes: Array) -> None:
        self._blocks, self._classes = blocks, classes
        self._iterator: Iterator[Rows] = iter(blocks)
        self._at = 0
        self._rows: Rows | None = None
        self._first = 0
        self.y = np.empty(blocks.n_rows, np.float32)
        self.weights: Array | None = None
        first = next(self._iterator)
        self.batch_size = len(first.y)
        self._take(first)

    def __len__(self) -> int:
        return self._blocks.n_rows

    def __getitem__(self, index: Any) -> Array:
        """Return the rows of the next block: LightGBM asks for each once, in order."""
        assert isinstance(index, slice)
        assert index.start == self._first
        assert self._rows is not None
        x = self._rows.x
        self._first += len(x)
        if self._first < len(self):
            self._take(next(self._iterator))
        else:
            # The end of the blocks is reached, which they may want to know.
            next(self._iterator, None)
        return x

    def _take(self, rows: Rows) -> None:
        self._rows, at = rows, slice(self._at, self._at + len(rows.y))
        self.y[at] = labels(rows.y, self._classes)
        if rows.weights is not None:
            if self.weights is None:
                self.weights = np.empty(len(self), np.float32)
            self.weights[at] = rows.weights
        self._at = at.stop


def train_blocks(
    problem: Problem,
    blocks: Blocks,
    params: Mapping[str, Any],
    *,
    n_rounds: int,
    callbacks: list[Callable[[Any], None]],
) -> Boosted:
    """Train a booster on all blocks; the validation rows stop it where the params say so."""
    classes, categories = blocks.classes, sorted(problem.category_sizes)
    settled = dict(params)
    known = lightgbm.Dataset(
        problem.train.x,
        label=labels(problem.train.y, classes),
        categorical_feature=categories,
        params=dict(settled),
        free_raw_data=True,
    ).construct()
    pushed = _Pushed(blocks, classes)
    rows = lightgbm.Dataset(
        pushed, label=pushed.y, reference=known, categorical_feature=categories, params=dict(settled)
    ).construct()
    if pushed.weights is not None:
        rows.set_weight(pushed.weights)
    # LightGBM has copies of its own, and each is as long as the table.
    rows.label = rows.data = None
    del pushed
    watched = []
    if (held := problem.validation) is not None:
        watched.append(
            lightgbm.Dataset(held.x, label=labels(held.y, classes), weight=held.weights, reference=rows)
        )
    booster = lightgbm.train(
        dict(settled), rows, num_boost_round=n_rounds, valid_sets=watched, callbacks=callbacks
    )
    return Boosted(booster)


def labels(y: Array, classes: Array) -> Array:
    """Return targets as LightGBM counts them: of classes the place among those of training."""
    return np.searchsorted(classes, y).astype(np.float32) if len(classes) else y.astype(np.float32)

"""Why a model answered so: what each raw column of a row adds, beside the rows that it is compared with.

Shapley values after Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with
feature contributions" (2014), of any model that can be asked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import polars as pl

from engine.tasks.task import Array

# Rows that are scored at a time.
_CHUNK_ROWS = 50_000


class Model(Protocol):
    """A model as it is asked: of rows, and the place of the row that is explained, a finite number a row."""

    def __call__(self, rows: pl.DataFrame, *, place: int) -> Array:
        """Return shape (len(rows),), float64."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """What the columns add to the answers for n rows.

    Attributes
    ----------
    columns
        The d columns, in the order of `values`.
    base
        Shape (n,): the mean answer over the rows compared with.
    values
        Shape (n, d): with `base` they sum to `answers`.
    errors
        Shape (n, d): the standard error of each value, from the draw of orders and rows compared with.
    answers
        Shape (n,): what the model says.
    """

    columns: tuple[str, ...]
    base: Array
    values: Array
    errors: Array
    answers: Array


def contributions(
    frame: pl.DataFrame,
    *,
    background: pl.DataFrame,
    columns: Sequence[str],
    ask: Model,
    seed: int,
    rounds: int = 1,
) -> Contributions:
    """Return what each column adds to the model's answer, row by row.

    For every row of the background the columns are exchanged one by one for those of the row that is
    explained, in an order drawn at random and in its reverse; a column adds what its exchange changes.

    Parameters
    ----------
    frame
        Shape (n, …): the rows to explain.
    background
        Shape (m, …), m at least 1, of the same columns and types: what rows usually are.
    columns
        The columns that the model reads.
    ask
        The model; what it is asked for may differ from row to row, such as for the class decided for.
    seed
        Decides the orders.
    rounds
        Orders for each row of the background.

    Returns
    -------
    Contributions
        They sum to the answer whatever the orders. Exact for a model that adds up its columns, or has one;
        else a sample, of which `errors` tells.

    Notes
    -----
    The model answers n * m * rounds * 2 * (d + 1) rows.
    """
    rng = np.random.default_rng(seed)
    n_columns, n_background = len(columns), background.height
    found = [
        _explain(frame[place], background, columns, partial(ask, place=place), rng, rounds)
        for place in range(frame.height)
    ]
    shape = (frame.height, n_columns)
    walks = rounds * n_background
    return Contributions(
        columns=tuple(columns),
        base=np.array([base for base, _, _ in found]),
        values=np.reshape([drawn.mean(axis=0) for _, drawn, _ in found], shape),
        errors=np.reshape([drawn.std(axis=0) / np.sqrt(walks) for _, drawn, _ in found], shape),
        answers=np.array([answer for _, _, answer in found]),
    )


def _explain(
    row: pl.DataFrame,
    background: pl.DataFrame,
    columns: Sequence[str],
    ask: Callable[[pl.DataFrame], Array],
    rng: np.random.Generator,
    rounds: int,
) -> tuple[float, Array, float]:
    """Return the mean answer of the background, what each walk found (walks, d), and the row's own answer."""
    d, m = len(columns), background.height
    # Of each walk when a column is exchanged: its place in the order, forwards and backwards.
    turn = np.concatenate([rng.permuted(np.tile(np.arange(d), (m, 1)), axis=1) for _ in range(rounds)])
    turn = np.stack([turn, d - 1 - turn], axis=1)
    # After step s a column is the row's own if its turn came before s; else it is the background row's.
    is_own = turn[:, :, None, :] < np.arange(d + 1)[None, None, :, None]
    others = 1 + np.tile(np.arange(m), rounds)
    source = np.where(is_own, 0, others[:, None, None, None]).reshape(-1, d)
    pool = pl.concat([row.select(columns), background.select(columns)])
    answers = np.concatenate(
        [
            ask(gathered(pool, columns, source[start : start + _CHUNK_ROWS]))
            for start in range(0, len(source), _CHUNK_ROWS)
        ]
    ).reshape(len(turn), 2, d + 1)
    steps = np.diff(answers, axis=2)
    found = np.take_along_axis(steps, turn, axis=2).mean(axis=1)
    return float(answers[:, 0, 0].mean()), found, float(answers[0, 0, -1])


def gathered(pool: pl.DataFrame, columns: Sequence[str], source: Array) -> pl.DataFrame:
    """Return rows whose values are those of `pool` at `source`, shape (n, d)."""
    return pl.DataFrame([pool[name].gather(source[:, place]) for place, name in enumerate(columns)])

"""Categories on their way to a model: a level's index, or one 0/1 column a level; polars and ONNX alike.

Levels are those of the training rows, in sorted order. A value not seen in training counts as missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.feed import NULL, as_input
from engine.features.needs import Needs
from engine.graph import ML, Graph


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of one column, and how a row says which it has.

    `names` are the levels as text, in order. `missing` is the code of a missing or unseen level: NaN, or the
    number of levels. `width` is the number of 0/1 columns of a one-hot column, None of a column of codes.
    """

    column: Column
    names: tuple[str, ...]
    missing: float
    width: int | None

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in the matrix."""
        if self.width is None:
            return (self.column.name,)
        others = [f"{self.column.name} is other"] * (self.width - len(self.names))
        return (*(f"{self.column.name}={level}" for level in self.names), *others)

    def codes(self) -> pl.Expr:
        """Return the index of each row's level as Float64."""
        level = as_input(self.column).cast(pl.Enum(list(self.names)), strict=False)
        return level.to_physical().cast(pl.Float64).fill_null(self.missing)

    def write(self, graph: Graph, text: str) -> str:
        """Write the nodes from text (string, (rows, 1)) to the column's features, double.

        The shape is (rows, 1) for codes and (rows, width) for one-hot columns.
        """
        keys = np.array([*self.names, NULL], dtype=object)
        values = np.array([*range(len(self.names)), self.missing], dtype=np.float64)
        codes = graph.node(
            "LabelEncoder",
            [text],
            domain=ML,
            keys_tensor=keys,
            values_tensor=values,
            default_tensor=np.array([self.missing]),
        )
        if self.width is None:
            return codes
        columns = graph.constant(np.arange(self.width, dtype=np.float64).reshape(1, -1))
        return graph.cast(graph.node("Equal", [codes, columns]), np.float64)


def fit_levels(frame: pl.DataFrame, column: Column, *, needs: Needs) -> Levels:
    """Find the levels of a category in the training rows.

    Where `needs.max_categories` cuts, the most frequent levels stay, of equally frequent ones the first by
    name. A one-hot column gets a last 0/1 column for missing and cut levels if training has such rows.
    """
    values = frame.get_column(column.name).alias("level").drop_nulls()
    counts = values.value_counts(name="n_rows").filter(pl.col("level").cast(pl.String) != NULL)
    kept = counts.sort(["n_rows", "level"], descending=[True, False])
    if needs.max_categories is not None:
        kept = kept.head(needs.max_categories)
    names = tuple(kept.get_column("level").sort().cast(pl.String).to_list())
    onehot = needs.categories == "onehot"
    others = bool(kept.get_column("n_rows").sum() < frame.height)
    return Levels(
        column=column,
        names=names,
        missing=float("nan") if needs.missing == "ok" and not onehot else float(len(names)),
        width=max(len(names) + others, 1) if onehot else None,
    )

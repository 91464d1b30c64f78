"""Categories on their way to a model: a level's index, or one 0/1 column a level; polars and ONNX alike.

Levels are those of the training rows, in sorted order. A value not seen in training, or too rare there,
counts as missing, or as one level of its own, as the recipe says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.data.sums import count_values
from engine.features.feed import NULL, as_input
from engine.features.needs import Needs
from engine.graph import ML, Graph


@dataclass(frozen=True, slots=True)
class Levels:
    """The levels of one column, and how a row says which it has.

    Attributes
    ----------
    names
        The levels as text, in order.
    missing, unseen
        The codes of a missing level, NaN or the first that is free, and of an unseen or rare one: the same,
        or that of a level after all others.
    width
        The number of 0/1 columns of a one-hot column, None of a column of codes.
    """

    column: Column
    names: tuple[str, ...]
    missing: float
    unseen: float
    width: int | None

    @property
    def n_levels(self) -> int:
        """Number of levels, that of the unseen among them where it is one."""
        return len(self.names) + (self.column.unseen == "other")

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in the matrix."""
        if self.width is None:
            return (self.column.name,)
        others = [f"{self.column.name} is other", f"{self.column.name} is missing"]
        return (
            *(f"{self.column.name}={level}" for level in self.names),
            *others[: self.width - len(self.names)],
        )

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return the codes: of a one-hot column too, whose 0/1 columns the matrix makes of them."""
        return (self.codes(),)

    def codes(self) -> pl.Expr:
        """Return the index of each row's level as Float64."""
        text = as_input(self.column)
        level = text.cast(pl.Enum(list(self.names)), strict=False)
        codes = level.to_physical().cast(pl.Float64).fill_null(self.unseen)
        if self.column.unseen != "other":
            return codes
        return pl.when(text == NULL).then(self.missing).otherwise(codes)

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
            default_tensor=np.array([self.unseen]),
        )
        if self.width is None:
            return codes
        columns = graph.constant(np.arange(self.width, dtype=np.float64).reshape(1, -1))
        return graph.cast(graph.node("Equal", [codes, columns]), np.float64)


def fit_levels(frame: pl.DataFrame, column: Column, *, needs: Needs) -> Levels:
    """Find the levels of a category in the training rows.

    Where `needs.max_categories` cuts, the most frequent levels stay, of equally frequent ones the first by
    name; where `column.rare` does, those of at least so many rows. A one-hot column gets a last 0/1 column
    for missing and cut levels if training has such rows. With `unseen: other` cut levels are a level of their
    own, and missing ones get a column beside it if training has such rows.
    """
    return levels_of(count_levels(frame, column), column, n_rows=frame.height, needs=needs)


def count_levels(frame: pl.DataFrame, column: Column) -> pl.DataFrame:
    """Return each `value` of a category and the number `n` of its rows; what is missing is not counted."""
    return count_values(frame.get_column(column.name)).filter(pl.col("value").cast(pl.String) != NULL)


def levels_of(counts: pl.DataFrame, column: Column, *, n_rows: int, needs: Needs) -> Levels:
    """Return the levels of a category, as `fit_levels` says, from how many of `n_rows` rows each has."""
    kept = counts.sort(["n", "value"], descending=[True, False])
    if column.rare is not None:
        least = column.rare if column.rare >= 1 else column.rare * n_rows
        kept = kept.filter(pl.col("n") >= least)
    if needs.max_categories is not None:
        kept = kept.head(needs.max_categories)
    names = tuple(kept.get_column("value").sort().cast(pl.String).to_list())
    onehot = needs.categories == "onehot"
    n_names, is_own = len(names), column.unseen == "other"
    missing = float("nan") if needs.missing == "ok" and not onehot else float(n_names + is_own)
    n_known = (counts if is_own else kept).get_column("n").sum()
    lacks = bool(n_known < n_rows)
    return Levels(
        column=column,
        names=names,
        missing=missing,
        unseen=float(n_names) if is_own else missing,
        width=max(n_names + is_own + lacks, 1) if onehot else None,
    )

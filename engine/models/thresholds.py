"""A threshold for each group: from raw columns to the probability from which a row is decided positive.

Groups without one of their own, unseen ones and rows with a null among their columns have the overall one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.feed import feed_columns, is_text
from engine.graph import ML, Graph
from engine.recipe.strict import Scalar
from engine.tasks.task import Array

Values = tuple[Scalar, ...]


@dataclass(frozen=True)
class GroupThresholds:
    """Thresholds by the values of some columns.

    Attributes
    ----------
    columns
        Whose values make the groups: categories, booleans or integers.
    overall
        Of every group that is not among `own`, in (0, 1).
    own
        By the values of the columns, in their order.
    """

    columns: tuple[Column, ...]
    overall: float
    own: Mapping[Values, float]

    @property
    def by(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def of(self, frame: pl.DataFrame) -> Array:
        """Return the threshold of each of n rows, shape (n,)."""
        rows = frame.select(self.by).iter_rows()
        return np.array([self.own.get(values, self.overall) for values in rows], dtype=np.float64)

    def to_json(self) -> dict[str, object]:
        """Return the columns, the overall threshold and each group's own as JSON values."""
        own = [{"values": list(values), "threshold": threshold} for values, threshold in self.own.items()]
        return {"by": list(self.by), "overall": self.overall, "own": own}

    def declare(self, graph: Graph) -> None:
        """Declare the raw columns as inputs, as the preparation does: one that both read is one input."""
        for column in self.columns:
            graph.input(column.name, np.str_ if is_text(column) else np.float64)

    def write(self, graph: Graph) -> str:
        """Write the nodes from the declared columns to each row's threshold: double, (rows,)."""
        levels = [list(dict.fromkeys(known)) for known in zip(*self.own, strict=True)]
        strides = [math.prod(len(known) + 1 for known in levels[at + 1 :]) for at in range(len(levels))]
        places = [
            self._write_place(graph, column, known, stride)
            for column, known, stride in zip(self.columns, levels, strides, strict=True)
        ]
        # Of all combinations few are groups, so that a table of them all would be mostly empty, and large.
        keys = [
            sum(known.index(value) * stride for known, value, stride in zip(levels, of, strides, strict=True))
            for of in self.own
        ]
        found = graph.node(
            "LabelEncoder",
            [graph.node("Sum", places)],
            domain=ML,
            keys_tensor=np.array(keys, dtype=np.float64),
            values_tensor=np.array([*self.own.values()], dtype=np.float64),
            default_tensor=np.array([self.overall]),
        )
        return graph.node("Reshape", [found, graph.constant([-1])])

    def _write_place(self, graph: Graph, column: Column, known: list[Scalar], stride: int) -> str:
        """Write the place of a row's level among those known, times `stride`; the last for any other."""
        keys = feed_columns({column.name: known}, columns=(column,), rows=slice(None))[column.name].ravel()
        return graph.node(
            "LabelEncoder",
            [column.name],
            domain=ML,
            keys_tensor=keys,
            values_tensor=np.arange(len(known), dtype=np.float64) * stride,
            default_tensor=np.array([float(len(known) * stride)]),
        )

"""Parts of datetimes that come round again, as the sine and cosine of where in the round they are.

Each part is a whole number, so that both come from a table, in polars and in ONNX alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.datetimes import part_of, write_parts
from engine.features.needs import Needs
from engine.graph import Graph

# The first value of each part, and how many there are; of a year without a leap day the last is not reached.
ROUNDS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {"month": (1, 12), "weekday": (1, 7), "hour": (0, 24), "day_of_year": (1, 366)}
)


@dataclass(frozen=True, slots=True)
class Cyclic:
    """One part of a column of datetimes as two columns of the matrix, sine first.

    Missing ones are NaN, or, where they are imputed, 0 and 0: the middle of the circle.
    """

    column: Column
    part: str
    missing: float

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in the matrix."""
        return (f"{self.column.name}.{self.part} sin", f"{self.column.name}.{self.part} cos")

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return its columns of the matrix as Float64."""
        first, n_places = ROUNDS[self.part]
        place = (part_of(self.column, self.part) - first).fill_nan(n_places).cast(pl.Int64)
        return tuple(pl.lit(pl.Series(column)).gather(place) for column in self._table().T)

    def write(self, graph: Graph, seconds: str) -> str:
        """Write the nodes from seconds (double, (rows, 1)) to its columns: double, (rows, 2)."""
        first, n_places = ROUNDS[self.part]
        part = write_parts(graph, seconds, [self.part])[self.part]
        place = graph.node("Sub", [part, graph.constant(float(first))])
        missing = graph.node("IsNaN", [place])
        known = graph.node("Where", [missing, graph.constant(float(n_places)), place])
        flat = graph.node("Squeeze", [graph.cast(known, np.int64), graph.constant([1])])
        return graph.node("Gather", [graph.constant(self._table()), flat], axis=0)

    def _table(self) -> np.ndarray:
        """Return sine and cosine of each place, and of the missing one, shape (n_places + 1, 2)."""
        n_places = ROUNDS[self.part][1]
        angle = 2 * np.pi * np.arange(n_places) / n_places
        known = np.stack([np.sin(angle), np.cos(angle)], axis=1)
        return np.concatenate([known, [[self.missing, self.missing]]])


def fit_cyclic(column: Column, part: str, *, needs: Needs) -> Cyclic:
    """Return the part; nothing is learnt but whether missing ones stay."""
    return Cyclic(column, part, 0.0 if needs.missing == "impute" else float("nan"))

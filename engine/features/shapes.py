"""Numbers with long tails on their way to a model: their logarithm, or their place among the training rows'.

Both are computed the same way in numpy and in ONNX. A logarithm differs in its last bit from library to
library, so it is rounded to 2**-30: what is left of the difference is below 1e-9, and rare.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl

from engine.data.schema import Column
from engine.features.feed import as_input
from engine.features.needs import Needs
from engine.features.numbers import Filling, fit_number
from engine.graph import Graph

# Percentiles: finer steps would tell the training rows' noise.
_N_KNOTS = 101
_GRID = float(2**30)
_FARTHEST = 8e307


@dataclass(frozen=True)
class Shaped:
    """A column of numbers: filled, then shaped, then centered and scaled; with a mark of what was missing.

    Attributes
    ----------
    filling
        Its fill is in the column's own units, its center and scale in those of the shape.
    knots, places
        Of the shape `quantile`: distinct percentiles of the training rows, rising, shape (n,), and the first
        and the last of their places in 0..1, shape (n, 2).
    """

    column: Column
    shape: Literal["log", "quantile"]
    filling: Filling
    knots: np.ndarray
    places: np.ndarray
    is_marked: bool

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns in the matrix."""
        marks = (f"{self.column.name} is missing",) if self.is_marked else ()
        return (self.column.name, *marks)

    def expressions(self) -> tuple[pl.Expr, ...]:
        """Return each column of the matrix as Float64."""
        raw = as_input(self.column)
        shaped = raw.map_batches(
            lambda series: pl.Series(self._shaped(series.to_numpy())), return_dtype=pl.Float64
        )
        marks = (raw.is_nan().cast(pl.Float64),) if self.is_marked else ()
        return (shaped, *marks)

    def write(self, graph: Graph, raw: str) -> str:
        """Write the nodes from the raw column (double, (rows, 1)) to its columns of the matrix."""
        missing = graph.node("IsNaN", [raw])
        filled = raw
        if not np.isnan(self.filling.fill):
            filled = graph.node("Where", [missing, graph.constant(float(self.filling.fill)), raw])
        shaped = self._write_log(graph, filled) if self.shape == "log" else self._write_place(graph, filled)
        centered = graph.node("Sub", [shaped, graph.constant(float(self.filling.center))])
        scaled = graph.node("Mul", [centered, graph.constant(float(self.filling.scale))])
        if not self.is_marked:
            return scaled
        return graph.node("Concat", [scaled, graph.cast(missing, np.float64)], axis=1)

    def _shaped(self, raw: np.ndarray) -> np.ndarray:
        fill = self.filling.fill
        filled = raw if np.isnan(fill) else np.where(np.isnan(raw), fill, raw)
        shaped = log_of(filled) if self.shape == "log" else self._place_of(filled)
        scaled: np.ndarray = (shaped - self.filling.center) * self.filling.scale
        return scaled

    @cached_property
    def _pieces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return base, start and slope of each piece: below, at the first knot, up to the next, at it, …."""
        n = len(self.knots)
        base, start, slope = np.zeros(2 * n + 1), np.zeros(2 * n + 1), np.zeros(2 * n + 1)
        base[1::2], start[1::2] = self.places.mean(axis=1), self.knots
        base[2::2], start[2::2] = self.places[:, 1], self.knots
        base[[1, -2]] = (0.0, 1.0) if n > 1 else 0.0
        rise = self.places[1:, 0] - self.places[:-1, 1]
        with np.errstate(over="ignore"):
            slope[2:-1:2] = rise / np.diff(self.knots)
        slope[~np.isfinite(slope)] = 0.0
        return base, start, slope

    def _place_of(self, values: np.ndarray) -> np.ndarray:
        low, high = self.knots[0], self.knots[-1]
        with np.errstate(invalid="ignore"):
            inside = np.where(values > high, high, np.where(values < low, low, values))
        # The number of knots at or below, and of those below: their sum names the piece.
        piece = np.searchsorted(self.knots, inside, "right") + np.searchsorted(self.knots, inside, "left")
        base, start, slope = (part[piece] for part in self._pieces)
        places: np.ndarray = base + (inside - start) * slope
        return places

    def _write_place(self, graph: Graph, values: str) -> str:
        low, high = graph.constant(float(self.knots[0])), graph.constant(float(self.knots[-1]))
        raised = graph.node("Where", [graph.node("Less", [values, low]), low, values])
        inside = graph.node("Where", [graph.node("Greater", [values, high]), high, raised])
        knots = graph.constant(self.knots.reshape(1, -1))
        counts = [
            graph.cast(graph.node(op, [inside, knots]), np.int32) for op in ("GreaterOrEqual", "Greater")
        ]
        both = graph.node("Add", counts)
        piece = graph.node("ReduceSum", [both, graph.constant([1])], keepdims=1)
        base, start, slope = (
            graph.node("Gather", [graph.constant(part), piece], axis=0) for part in self._pieces
        )
        offset = graph.node("Sub", [inside, start])
        return graph.node("Add", [base, graph.node("Mul", [offset, slope])])

    def _write_log(self, graph: Graph, values: str) -> str:
        size = graph.node("Add", [graph.node("Abs", [values]), graph.constant(1.0)])
        raised = graph.node("Mul", [graph.node("Log", [size]), graph.constant(_GRID)])
        rounded = graph.node("Floor", [graph.node("Add", [raised, graph.constant(0.5)])])
        lowered = graph.node("Mul", [rounded, graph.constant(1 / _GRID)])
        return graph.node("Mul", [lowered, graph.node("Sign", [values])])


def log_of(values: np.ndarray) -> np.ndarray:
    """Return sign(x) ln(1 + |x|), rounded to 2**-30.

    Examples
    --------
    >>> log_of(np.array([0.0, np.e - 1, 1 - np.e])).round(9).tolist()
    [0.0, 1.0, -1.0]
    """
    rounded = np.floor(np.log(np.abs(values) + 1.0) * _GRID + 0.5) * (1 / _GRID)
    signed: np.ndarray = rounded * np.sign(values)
    return signed


def fit_shaped(values: np.ndarray, column: Column, *, needs: Needs) -> Shaped:
    """Fit a column that the recipe scales by `log` or `quantile`.

    Parameters
    ----------
    values
        Of the training rows, shape (n,), float64, NaN where missing.

    Returns
    -------
    Shaped
        Logarithms are standardised where the family needs scale; places are in 0..1.

    Notes
    -----
    Places are those of scikit-learn's QuantileTransformer, uniform, of 101 quantiles over all rows.
    """
    shape: Literal["log", "quantile"] = "log" if column.scale == "log" else "quantile"
    is_marked = needs.missing == "impute" and bool(np.isnan(values).any())
    fill = fit_number(values, needs=needs, impute=column.impute, scale="none").fill
    finite = values[np.isfinite(values)]
    filled = finite if np.isnan(fill) else np.append(finite, np.full(np.isnan(values).sum(), fill))
    if shape == "log":
        found = fit_number(log_of(filled), needs=needs)
        none = np.zeros(0)
        filling = Filling(fill, found.center, found.scale)
        return Shaped(column, shape, filling, none, none.reshape(0, 2), is_marked)
    if not len(filled):
        filled = np.zeros(1)
    # No two knots are so far apart that their distance overflows.
    filled = np.clip(filled, -_FARTHEST, _FARTHEST)
    percentiles = np.quantile(filled, np.linspace(0, 1, _N_KNOTS))
    knots, first, counts = np.unique(percentiles, return_index=True, return_counts=True)
    places = np.stack([first, first + counts - 1], axis=1) / (_N_KNOTS - 1)
    return Shaped(column, shape, Filling(fill), knots, places, is_marked)

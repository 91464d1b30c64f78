"""Numbers on their way to a model: missing values filled, then standardised; in polars and in ONNX alike.

Booleans and the parts of datetimes come this way too. Knows single columns of doubles, NaN where missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import polars as pl

from engine.features.needs import Needs
from engine.graph import Graph
from engine.recipe.spec_table import Impute, Scale


@dataclass(frozen=True, slots=True)
class Filling:
    """What is done to one column: (value, or `fill` where it is missing) minus `center`, times `scale`.

    `fill` is NaN where missing values stay. The scale is multiplied, never divided by: polars turns a
    division by a constant into a multiplication and ONNX does not, and the two must give equal bits.
    """

    fill: float
    center: float = 0.0
    scale: float = 1.0


def fit_number(
    values: np.ndarray, *, needs: Needs, impute: Impute | None = None, scale: Scale | None = None
) -> Filling:
    """Fit the filling of a numeric column: its statistics are of what is there in training.

    Parameters
    ----------
    values
        Shape (n,), float64, NaN where missing. Infinite values are left out of the statistics.
    needs
        Says whether to fill, and whether to standardise where `scale` says nothing.
    impute
        What fills where there is something to fill: the median where None, or a number.
    scale
        By mean and standard deviation (`standard`), to 0..1 (`minmax`), by median and the range between the
        quartiles (`robust`), or not at all (`none`), of the filled values; as scikit-learn's scalers of these
        names do.

    Returns
    -------
    Filling
        Of a column without one finite value: fill 0 (or the number), center 0, scale 1.
    """
    present = values[np.isfinite(values)]
    fills = needs.missing == "impute"
    constant = float(impute) if isinstance(impute, int | float) else None
    fill = (constant or 0.0) if fills else float("nan")
    if present.size == 0:
        return Filling(fill=fill)
    # Scaled by a power of two, which is exact, so that sums of the largest doubles do not overflow.
    largest = max(np.abs(present).max(), abs(constant or 0.0) if fills else 0.0)
    exponent = int(np.frexp(largest)[1])
    present = np.ldexp(present, -exponent)
    if fills:
        middle = np.mean(present) if impute == "mean" else np.median(present)
        filled = middle if constant is None else np.ldexp(constant, -exponent)
        fill = float(np.ldexp(filled, exponent))
        missing = np.isnan(values).sum()
        present = np.concatenate([present, np.full(missing, filled)])
    if scale is None:
        scale = "standard" if needs.scale else "none"
    if scale == "none":
        return Filling(fill=fill)
    return Filling(fill, *_center_and_scale(present, exponent, scale))


def fit_flag(values: np.ndarray, *, needs: Needs) -> Filling:
    """Fit the filling of a boolean column of 0, 1 and NaN: the more frequent value, 0 when even; unscaled."""
    if needs.missing == "ok":
        return Filling(fill=float("nan"))
    ones, zeros = np.count_nonzero(values == 1), np.count_nonzero(values == 0)
    return Filling(fill=float(ones > zeros))


def fill_in(raw: pl.Expr, filling: Filling) -> pl.Expr:
    """Apply a filling to a Float64 expression without nulls."""
    filled = raw if np.isnan(filling.fill) else raw.fill_nan(filling.fill)
    if filling.center == 0.0 and filling.scale == 1.0:
        return filled
    return (filled - filling.center) * filling.scale


def write_fillings(graph: Graph, raw: str, fillings: Sequence[Filling]) -> str:
    """Write `fill_in` for all columns of `raw` at once: double, (rows, n) -> (rows, n)."""
    tensor = raw
    fill = np.array([[filling.fill for filling in fillings]])
    center = np.array([[filling.center for filling in fillings]])
    scale = np.array([[filling.scale for filling in fillings]])
    if not np.isnan(fill).all():
        missing = graph.node("IsNaN", [tensor])
        tensor = graph.node("Where", [missing, graph.constant(fill), tensor])
    if center.any() or (scale != 1.0).any():
        centered = graph.node("Sub", [tensor, graph.constant(center)])
        tensor = graph.node("Mul", [centered, graph.constant(scale)])
    return tensor


def write_indicators(graph: Graph, raw: str, indices: Sequence[int]) -> str:
    """Write a column of 1.0 where missing, else 0.0, for each of some columns of `raw`."""
    chosen = graph.node("Gather", [raw, graph.constant(list(indices))], axis=1)
    return graph.cast(graph.node("IsNaN", [chosen]), np.float64)


def _center_and_scale(values: np.ndarray, exponent: int, scale_by: Scale) -> tuple[float, float]:
    if values.min() == values.max():
        return float(np.ldexp(values[0], exponent)), 1.0
    with np.errstate(divide="ignore", over="ignore"):
        # A range may be beyond the largest double; what is scaled by it becomes 0.
        center, spread = np.ldexp(_CENTER_AND_SPREAD[scale_by](values), exponent)
        scale = float(np.float64(1.0) / spread)
    # The spread of subnormal numbers has no finite reciprocal, and rounding can make it 0.
    return float(center), scale if np.isfinite(scale) else 1.0


def _quartiles(values: np.ndarray) -> tuple[float, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return middle, high - low


_CENTER_AND_SPREAD: Mapping[Scale, Callable[[np.ndarray], tuple[float, float]]] = MappingProxyType(
    {
        "standard": lambda values: (values.mean(), values.std()),
        "minmax": lambda values: (values.min(), values.max() - values.min()),
        "robust": _quartiles,
    }
)
